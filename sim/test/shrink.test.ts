// A failing plan becomes a short one that still fails.

import assert from "node:assert/strict";
import { test } from "node:test";
import { makePlan, plantFault, shrink, simulate } from "@heirloom/sim";

test("shortens a failing plan to a story that breaks the same rule", async () => {
  const takeAway = plantFault("DUP on first deliveries");
  try {
    const plan = makePlan(await firstFailure(), 100);
    const short = await shrink(plan);
    const before = await simulate(plan);
    const after = await simulate(short, true);
    assert.ok(short.steps.length < 10, `${short.steps.length} steps are left of ${plan.steps.length}`);
    assert.equal(after.violations[0]?.rule, before.violations[0]?.rule);
    assert.match((after.transcript ?? []).join("\n"), /PUBLISH .* dup=1 [\s\S]*VIOLATION of "dup"/);
  } finally {
    takeAway();
  }
});

test("leaves a plan that does not fail as it is", async () => {
  const plan = makePlan(1, 20);
  assert.equal(await shrink(plan), plan);
});

async function firstFailure(): Promise<number> {
  for (let seed = 1; seed <= 20; seed++) {
    const { violations } = await simulate(makePlan(seed, 100));
    if (violations[0]?.rule === "dup") return seed;
  }
  return assert.fail("no seed of 20 fails");
}
