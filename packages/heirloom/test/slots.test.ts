// So many at once, so many in line, and nobody more.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Slots, TURNED_AWAY } from "../dist/identity/slots.js";

describe("Slots", () => {
  it("runs so many at once, lets so many wait in order, and turns the rest away - attack AUTHN-05", async () => {
    const slots = new Slots(2, 2);
    const order: number[] = [];
    const ends: (() => void)[] = [];
    const run = (index: number): Promise<unknown> =>
      slots.run(async () => {
        order.push(index);
        await new Promise<void>((resolve) => ends.push(resolve));
        return index;
      });
    const runs = [0, 1, 2, 3, 4].map(run);
    assert.equal(await runs[4], TURNED_AWAY);
    assert.deepEqual(order, [0, 1]);
    assert.equal(slots.waitingCount, 2);
    ends.shift()?.();
    assert.equal(await runs[0], 0);
    assert.deepEqual(order, [0, 1, 2]);
    while (ends.length > 0) {
      for (const end of ends.splice(0)) end();
      await Promise.resolve();
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.deepEqual(await Promise.all(runs), [0, 1, 2, 3, TURNED_AWAY]);
    const again = run(5);
    ends.shift()?.();
    assert.equal(await again, 5);
  });

  it("lets sources take turns, and turns away those who have most in line - attack AUTHN-05", async () => {
    const slots = new Slots(1, 3);
    const order: string[] = [];
    let onStart: (() => void) | undefined;
    const started = new Promise<void>((resolve) => (onStart = resolve));
    const first = slots.run(() => started);
    const run = (name: string, source: string): Promise<unknown> => slots.run(() => order.push(name), source);
    const flood = [run("a1", "a"), run("a2", "a"), run("a3", "a")];
    assert.equal(await run("a4", "a"), TURNED_AWAY);
    const other = run("b1", "b");
    assert.equal(await flood[2], TURNED_AWAY);
    const third = run("c1", "c");
    assert.equal(await flood[1], TURNED_AWAY);
    assert.equal(await run("d1", "d"), TURNED_AWAY, "all have one in line");
    assert.equal(slots.waitingCount, 3);
    onStart?.();
    await Promise.all([first, flood[0], other, third]);
    assert.deepEqual(order, ["a1", "b1", "c1"]);
    assert.equal(slots.waitingCount, 0);
    const second = new Slots(1, 10);
    const ended: string[] = [];
    const runs = ["-", "a", "a", "a", "b", "a", "b"].map((source, index) =>
      second.run(() => Promise.resolve(ended.push(`${source}${index}`)), source),
    );
    await Promise.all(runs);
    assert.deepEqual(ended, ["-0", "a1", "b4", "a2", "b6", "a3", "a5"]);
  });

  it("goes on after a task that throws", async () => {
    const slots = new Slots(1, 1);
    await assert.rejects(
      slots.run(() => Promise.reject(new Error("broken"))),
      /broken/,
    );
    assert.equal(await slots.run(() => 7), 7);
  });
});
