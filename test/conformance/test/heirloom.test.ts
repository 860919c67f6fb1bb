// The whole suite, with all that it can control, played to heirloom.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Controls, type RunOptions, runConformance } from "@heirloom/conformance";

/** Few at once, so that the cases about time hold on a small machine that runs other tests, too. */
const CONCURRENCY = 8;

async function heirloomControls(): Promise<Controls> {
  const module = new URL("../controls/heirloom.mjs", import.meta.url);
  const loaded: { readonly controls: Controls } = await import(module.href);
  return loaded.controls;
}

test("heirloom passes every case, those beyond the standard too, and none is skipped", async () => {
  const controls = await heirloomControls();
  await controls.withBroker({}, async ({ target }) => {
    const options: RunOptions = { ...target, controls, contract: true, concurrency: CONCURRENCY };
    const results = await runConformance(options);
    assert.deepEqual(
      results.flatMap(({ status, version, title, reason }) =>
        status === "pass" ? [] : [`${status} ${version} ${title}: ${reason}`],
      ),
      [],
    );
    assert.ok(results.length > 300, `${results.length} cases`);
  });
});
