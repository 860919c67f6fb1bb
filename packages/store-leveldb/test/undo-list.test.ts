// A batch that was refused, and got into the database all the same, leaves nothing behind.
// No disk can be made to behave like that at will, so the parts are put together by hand here.

import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { describe, it } from "node:test";

import { UndoList } from "../dist/undo-list.js";
import { BatchEncoder } from "../dist/values.js";
import { batchOf, block, newDirectory, withDatabase } from "./support.ts";

describe("UndoList", () => {
  it("puts back what two refused batches replaced, deleted, added and trimmed", async (t) => {
    const directory = await newDirectory(t);
    await mkdir(directory);
    const encoder = new BatchEncoder();
    await withDatabase(directory, async (database) => {
      const before = database.batch();
      const committed = batchOf((batch) => {
        batch.put("session", "replaced", Buffer.from("old"));
        batch.put("session", "deleted", Buffer.from("old"));
        batch.append(block(1, 0, 4));
      });
      encoder.batch(before, committed);
      await before.write();
      const expected = await database.iterator().all();

      const undo = new UndoList();
      for (const value of ["first", "second"]) {
        const refused = batchOf((batch) => {
          batch.put("session", "replaced", Buffer.from(value));
          batch.delete("session", "deleted");
          batch.put("session", value, Buffer.from("new"));
          batch.append(block(1, 5, 9));
          batch.trim(1, 0, 5);
        });
        await undo.remember(database, refused, refused.trims);
        const written = database.batch();
        encoder.batch(written, refused);
        encoder.trim(written, 1, 0, 5);
        await written.write();
      }
      assert.notDeepEqual(await database.iterator().all(), expected);
      const undone = database.batch();
      undo.write(undone);
      await undone.write();
      assert.deepEqual(await database.iterator().all(), expected);
    });
  });
});
