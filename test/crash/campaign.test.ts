// A short crash run. `npm run crash -- --rounds 200` is the long one.

import assert from "node:assert/strict";
import { test } from "node:test";
import { removeDirectory } from "#interop/directory";
import { unlessBadDisk } from "./src/bad-disk.ts";
import { runCampaign } from "./src/campaign.ts";

test("nothing that was acknowledged is lost, doubled or out of order when the server is killed under load - attack QOS-07", async () => {
  const report = await runCampaign({ rounds: 5, seed: 1 });
  assert.deepEqual(report.violations, []);
  assert.equal(report.rounds, 5);
  assert.ok(report.acknowledged > 100);
  assert.ok(report.arrived > report.acknowledged);
});

test(
  "the same with a slow disk, where a kill takes more of what is under way",
  { skip: unlessBadDisk() },
  async () => {
    const report = await runCampaign({ rounds: 4, seed: 2, slowDiskMs: 5 });
    assert.deepEqual(report.violations, []);
    assert.ok(report.acknowledged > 50);
  },
);

test("the judge sees it when a server forgets", async () => {
  const report = await runCampaign({ rounds: 2, seed: 1, serverArgs: ["--store", "memory"] });
  assert.ok(report.violations.some((violation) => violation.includes("lost its session")));
  assert.ok(report.data);
  await removeDirectory(report.data);
});
