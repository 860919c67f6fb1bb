// The bytes that wait for all connections: shares, and those who wait for room.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Counters, DEFAULT_LIMITS } from "@heirloom/core";
import { OutputBudget, PumpQueue } from "@heirloom/core/internal";

function budgetOf(totalOutputBytes: number): { budget: OutputBudget; counters: Counters; pumps: PumpQueue } {
  const counters = new Counters();
  const pumps = new PumpQueue(() => undefined);
  return {
    budget: new OutputBudget({ ...DEFAULT_LIMITS, totalOutputBytes }, counters, pumps),
    counters,
    pumps,
  };
}

function session(pumped: string[], name: string): { isPumpWanted: boolean; pump(): void } {
  return { isPumpWanted: false, pump: () => void pumped.push(name) };
}

test("is crowded beyond the limit and over beyond twice the limit", () => {
  const { budget, counters } = budgetOf(100);
  budget.changed(100);
  assert.deepEqual([budget.isCrowded, budget.isOver], [false, false]);
  budget.changed(100);
  assert.deepEqual([budget.isCrowded, budget.isOver], [true, false]);
  budget.changed(1);
  assert.deepEqual([budget.isCrowded, budget.isOver, counters.outputBytes], [true, true, 201]);
});

test("shares what there is among the connections", () => {
  const { budget, counters } = budgetOf(100);
  assert.equal(budget.shareBytes, 100);
  counters.connectionsOpen = 4;
  assert.equal(budget.shareBytes, 25);
});

test("those who wait are pumped once, in their order, when there is room again; those who are gone are not", () => {
  const { budget, pumps } = budgetOf(100);
  const pumped: string[] = [];
  const [a, b, c] = ["a", "b", "c"].map((name) => session(pumped, name));
  assert.ok(a !== undefined && b !== undefined && c !== undefined);
  budget.changed(500);
  for (const waiting of [a, b, c]) budget.waitForRoom(waiting);
  budget.gone(b);
  budget.changed(-50);
  pumps.run();
  assert.deepEqual(pumped, []);
  budget.changed(-100);
  budget.changed(-100);
  pumps.run();
  assert.deepEqual(pumped, ["a", "c"]);
});
