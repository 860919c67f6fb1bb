// Ranges wait per log and are handed out in steps. Seen from outside: long trims are done while nothing else runs,
// and when commits follow each other without a pause.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import type { LevelStore } from "@heirloom/store-leveldb";

import { batchOf, block, newDirectory, openStore } from "./support.ts";

async function firstIndexes(store: LevelStore): Promise<number[]> {
  return (await store.loadLogs()).map(({ firstIndex }) => firstIndex);
}

describe("PendingTrims", () => {
  it("are done without another commit", async (t) => {
    const store = await openStore(t, await newDirectory(t));
    await store.commit(
      batchOf((batch) => {
        for (let first = 0; first < 20_000; first += 10) batch.append(block(1, first, first + 9));
        batch.trim(1, 0, 19_990);
      }),
    );
    // Each look takes several turns of the event loop; the test's time limit is the only clock.
    while ((await firstIndexes(store))[0] !== 19_990);
  });

  it("are done between commits that leave no pause, and lose nothing that is not trimmed", async (t) => {
    const store = await openStore(t, await newDirectory(t));
    let next = 0;
    const append = (trimTo: number): Promise<void> => {
      const first = next;
      next += 100_000;
      return store.commit(
        batchOf((batch) => {
          batch.append(block(1, first, first + 99_999));
          batch.trim(1, 0, trimTo);
        }),
      );
    };
    await append(0);
    await append(100_000);
    while ((await store.readLog(1, 0, 1))[0]?.firstIndex === 0) await append(0);
    assert.equal((await store.readLog(1, 0, 1))[0]?.firstIndex, 100_000);
    assert.deepEqual((await store.loadLogs())[0]?.lastBlock.lastIndex, next - 1);
  });
});
