import assert from "node:assert/strict";
import { test } from "node:test";
import { makePlan, simulate } from "@heirloom/sim";

const SEEDS = 300;
const STEPS = 100;

test(`keeps its promises in ${SEEDS} simulated worlds`, async () => {
  let faults = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const outcome = await simulate(makePlan(seed, STEPS));
    assert.deepEqual(outcome.violations, [], `seed ${seed}: npm run sim -- --seed ${seed} --steps ${STEPS}`);
    faults += outcome.faults;
  }
  assert.ok(faults > SEEDS, `only ${faults} faults were injected`);
});

test("runs a seed the same way each time", async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const first = await simulate(makePlan(seed, STEPS));
    const second = await simulate(makePlan(seed, STEPS));
    assert.equal(first.hash, second.hash, `seed ${seed}`);
    assert.equal(first.events, second.events, `seed ${seed}`);
  }
});

test("runs different seeds differently", async () => {
  const hashes = new Set<string>();
  for (let seed = 1; seed <= 20; seed++) hashes.add((await simulate(makePlan(seed, STEPS))).hash);
  assert.equal(hashes.size, 20);
});
