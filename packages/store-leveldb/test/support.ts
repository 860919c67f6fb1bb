// What the tests of the durable store share: directories of their own, batches, and access to the bytes behind the store.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";

import { StoreBatch } from "@heirloom/core";
import type { Store, StoredBlock, Table } from "@heirloom/core";
import { LevelStore } from "@heirloom/store-leveldb";
import type { LevelStoreOptions } from "@heirloom/store-leveldb";
import { ClassicLevel } from "classic-level";

/** A path for a data directory that does not exist yet. It is removed after the test. */
export async function newDirectory(t: TestContext): Promise<string> {
  const parent = await mkdtemp(join(tmpdir(), "heirloom-store-"));
  t.after(() => rm(parent, { recursive: true, force: true }));
  return join(parent, "data");
}

/** Opens a store that is closed after the test, if the test did not close it. */
export async function openStore(
  t: TestContext,
  directory: string,
  options: Partial<LevelStoreOptions> = {},
): Promise<LevelStore> {
  const store = new LevelStore({ ...options, directory });
  await store.open();
  t.after(() => store.close());
  return store;
}

export function batchOf(build: (batch: StoreBatch) => void): StoreBatch {
  const batch = new StoreBatch();
  build(batch);
  return batch;
}

export function block(logId: number, firstIndex: number, lastIndex: number, byteCount = 100): StoredBlock {
  return { logId, firstIndex, lastIndex, bytes: new Uint8Array(byteCount).fill(lastIndex % 251) };
}

/** The records of a table, with their values as text. */
export async function recordsOf(store: Store, table: Table): Promise<[string, string][]> {
  const records: [string, string][] = [];
  for await (const group of store.load(table))
    records.push(
      ...group.map(([key, value]): [string, string] => [key, Buffer.from(value).toString("latin1")]),
    );
  return records;
}

export async function keysOf(store: LevelStore, table: Table): Promise<string[]> {
  const keys: string[] = [];
  for await (const group of store.load(table)) keys.push(...group.map(([key]) => key));
  return keys;
}

/** Opens the database behind a closed store, lets the test change it, and closes it again. */
export async function withDatabase(
  directory: string,
  change: (database: ClassicLevel<Buffer, Buffer>) => Promise<void>,
): Promise<void> {
  const encodings = { keyEncoding: "buffer", valueEncoding: "buffer" } as const;
  const database = new ClassicLevel<Buffer, Buffer>(join(directory, "leveldb"), encodings);
  await database.open();
  await change(database);
  await database.close();
}
