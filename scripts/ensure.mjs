// Installs and builds a clone when that is needed. Shared by the scripts that `npm` runs.
// Plain Node, no dependency: it has to run before anything is installed. Quiet unless it has something to do.

import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The top of the clone. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Runs `npm ci`, and no script of any package, unless what is installed is as new as the lock file. npm writes its hidden lock file last. */
export function ensureInstalled() {
  if (timeOf("node_modules/.package-lock.json") >= timeOf("package-lock.json")) return;
  say("installing (npm ci)");
  if (!execute("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"])) process.exit(1);
}

/** Builds `project` when a source of one of `packages` is newer than its last build. Starts faster than the compiler. */
export function ensureBuilt(project, packages) {
  if (packages.every(isBuilt)) return;
  say("building (tsc -b)");
  if (!build(project)) process.exit(1);
}

/** Builds `project`, or everything; the compiler itself finds out what is up to date. @returns whether it compiles. */
export function build(project = ".") {
  return execute(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-b", project]);
}

/** The compiler writes `tsconfig.tsbuildinfo` at each build, also when no output had to change. */
function isBuilt(name) {
  if (!existsSync(join(root, name, "dist/index.js"))) return false;
  const builtAt = timeOf(join(name, "tsconfig.tsbuildinfo"));
  return newestIn(join(name, "src")) <= builtAt && timeOf("tsconfig.base.json") <= builtAt;
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

/** Runs a command. Its output goes to standard error: ours is the caller's. @returns whether it succeeded. */
function execute(command, args) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: ["ignore", 2, 2] });
  if (error) say(`cannot run ${command}: ${error.message}`);
  return status === 0;
}

/** One line for whoever waits. */
export function say(text) {
  process.stderr.write(`heirloom: ${text}\n`);
}
