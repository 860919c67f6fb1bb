// The watch over a store: who is told first when it fails for good.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MemoryStore, StoreBatch, StoreError, type StoreErrorCode } from "@heirloom/core";
import { WatchedStore, makeStore } from "../dist/stores.js";

class FailingStore extends MemoryStore {
  readonly #code: StoreErrorCode;

  constructor(code: StoreErrorCode) {
    super();
    this.#code = code;
  }

  override commit(): Promise<void> {
    return Promise.reject(new StoreError(this.#code, "as the test wants it"));
  }
}

describe("WatchedStore", () => {
  it("tells of a failed store before the one who committed learns of it", async () => {
    const order: string[] = [];
    const store = new WatchedStore(new FailingStore("STORE_FAILED"), (error) =>
      order.push(`watch ${error.code}`),
    );
    await store.open();
    await store.commit(new StoreBatch()).catch((error: unknown) => order.push(`commit ${String(error)}`));
    assert.deepEqual(order, ["watch STORE_FAILED", "commit StoreError: as the test wants it"]);
  });

  it("does not tell of a full disk, from which the broker recovers", async () => {
    const store = new WatchedStore(new FailingStore("STORE_FULL"), () => assert.fail("told"));
    await store.open();
    await assert.rejects(store.commit(new StoreBatch()), { code: "STORE_FULL" });
  });

  it("is busy while a commit is under way", async () => {
    const store = new WatchedStore(new MemoryStore(), () => {});
    await store.open();
    assert.equal(store.isBusy, false);
    const batch = new StoreBatch();
    batch.put("broker", "key", new Uint8Array(1));
    const commit = store.commit(batch);
    assert.equal(store.isBusy, true);
    await commit;
    assert.equal(store.isBusy, false);
  });

  it("passes on what the store reads", async () => {
    const inner = await makeStore("memory", "");
    const store = new WatchedStore(inner, () => {});
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
