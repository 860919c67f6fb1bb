// Deadlines fall due in order of time, each once, however they are set and moved.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Deadline, Deadlines } from "@heirloom/core/internal";
import fc from "fast-check";

test("calls what is due, earliest first, and not what was cleared or moved on", () => {
  const due: string[] = [];
  const deadlines = new Deadlines();
  const make = (name: string): Deadline => new Deadline(() => due.push(name));
  const [a, b, c] = [make("a"), make("b"), make("c")];
  deadlines.set(a, 30);
  deadlines.set(b, 10);
  deadlines.set(c, 20);
  deadlines.set(b, 40);
  deadlines.clear(c);
  deadlines.clear(c);
  assert.equal(deadlines.nextMs, 30);
  assert.equal(deadlines.run(29, 10), false);
  assert.deepEqual(due, []);
  assert.equal(deadlines.run(40, 10), false);
  assert.deepEqual(due, ["a", "b"]);
  assert.equal(deadlines.nextMs, undefined);
});

test("stops after as many as it was told, and says that there are more - attack CPU-07", () => {
  const deadlines = new Deadlines();
  let count = 0;
  for (let number = 0; number < 5; number++) deadlines.set(new Deadline(() => count++), number);
  assert.equal(deadlines.run(10, 2), true);
  assert.equal(count, 2);
  assert.equal(deadlines.run(10, 3), false);
  assert.equal(count, 5);
});

test("Infinity clears, and a deadline may be set again while it is called", () => {
  const deadlines = new Deadlines();
  let count = 0;
  const deadline: Deadline = new Deadline((nowMs) => {
    if (++count < 3) deadlines.set(deadline, nowMs + 1);
  });
  deadlines.set(deadline, 5);
  deadlines.set(deadline, Infinity);
  assert.equal(deadlines.size, 0);
  deadlines.set(deadline, 5);
  for (let nowMs = 5; nowMs < 10; nowMs++) deadlines.run(nowMs, 10);
  assert.equal(count, 3);
});

test("agrees with a sorted list under any sequence of changes", () => {
  const step = fc.record({ which: fc.nat(19), atMs: fc.oneof(fc.nat(1000), fc.constant(Infinity)) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const deadlines = new Deadlines();
      const due: number[] = [];
      const all = Array.from({ length: 20 }, (_, which) => new Deadline(() => due.push(which)));
      const model = new Map<number, number>();
      for (const { which, atMs } of steps) {
        deadlines.set(all[which] ?? assert.fail(), atMs);
        if (atMs === Infinity) model.delete(which);
        else model.set(which, atMs);
        assert.equal(deadlines.nextMs, model.size === 0 ? undefined : Math.min(...model.values()));
      }
      deadlines.run(1000, 1000);
      const times = due.map((which) => model.get(which) ?? -1);
      assert.deepEqual(
        times,
        [...model.values()].sort((a, b) => a - b),
      );
    }),
  );
});
