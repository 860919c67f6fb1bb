// The command as people run it: regressions and corpus, then new inputs for some seconds. A failure here is a finding: the
// command has written it to fuzz/regressions.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const MAIN = fileURLToPath(new URL("../dist/main.js", import.meta.url));
const run = promisify(execFile);

for (const [target, executions] of [
  ["codec", 40_000],
  ["connection", 10_000],
  ["proxy", 40_000],
] as const) {
  test(`finds nothing in ${executions} new inputs for the ${target}, its corpus and its regressions`, async () => {
    // Another seed each day, so that every run is worth its time; the command prints it.
    const seed = Math.floor(Date.now() / 86_400_000);
    const { stdout } = await run(process.execPath, [
      ...["--enable-source-maps", MAIN, "--target", target],
      ...["--executions", String(executions), "--seed", String(seed)],
    ]);
    const last = new RegExp(`${target}: ${executions} executions, .*, seed ${seed}, 0 failures\\n$`);
    assert.match(stdout, last);
  });
}

test("shares the inputs out among processes and puts together what they kept", async () => {
  const { stdout } = await run(process.execPath, [
    ...[MAIN, "--target", "codec", "--executions", "3001", "--seed", "7", "--processes", "2"],
  ]);
  for (const seed of [7, 8])
    assert.match(stdout, new RegExp(`codec: 150[01] executions, .*, seed ${seed}, `));
  assert.match(stdout, /codec: 3001 executions, .*, seeds 7 to 8, 0 failures\n$/);
});

test("says what is wrong with its arguments", async () => {
  await assert.rejects(
    run(process.execPath, [MAIN, "--target", "socks"]),
    /codec, connection, proxy are known/,
  );
  await assert.rejects(run(process.execPath, [MAIN, "--executions", "many"]), /whole numbers/);
});
