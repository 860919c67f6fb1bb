// The overlay knows the newest place of everything, and forgets with a segment only what no later one replaced.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TestContext } from "node:test";

import { JournalFile } from "../dist/journal-file.js";
import { Overlay } from "../dist/overlay.js";
import { Segment } from "../dist/segment.js";
import { newDirectory } from "./support.ts";

async function segments(t: TestContext): Promise<[Segment, Segment]> {
  const file = await JournalFile.open(await newDirectory(t), 0);
  t.after(() => file.close());
  const parts = { file, salt: Buffer.alloc(8), image: Buffer.alloc(1000), end: 0, lastSequence: 0 };
  return [new Segment({ ...parts, number: 1 }), new Segment({ ...parts, number: 2 })];
}

describe("Overlay", () => {
  it("counts records, and forgets those of a segment that were not replaced", async (t) => {
    const [first, second] = await segments(t);
    const overlay = new Overlay();
    overlay.record(first, "session", "a", 10, 1);
    overlay.record(first, "session", "b", 20, 1);
    overlay.record(first, "session", "b", 30, 2);
    overlay.record(second, "session", "b", 40, -1);
    overlay.record(second, "group", "b", 50, 5);
    assert.equal(overlay.recordCount, 3);
    assert.deepEqual([first.cells.length, second.cells.length], [2, 2]);
    overlay.forget(first);
    assert.equal(overlay.recordCount, 2);
    assert.deepEqual(
      [...overlay.records("session").values()].map(({ key, at, byteCount }) => [key, at, byteCount]),
      [["b", 40, -1]],
    );
    overlay.forget(second);
    assert.equal(overlay.recordCount, 0);
  });

  it("keeps blocks in order, replaces those that come a second time, and drops what was trimmed or applied", async (t) => {
    const [first, second] = await segments(t);
    const overlay = new Overlay();
    const add = (segment: Segment, firstIndex: number, at: number) =>
      overlay.block(segment, { logId: 1, firstIndex, lastIndex: firstIndex + 9 }, at, 100);
    add(first, 0, 1);
    add(first, 10, 2);
    add(first, 20, 3);
    add(second, 20, 4);
    add(second, 30, 5);
    const places = () => overlay.tail(1)?.blocks.map(({ at }) => at);
    assert.deepEqual(places(), [1, 2, 4, 5]);
    overlay.trim(1, 15);
    assert.deepEqual(places(), [2, 4, 5], "entry 15 is in the second block");
    overlay.forget(first);
    assert.deepEqual(places(), [4, 5]);
    overlay.trim(1, 40);
    assert.equal(overlay.tail(1), undefined);
    assert.deepEqual([...overlay.tails()], []);
    add(second, 40, 6);
    assert.deepEqual(places(), [6], "the log goes on behind what was trimmed");
  });
});
