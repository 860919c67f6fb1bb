// The durable store passes the kit.

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";

import { MemoryStore } from "@heirloom/core";
import type { Store, StoreBatch } from "@heirloom/core";
import { storeKit } from "@heirloom/core/testing";
import type { StoreMaker } from "@heirloom/core/testing";
import { LevelStore } from "@heirloom/store-leveldb";

import { batchOf, block, newDirectory, openStore, recordsOf } from "./support.ts";

const directories = new WeakMap<Store, string>();

/** With the smallest journal nearly everything goes to the database, and with the usual one nothing until the store is closed. */
const SIZES = [undefined, 65_536];

function makerOf(journalBytes: number | undefined): StoreMaker {
  async function openIn(directory: string): Promise<Store> {
    const store = new LevelStore({ directory, ...(journalBytes === undefined ? {} : { journalBytes }) });
    directories.set(store, directory);
    await store.open();
    return store;
  }
  return {
    async create() {
      return openIn(join(await mkdtemp(join(tmpdir(), "heirloom-store-")), "data"));
    },
    async reopen(store) {
      await store.close();
      return openIn(directories.get(store) ?? "");
    },
    async destroy(store) {
      await store.close();
      await rm(join(directories.get(store) ?? "", ".."), { recursive: true });
    },
  };
}

for (const journalBytes of SIZES) {
  describe(`LevelStore with a journal of ${journalBytes ?? "the usual"} bytes`, () => {
    for (const { name, run } of storeKit()) it(name, () => run(makerOf(journalBytes)));
  });
}

describe("LevelStore", () => {
  for (const seed of [1, 2, 3]) {
    it(`agrees with a store in memory over 400 random batches, while they move from the journal and the bytes that were committed are used again, seed ${seed} - attack STORE-05`, async (t) => {
      const random = randomOf(seed);
      const directory = await newDirectory(t);
      let store = await openStore(t, directory, { journalBytes: 65_536 });
      const model = new MemoryStore();
      await model.open();
      const logs = Array.from({ length: 6 }, () => ({ endIndex: 0, trimmedTo: 0 }));
      for (let round = 0; round < 400; round++) {
        const batch = randomBatch(random, logs);
        const copy = copyOf(batch);
        await Promise.all([store.commit(copy), model.commit(batch)]);
        for (const { value } of copy.records) value?.fill(0xee);
        for (const { bytes } of copy.blocks) bytes.fill(0xee);
        if (round % 40 === 39) {
          if (random() < 0.5) {
            await store.close();
            store = await openStore(t, directory, { journalBytes: 65_536 });
          }
          await compare(store, model, logs);
        }
      }
    });
  }
});

type Logs = { endIndex: number; trimmedTo: number }[];

/** A generator of numbers in [0, 1) from a seed (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), 1 | state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}

function randomBatch(random: () => number, logs: Logs): StoreBatch {
  const below = (end: number) => Math.floor(random() * end);
  return batchOf((batch) => {
    for (let count = below(6); count > 0; count--) {
      const key = `${"é".repeat(below(2))}key-${below(60)}`;
      const table = random() < 0.5 ? "session" : "retained";
      if (random() < 0.3) batch.delete(table, key);
      else batch.put(table, key, Buffer.alloc(below(300), below(256)));
    }
    for (const [logId, log] of logs.entries()) {
      for (let count = below(3); count > 0; count--) {
        const firstIndex = log.endIndex;
        log.endIndex += 1 + below(10);
        batch.append(block(logId, firstIndex, log.endIndex - 1, below(400)));
      }
      if (random() < 0.2) {
        const firstIndex = log.trimmedTo;
        log.trimmedTo += below(log.endIndex - firstIndex + 1);
        batch.trim(logId, firstIndex, log.trimmedTo);
      }
    }
  });
}

function copyOf({ records, blocks, trims }: StoreBatch): StoreBatch {
  return batchOf((copy) => {
    for (const { table, key, value } of records) {
      if (value === undefined) copy.delete(table, key);
      else copy.put(table, key, Uint8Array.from(value));
    }
    for (const each of blocks) copy.append({ ...each, bytes: Uint8Array.from(each.bytes) });
    for (const { logId, firstIndex, endIndex } of trims) copy.trim(logId, firstIndex, endIndex);
  });
}

async function compare(store: Store, model: Store, logs: Logs): Promise<void> {
  for (const table of ["session", "retained"] as const)
    assert.deepEqual(await recordsOf(store, table), await recordsOf(model, table));
  for (const [logId, { trimmedTo, endIndex }] of logs.entries()) {
    for (let next = trimmedTo; next < endIndex;) {
      const [block] = await store.readLog(logId, next, 1);
      assert.deepEqual(block, (await model.readLog(logId, next, 1))[0]);
      if (block === undefined) break;
      next = block.lastIndex + 1;
    }
  }
  const ends = async (each: Store) =>
    (await each.loadLogs())
      .filter(({ logId, lastBlock }) => lastBlock.lastIndex >= (logs[logId]?.trimmedTo ?? 0))
      .map(({ lastBlock }) => lastBlock);
  assert.deepEqual(await ends(store), await ends(model));
  assert.deepEqual(store.damage, []);
}
