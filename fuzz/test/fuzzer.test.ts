// The loop finds what is hidden behind a few conditions, makes it small, and gives the same again for the same seed.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Coverage } from "#fuzz/coverage";
import { Fuzzer } from "#fuzz/fuzzer";
import { holds, type Target } from "#fuzz/target";

// One in a process: it belongs to the modules that are loaded after it.
const coverage = new Coverage();

/** Fails on a PINGREQ behind a SUBSCRIBE; the counters stand for an instrumented module. */
function hidden(): Target {
  return {
    name: "hidden",
    headerBytes: 1,
    maximumLength: 64,
    seeds: [],
    run: (input) => {
      const subscribed = input.indexOf(0x82, 1);
      const pinged = subscribed < 0 ? -1 : input.indexOf(0xc0, subscribed);
      holds(pinged < 0, () => `a ping at ${pinged}`);
    },
  };
}

async function found(seed: number): Promise<string[]> {
  const failures: string[] = [];
  const failed = (inputs: readonly Uint8Array[], error: Error): void =>
    void failures.push(
      `${inputs.map((input) => Buffer.from(input).toString("hex")).join(" ")} ${error.message}`,
    );
  const fuzzer = new Fuzzer({ target: hidden(), coverage, seed, failed, playing: () => undefined });
  await fuzzer.playNew(20_000);
  assert.equal(fuzzer.executions, 20_000);
  assert.equal(fuzzer.failureCount, failures.length);
  return failures;
}

test("reports a failure once, made as small as it can be", async () => {
  const [only, ...others] = await found(1);
  assert.match(only ?? "", /^..82c0 a ping at 2$/);
  assert.deepEqual(others, []);
});

test("plays the same inputs for the same seed", async () => {
  assert.deepEqual(await found(7), await found(7));
});

test("reports what fails only after other inputs with those inputs, and without the others", async () => {
  let pings = 0;
  const leaking: Target = {
    ...hidden(),
    run: (input) => {
      if (input.includes(0xc0, 1)) pings++;
      holds(pings < 3, () => "a third input with a ping");
    },
    renew: async () => {
      pings = 0;
    },
  };
  const failures: string[] = [];
  const failed = (inputs: readonly Uint8Array[], error: Error): void =>
    void failures.push(`${inputs.map((input) => input.subarray(1).join("")).join(" ")} ${error.message}`);
  const fuzzer = new Fuzzer({ target: leaking, coverage, seed: 3, failed, playing: () => undefined });
  await fuzzer.playNew(500);
  assert.deepEqual(failures, ["192 192 192 a third input with a ping"]);
});

test("looks at what all inputs have left when their ground is renewed", async () => {
  let left = 0;
  const leaving: Target = {
    ...hidden(),
    run: (input) => void (left += input.length === 3 ? 1 : 0),
    renew: async () => {
      const count = left;
      left = 0;
      holds(count < 2, () => "two things stay");
    },
  };
  const failures: number[] = [];
  const failed = (inputs: readonly Uint8Array[]): void => void failures.push(inputs.length);
  const fuzzer = new Fuzzer({ target: leaving, coverage, seed: 3, failed, playing: () => undefined });
  for (const bytes of [[1], [1, 2, 3], [1, 2], [1, 2, 3], [1]]) await fuzzer.play(Uint8Array.from(bytes));
  assert.deepEqual(failures, []);
  await fuzzer.renew();
  assert.deepEqual(failures, [2]);
});
