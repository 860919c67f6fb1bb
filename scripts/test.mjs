// Runs the tests: installs and builds when needed, then every compiled test whose source is still there.
// `npm test` runs all, `npm test codec` those with "codec" in their path. Ends with the line "N passed, N failed", and
// before it, when all run, with "attacks covered N/182".

import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { build, ensureInstalled, root, say } from "./ensure.mjs";
import { ensureTools } from "./tools.mjs";

const FOLDERS = ["packages", "test", "sim", "fuzz", "bench", "examples"];

/** A test that takes longer hangs. */
const TIMEOUT_MS = 600_000;

ensureInstalled();
if (!build()) {
  console.log("0 passed, 1 failed (the build)");
  process.exit(1);
}
const words = process.argv.slice(2);
const files = FOLDERS.flatMap((folder) => testsIn(folder))
  .filter((file) => words.length === 0 || words.some((word) => file.includes(word)))
  .sort();
if (files.length === 0) {
  say(`no test has ${words.join(" or ")} in its path`);
  process.exit(1);
}
const hasTools = ensureTools(files);
const { status } = spawnSync(
  process.execPath,
  [
    "--enable-source-maps",
    "--test",
    `--test-concurrency=${String(availableParallelism())}`,
    `--test-timeout=${String(TIMEOUT_MS)}`,
    `--test-reporter=${join(root, "scripts/test-reporter.mjs")}`,
    ...files,
  ],
  { cwd: root, stdio: ["ignore", "inherit", "inherit"], env: { ...process.env, ...(await attackLine()) } },
);
process.exit(hasTools ? (status ?? 1) : 1);

/** What the reporter says before the sum, when all tests run: how many of the known attacks are covered. */
async function attackLine() {
  if (words.length > 0) return {};
  const { readCoverage, summary } = await import("../test/attacks/dist/src/coverage.js");
  return { TEST_REPORT_LINE: summary(readCoverage()) };
}

/** @returns compiled tests, and those in plain JavaScript, relative to the root. */
function testsIn(folder) {
  const directory = join(root, folder);
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === "node_modules" ? [] : testsIn(path);
    if (entry.name.endsWith(".test.mjs")) return [path];
    return entry.name.endsWith(".test.js") && hasSource(path) ? [path] : [];
  });
}

/** The compiler leaves the output of a source that was deleted or moved. Its map names the source. */
function hasSource(file) {
  const map = join(root, `${file}.map`);
  const { sources } = JSON.parse(readFileSync(map, "utf8"));
  return existsSync(join(dirname(map), sources[0]));
}
