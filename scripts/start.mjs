// Starts the server from a clone: installs and builds when that is needed, then runs the command line in this process.
// Plain Node, no dependency: it has to run before anything is installed. Quiet unless it has something to do.

import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** What the server is made of. Its tests are built by `npm test`. */
const SERVER = "packages/heirloom";
const PACKAGES = ["packages/codec", "packages/core", "packages/store-leveldb", SERVER];

if (needsInstall()) {
  say("installing (npm ci)");
  execute("npm", ["ci", "--no-audit", "--no-fund"]);
}
if (needsBuild()) {
  say("building (tsc -b)");
  execute(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-b", SERVER]);
}
await import(pathToFileURL(join(root, SERVER, "dist/cli/main.js")).href);

/** npm writes the hidden lock file last, when everything is there. */
function needsInstall() {
  return timeOf("node_modules/.package-lock.json") < timeOf("package-lock.json");
}

/** The compiler writes `tsconfig.tsbuildinfo` at each build, also when no output had to change. */
function needsBuild() {
  return PACKAGES.some((name) => {
    const builtAt = existsSync(join(root, name, "dist/index.js"))
      ? timeOf(join(name, "tsconfig.tsbuildinfo"))
      : 0;
    return newestIn(join(name, "src")) > builtAt || timeOf("tsconfig.base.json") > builtAt;
  });
}

/** Milliseconds; 0 when there is no such file. */
function timeOf(file) {
  return statSync(join(root, file), { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

function newestIn(directory) {
  const entries = readdirSync(join(root, directory), { withFileTypes: true });
  return entries.reduce((newest, entry) => {
    const path = join(directory, entry.name);
    return Math.max(newest, entry.isDirectory() ? newestIn(path) : timeOf(path));
  }, 0);
}

/** Runs a command; ends this process when it fails. Its output goes to standard error: ours is the server's. */
function execute(command, args) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: ["ignore", 2, 2] });
  if (error) say(`cannot run ${command}: ${error.message}`);
  if (status !== 0) process.exit(status ?? 1);
}

function say(text) {
  process.stderr.write(`heirloom: ${text}\n`);
}
