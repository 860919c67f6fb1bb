// The world of Node: a clock that only goes forward, one turn for many requests, one timer for many times.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { NodeWorld } from "../dist/runtime.js";

/** Resolves when the driven broker has been called `count` times. */
function drivenWorld(count: number): { world: NodeWorld; calls: string[]; done: Promise<void> } {
  const world = new NodeWorld();
  const calls: string[] = [];
  const done = new Promise<void>((resolve) => {
    const note = (name: string): void => {
      if (calls.push(name) === count) resolve();
    };
    world.drive({ endTurn: () => note("endTurn"), wake: () => note("wake") });
  });
  return { world, calls, done };
}

describe("NodeWorld", () => {
  it("shows the wall clock's time, and never goes back", () => {
    const world = new NodeWorld();
    assert.ok(Math.abs(world.now() - Date.now()) < 60_000);
    let previous = world.now();
    for (let count = 0; count < 10_000; count++) {
      const now = world.now();
      assert.ok(now >= previous);
      previous = now;
    }
  });

  it("gives random bytes of the length that was asked for", () => {
    const world = new NodeWorld();
    assert.equal(world.randomBytes(16).length, 16);
    assert.notDeepEqual(world.randomBytes(16), world.randomBytes(16));
  });

  it("ends one turn for many requests, and one more for those that come in that turn's end", async () => {
    const { world, calls, done } = drivenWorld(1);
    world.requestTurn();
    world.requestTurn();
    await done;
    const again = new Promise<void>((resolve) => world.drive({ endTurn: resolve, wake: () => {} }));
    world.requestTurn();
    await again;
    assert.deepEqual(calls, ["endTurn"]);
  });

  it("calls wake at the time, and not before it", async () => {
    const { world, done } = drivenWorld(1);
    const timeMs = world.now() + 5;
    world.wakeAt(timeMs);
    await done;
    assert.ok(world.now() >= timeMs);
  });

  it("takes the newest time that was asked for, earlier or later", async () => {
    const { world, calls, done } = drivenWorld(1);
    world.wakeAt(world.now() + 1);
    const laterMs = world.now() + 20;
    world.wakeAt(laterMs);
    await done;
    assert.ok(world.now() >= laterMs, "the first time was replaced");
    const early = new Promise<void>((resolve) => world.drive({ endTurn: () => {}, wake: resolve }));
    world.wakeAt(world.now() + 86_400_000);
    world.wakeAt(world.now() + 1);
    await early;
    assert.deepEqual(calls, ["wake"]);
  });

  it("does not wake when the time was taken back", async () => {
    const { world, calls } = drivenWorld(1);
    world.wakeAt(world.now() + 1);
    world.wakeAt(undefined);
    const other = drivenWorld(1);
    other.world.wakeAt(other.world.now() + 10);
    await other.done;
    assert.deepEqual(calls, []);
  });

  it("sets no new timer when the same time is asked for again, as each turn does", (context) => {
    const setTimer = context.mock.method(globalThis, "setTimeout");
    const world = new NodeWorld();
    const timeMs = world.now() + 500.25;
    for (let turn = 0; turn < 10; turn++) world.wakeAt(timeMs);
    assert.equal(setTimer.mock.callCount(), 1);
    world.wakeAt(timeMs - 1);
    assert.equal(setTimer.mock.callCount(), 2, "an earlier time needs one");
    world.wakeAt(undefined);
  });

  it("cuts times that are longer than Node's timers, which would fire at once", (context) => {
    const setTimer = context.mock.method(globalThis, "setTimeout");
    const world = new NodeWorld();
    world.wakeAt(world.now() + 2 ** 33);
    assert.equal(setTimer.mock.calls[0]?.arguments[1], 2 ** 31 - 1);
    world.wakeAt(undefined);
  });
});
