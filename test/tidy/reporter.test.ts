// What `npm test` prints: failures in full, skips with their reasons, and one line at the end.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it, type TestContext } from "node:test";
import { ROOT } from "./src/files.ts";

it("shows failures with their place, skips with their reason, and the sum last", async (t) => {
  const { status, stdout } = await runTests(t, {
    "good.test.mjs": `
      import { it } from "node:test";
      it("passes", () => {});
      it("waits", { skip: "no tool" }, () => {});`,
    "bad.test.mjs": `
      import assert from "node:assert/strict";
      import { describe, it } from "node:test";
      describe("a group", () => {
        it("passes too", () => {});
        it("fails", () => assert.equal(1, 2));
      });`,
    "ends.test.mjs": "process.exit(3);",
  });
  assert.equal(status, 1);
  assert.match(stdout, /FAILED a group > fails \(.*bad\.test\.mjs:6\)\n.*AssertionError/);
  assert.match(stdout, /FAILED .*ends\.test\.mjs.*\n.*exit code 3/);
  assert.doesNotMatch(stdout, /node:internal/);
  const lastLines = stdout.trimEnd().split("\n").slice(-4);
  assert.equal(lastLines[0], "skipped: waits: no tool");
  assert.equal(lastLines[1], "failed: a group > fails");
  assert.equal(lastLines[3], "2 passed, 2 failed, 1 skipped");
});

it("ends with 0 when all is well", async (t) => {
  const { status, stdout } = await runTests(t, {
    "good.test.mjs": 'import { it } from "node:test"; it("passes", () => {});',
  });
  assert.equal(status, 0);
  assert.match(stdout, /good\.test\.mjs: 1\n1 passed, 0 failed\n$/);
});

async function runTests(
  t: TestContext,
  files: Readonly<Record<string, string>>,
): Promise<{ readonly status: number | null; readonly stdout: string }> {
  const directory = await mkdtemp(join(tmpdir(), "heirloom-reporter-"));
  t.after(() => rm(directory, { recursive: true }));
  const paths: string[] = [];
  for (const [name, text] of Object.entries(files)) {
    const path = join(directory, name);
    await writeFile(path, text);
    paths.push(path);
  }
  // Node tells its tests that they are tests; this run is one of its own.
  const { NODE_TEST_CONTEXT: _, TEST_REPORT_LINE: __, ...env } = process.env;
  const reporter = `--test-reporter=${join(ROOT, "scripts/test-reporter.mjs")}`;
  return spawnSync(process.execPath, ["--test", reporter, ...paths.sort()], { env, encoding: "utf8" });
}
