// The store of the test broker: passes everything on, and knows whether it is at work.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MemoryStore, StoreBatch, StoreError } from "@heirloom/core";
import { BusyStore } from "../dist/testing/busy-store.js";

describe("BusyStore", () => {
  it("is busy while a commit is under way, and not after one that failed", async () => {
    class FailingStore extends MemoryStore {
      override commit(): Promise<void> {
        return Promise.reject(new StoreError("STORE_FULL", "as the test wants it"));
      }
    }
    for (const inner of [new MemoryStore(), new FailingStore()]) {
      const store = new BusyStore(inner);
      await store.open();
      assert.equal(store.isBusy, false);
      const batch = new StoreBatch();
      batch.put("broker", "key", new Uint8Array(1));
      const commit = store.commit(batch);
      assert.equal(store.isBusy, true);
      await commit.catch(() => {});
      assert.equal(store.isBusy, false);
    }
  });

  it("passes on what the store reads", async () => {
    const store = new BusyStore(new MemoryStore());
    await store.open();
    const batch = new StoreBatch();
    batch.put("session", "one", Uint8Array.of(1));
    batch.append({ logId: 1, firstIndex: 1, lastIndex: 2, bytes: Uint8Array.of(7) });
    await store.commit(batch);
    const records = [];
    for await (const group of store.load("session")) records.push(...group);
    assert.deepEqual(records, [["one", Uint8Array.of(1)]]);
    assert.equal((await store.loadLogs()).length, 1);
    assert.equal((await store.readLog(1, 1, 100)).length, 1);
    assert.deepEqual(store.damage, []);
    await store.close();
  });
});
