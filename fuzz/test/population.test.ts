// What is kept: for each feature the cheapest input, and no input that is the cheapest for none.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Population } from "#fuzz/population";
import { Random } from "#fuzz/random";

const [A, B, C] = [Uint8Array.of(1, 1, 1), Uint8Array.of(2, 2), Uint8Array.of(3)];

test("keeps an input for what it does first, or at less cost", () => {
  const population = new Population(16);
  population.add(A, 30, Uint32Array.of(1, 2));
  population.add(B, 40, Uint32Array.of(1, 2));
  assert.deepEqual(population.inputs, [A]);
  population.add(B, 40, Uint32Array.of(2, 3));
  assert.deepEqual(population.inputs, [A, B]);
  population.add(C, 10, Uint32Array.of(1));
  assert.deepEqual(population.inputs, [A, B, C]);
});

test("forgets an input when cheaper ones do all that it does", () => {
  const population = new Population(16);
  population.add(A, 30, Uint32Array.of(1, 2));
  population.add(B, 20, Uint32Array.of(1));
  population.add(C, 10, Uint32Array.of(2));
  assert.deepEqual(population.inputs, [B, C]);
  assert.equal(population.size, 2);
  const random = new Random(1);
  for (let times = 0; times < 200; times++) assert.notEqual(population.choose(random), A);
});

test("chooses every input that it keeps, cheap ones more often", () => {
  const population = new Population(16);
  assert.equal(population.choose(new Random(1)), undefined);
  population.add(A, 30, Uint32Array.of(1));
  population.add(B, 10, Uint32Array.of(2));
  const random = new Random(1);
  const chosen = Array.from({ length: 1_000 }, () => population.choose(random));
  const cheap = chosen.filter((input) => input === B).length;
  assert.ok(cheap > 550 && cheap < 950, `${cheap} of 1000`);
});

test("stays as small as what it keeps, however often it is improved", () => {
  const population = new Population(4);
  for (let cost = 5_000; cost > 0; cost--) population.add(Uint8Array.of(cost), cost, Uint32Array.of(0, 1));
  assert.equal(population.size, 1);
  assert.equal(population.inputs.length, 1);
});
