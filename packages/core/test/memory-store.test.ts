// The store in memory passes the kit, and lets a test decide over commits.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { MemoryStore, StoreBatch, StoreError } from "@heirloom/core";
import { storeKit } from "@heirloom/core/testing";
import type { StoreMaker } from "@heirloom/core/testing";

const maker: StoreMaker = {
  async create() {
    const store = new MemoryStore();
    await store.open();
    return store;
  },
  async reopen(store) {
    await store.close();
    await store.open();
    return store;
  },
  async destroy(store) {
    await store.close();
  },
};

function batchOf(key: string): StoreBatch {
  const batch = new StoreBatch();
  batch.put("session", key, Uint8Array.of(1));
  batch.append({ logId: 1, firstIndex: 0, lastIndex: 0, bytes: Uint8Array.of(2) });
  return batch;
}

async function keysOf(store: MemoryStore): Promise<string[]> {
  const keys: string[] = [];
  for await (const group of store.load("session")) keys.push(...group.map(([key]) => key));
  return keys;
}

describe("MemoryStore", () => {
  for (const { name, run } of storeKit()) it(name, () => run(maker));

  it("stores nothing of a commit that the test lets fail, and all of it when it is committed again", async () => {
    let isFull = true;
    const store = new MemoryStore({
      beforeCommit() {
        if (isFull) throw new StoreError("STORE_FULL", "no space, by order of the test");
        return undefined;
      },
    });
    const batch = batchOf("a");
    await assert.rejects(store.commit(batch), { name: "StoreError", code: "STORE_FULL" });
    assert.deepEqual(await keysOf(store), []);
    assert.deepEqual(await store.loadLogs(), []);
    isFull = false;
    await store.commit(batch);
    assert.deepEqual(await keysOf(store), ["a"]);
  });

  it("shows nothing of a commit before the test lets it go on", async () => {
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const store = new MemoryStore({ beforeCommit: () => held });
    const committing = store.commit(batchOf("a"));
    assert.deepEqual(await keysOf(store), []);
    release();
    await committing;
    assert.deepEqual(await keysOf(store), ["a"]);
  });
});
