// The seeded random numbers of the simulation.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Random } from "@heirloom/sim";

test("gives the same numbers for the same seed", () => {
  const first = new Random(42);
  const second = new Random(42);
  for (let count = 0; count < 100; count++) assert.equal(first.next(), second.next());
});

test("gives other numbers for another seed, also for one that differs in its upper bits only", () => {
  const firsts = [1, 2, 1 + 2 ** 32, 2 ** 40].map((seed) => new Random(seed).next());
  assert.equal(new Set(firsts).size, 4);
});

test("stays within its bounds and reaches all of them", () => {
  const random = new Random(7);
  const seen = new Set(Array.from({ length: 200 }, () => random.between(3, 6)));
  assert.deepEqual([...seen].sort(), [3, 4, 5, 6]);
});

test("is true about as often as asked", () => {
  const random = new Random(7);
  let count = 0;
  for (let draw = 0; draw < 10_000; draw++) if (random.chance(0.25)) count++;
  assert.ok(count > 2_200 && count < 2_800, `${count} of 10000`);
});

test("refuses to pick from nothing", () => {
  assert.throws(() => new Random(1).pick([]), RangeError);
});
