// The virtual clock of the simulation.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Schedule } from "@heirloom/sim";

function runAll(schedule: Schedule, untilMs: number): void {
  while (schedule.runNext(untilMs));
}

test("runs events in the order of their times, then of their making", () => {
  const schedule = new Schedule(1_000);
  const seen: string[] = [];
  schedule.at(1_005, () => seen.push("second"));
  schedule.at(1_005, () => seen.push("third"));
  schedule.at(1_001, () => seen.push("first"));
  runAll(schedule, 1_010);
  assert.deepEqual(seen, ["first", "second", "third"]);
});

test("moves time to each event, then to the end", () => {
  const schedule = new Schedule(0);
  const times: number[] = [];
  for (const timeMs of [30, 10, 20, 40]) schedule.at(timeMs, () => times.push(schedule.nowMs));
  runAll(schedule, 35);
  assert.deepEqual(times, [10, 20, 30]);
  assert.equal(schedule.nowMs, 35);
});

test("does not run what was cancelled", () => {
  const schedule = new Schedule(0);
  schedule.cancel(schedule.at(5, () => assert.fail("was cancelled")));
  runAll(schedule, 10);
  assert.equal(schedule.nextMs, Infinity);
});

test("never goes back: what should have happened before happens now", () => {
  const schedule = new Schedule(100);
  const times: number[] = [];
  schedule.at(50, () => times.push(schedule.nowMs));
  runAll(schedule, 100);
  assert.deepEqual(times, [100]);
});

test("keeps many events in order", () => {
  const schedule = new Schedule(0);
  const times: number[] = [];
  for (let count = 0; count < 1_000; count++)
    schedule.at((count * 7_919) % 1_009, () => times.push(schedule.nowMs));
  runAll(schedule, 2_000);
  assert.equal(times.length, 1_000);
  assert.deepEqual(
    times,
    [...times].sort((a, b) => a - b),
  );
});
