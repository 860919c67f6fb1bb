// What is trimmed while a segment of the journal goes to the database does not stay there.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";

import { ClassicLevel } from "classic-level";

import { BLOCK_TAG, readBlockKey } from "../dist/keys.js";
import { batchOf, block, newDirectory, openStore, withDatabase } from "./support.ts";

/** As many records as one step takes, so that the blocks behind them stand in the next one. */
const RECORDS = 500;
const OLD_BLOCKS = 40;
const NEW_BLOCKS = 20;

type Batch = ReturnType<ClassicLevel<Buffer, Buffer>["batch"]>;

describe("Checkpoint", () => {
  it("writes the blocks of a log before it deletes what was trimmed of it, so that those are deleted too", async (t) => {
    const directory = await newDirectory(t);
    const store = await openStore(t, directory, { journalBytes: 65_536, purgeAfterMs: Infinity });
    // One after the other, while the segment with all the records is applied. The last one leaves some of its blocks.
    const trims = [10, 20, OLD_BLOCKS + 10];
    const trimNext = async (): Promise<void> => {
      await nextTurn(); // the commit that began this is over then
      const endIndex = trims.shift();
      if (endIndex !== undefined) await store.commit(batchOf((batch) => batch.trim(1, 0, endIndex)));
    };
    let isApplied = false;
    const { batch: begin, clear } = ClassicLevel.prototype;
    t.mock.method(ClassicLevel.prototype, "batch", function (this: ClassicLevel) {
      const batch = begin.call(this) as unknown as Batch;
      const write = batch.write.bind(batch);
      batch.write = async (options?: Parameters<Batch["write"]>[0]) => {
        if (batch.length >= RECORDS) {
          isApplied = true;
          await trimNext();
        }
        await write(options ?? {});
      };
      return batch;
    });
    t.mock.method(ClassicLevel.prototype, "clear", async function (this: ClassicLevel, range: object) {
      await clear.call(this, range);
      if (isApplied) await trimNext();
    });

    await store.commit(
      batchOf((batch) => {
        for (let index = 0; index < OLD_BLOCKS; index++) batch.append(block(1, index, index));
      }),
    );
    // Into a segment of their own.
    await store.commit(batchOf((batch) => batch.put("retained", "t", Buffer.alloc(10_000))));
    await store.commit(
      batchOf((batch) => {
        for (let number = 0; number < RECORDS; number++) batch.put("session", `${number}`, Buffer.of(1));
        for (let index = OLD_BLOCKS; index < OLD_BLOCKS + NEW_BLOCKS; index++)
          batch.append(block(1, index, index));
      }),
    );
    const isBegun = (): boolean => isApplied;
    while (!isBegun()) await store.commit(batchOf((batch) => batch.put("retained", "t", Buffer.alloc(1000))));
    // The time limit of the test is the only clock.
    while (trims.length > 0) await nextTurn();
    await store.close();

    const left: (number | undefined)[] = [];
    await withDatabase(directory, async (database) => {
      for await (const key of database.keys({ gte: Buffer.of(BLOCK_TAG), lt: Buffer.of(BLOCK_TAG + 1) }))
        left.push(readBlockKey(key)?.lastIndex);
    });
    assert.deepEqual(
      left,
      Array.from({ length: NEW_BLOCKS - 10 }, (_, at) => OLD_BLOCKS + 10 + at),
    );
  });
});
