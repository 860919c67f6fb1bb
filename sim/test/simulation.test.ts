// A short run of the simulation: no seed may violate the contract.

import assert from "node:assert/strict";
import { test } from "node:test";
import { makePlan, simulate } from "@heirloom/sim";
import { runCommand } from "./command.ts";

const SEEDS = 300;
const STEPS = 100;

test(`keeps its promises in ${SEEDS} simulated worlds - attack QOS-02, attack QOS-07`, async () => {
  const { exitCode, stdout } = await runCommand("--seeds", String(SEEDS), "--steps", String(STEPS));
  assert.match(stdout, / 0 seeds with violations/, stdout);
  assert.ok(Number(/(\d+) faults injected/.exec(stdout)?.[1]) > SEEDS, stdout);
  assert.equal(exitCode, 0);
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
