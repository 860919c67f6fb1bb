// Faults that are planted are found: behind conditions that chance alone does not meet, and deep in the state of a session.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Coverage } from "#fuzz/coverage";
import { Fuzzer, type FuzzerOptions } from "#fuzz/fuzzer";
import type { Target } from "#fuzz/target";

const coverage = new Coverage();
// Behind the hooks, so that they are the instrumented ones.
const { tryLock } = await import("./planted/lock.ts");
const { Receiver } = await import("@heirloom/core");
const { Deadline, Deadlines } = await import("@heirloom/core/internal");
const { makeTarget } = await import("#fuzz/targets/connection");

// Ten times what it takes on average: 26,000 with six seeds, and 14,000 with ten.
const LOCK_EXECUTIONS = 260_000;
const CONNECTION_EXECUTIONS = 140_000;
const BATCH = 500;

const LOCK: Target = {
  name: "lock",
  headerBytes: 1,
  maximumLength: 64,
  seeds: [],
  run: (input) => tryLock(input.subarray(1)),
};

/** Plays until something fails, `executions` at most. @returns the failures, and how many inputs it took. */
async function find(
  target: Target,
  executions: number,
  seen: FuzzerOptions["coverage"],
): Promise<{ failures: string[]; executions: number }> {
  const failures: string[] = [];
  const failed = (inputs: readonly Uint8Array[], error: Error): void =>
    void failures.push(`${inputs.length} ${error.message}`);
  const fuzzer = new Fuzzer({ target, coverage: seen, seed: 1, failed, playing: () => undefined });
  for (const input of target.seeds) await fuzzer.play(input);
  while (failures.length === 0 && fuzzer.executions < executions) await fuzzer.playNew(BATCH);
  await fuzzer.renew();
  return { failures, executions: fuzzer.executions };
}

test(`opens four doors in ${LOCK_EXECUTIONS} inputs, because it sees each that opens`, async () => {
  const { failures, executions } = await find(LOCK, LOCK_EXECUTIONS, coverage);
  assert.deepEqual(failures, ["1 the fault behind the last door"]);
  // The same without eyes.
  const blind = {
    cost: 1,
    clear: () => coverage.clear(),
    takeFeatures: () => new Uint32Array(),
    takeBlocks: () => coverage.takeBlocks(),
  };
  assert.deepEqual((await find(LOCK, 2 * executions, blind)).failures, []);
});

test(`finds in ${CONNECTION_EXECUTIONS} inputs a fault in the release of a second open QoS 2 message`, async () => {
  const { released } = Receiver.prototype;
  Receiver.prototype.released = function (packetId): boolean {
    if (this.packetIds.size === 2 && this.packetIds.has(packetId)) throw new Error("planted");
    return released.call(this, packetId);
  };
  try {
    const { failures, executions } = await find(makeTarget(), CONNECTION_EXECUTIONS, coverage);
    assert.deepEqual(failures, ["1 planted"], `${executions} inputs`);
  } finally {
    Receiver.prototype.released = released;
  }
});

test("finds a deadline that stays when its connection and its session are gone", async () => {
  const { set } = Deadlines.prototype;
  Deadlines.prototype.set = function (deadline, atMs): void {
    // One that is moved leaves another behind.
    if (deadline.position !== -1) set.call(this, new Deadline(() => undefined), atMs + 3_600_000);
    set.call(this, deadline, atMs);
  };
  try {
    const { failures } = await find(makeTarget(), BATCH, coverage);
    assert.match(failures[0] ?? "", /^1 \d+ deadlines stay$/);
  } finally {
    Deadlines.prototype.set = set;
  }
});
