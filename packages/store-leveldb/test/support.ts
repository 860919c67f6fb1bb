// What the tests of the durable store share: directories of their own, batches, and access to the bytes behind the store.

import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import type { TestContext } from "node:test";
import { setTimeout as passed } from "node:timers/promises";

import { StoreBatch } from "@heirloom/core";
import type { Store, StoredBlock, Table } from "@heirloom/core";
import { LevelStore } from "@heirloom/store-leveldb";
import type { LevelStoreOptions } from "@heirloom/store-leveldb";
import { ClassicLevel } from "classic-level";

/** A path for a data directory that does not exist yet. It is removed after the test. */
export async function newDirectory(t: TestContext): Promise<string> {
  const parent = await mkdtemp(join(tmpdir(), "heirloom-store-"));
  // Before the store that is open there is closed: it may write meanwhile.
  t.after(() => rm(parent, { recursive: true, force: true, maxRetries: 20 }));
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

/** For a suite that waits for timers of the store, which by themselves let the process end. */
export function keepAlive(): void {
  let timer: NodeJS.Timeout;
  before(() => {
    timer = setInterval(() => undefined, 60_000);
  });
  after(() => {
    clearInterval(timer);
  });
}

/** Which of these bytes any file of the directory has in it. A file may be gone while it is looked at. */
export async function found(directory: string, canaries: readonly Buffer[]): Promise<number[]> {
  const names = await readdir(directory, { recursive: true });
  const files = await Promise.all(
    names.map((name) => readFile(join(directory, name)).catch(() => Buffer.alloc(0))),
  );
  return [...canaries.keys()].filter((at) => files.some((file) => file.includes(canaries[at] ?? "")));
}

/**
 * Waits until only these canaries are left. The time limit of the test is the only clock.
 * One look alone could miss what is moved from one file to another meanwhile.
 */
export async function untilOnly(
  directory: string,
  canaries: readonly Buffer[],
  left: readonly number[],
): Promise<void> {
  for (let looks = 0; looks < 2; looks++) {
    while ((await found(directory, canaries)).join() !== left.join()) {
      looks = 0;
      await passed(20);
    }
  }
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

/** Makes a store with several tables of LevelDB, and closes it. @returns its retained records, each of which was written once. */
export async function fillTables(
  t: TestContext,
  directory: string,
  prefix = "t/",
): Promise<Map<string, string>> {
  const store = await openStore(t, directory, { purgeAfterMs: Infinity, journalBytes: 65_536 });
  const values = new Map<string, string>();
  for (let round = 0; round < 100; round++) {
    await store.commit(
      batchOf((batch) => {
        for (let at = 0; at < 64; at++) {
          const value = randomBytes(4096);
          batch.put("retained", `${prefix}${round}/${at}`, value);
          values.set(`${prefix}${round}/${at}`, value.toString("latin1"));
        }
      }),
    );
  }
  await store.close();
  return values;
}

/** Writes over so much of the oldest table that the place of a value is hit, and not only the value. */
export async function breakTable(directory: string): Promise<void> {
  const database = join(directory, "leveldb");
  const [name] = (await readdir(database)).filter((each) => each.endsWith(".ldb")).sort();
  const path = join(database, name ?? "");
  const bytes = await readFile(path);
  randomBytes(8192).copy(bytes, bytes.length >> 1);
  await writeFile(path, bytes);
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
