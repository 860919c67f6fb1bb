// The acceptance tests of the store port. Every store runs all of them, under whatever test runner it uses:
// the kit only throws when a store breaks a sentence of the port.

import type { DamagedBlock, Store, StoredBlock, Table } from "../ports/store.ts";
import { StoreBatch, TABLES } from "../ports/store.ts";

/** How the kit gets at the store under test. */
export interface StoreMaker {
  /** A new, empty store that is open. */
  create(): Promise<Store>;
  /** Closes a store and opens it again: the same object or another one on the same data. */
  reopen(store: Store): Promise<Store>;
  /** Closes a store and removes what it stored. */
  destroy(store: Store): Promise<void>;
}

export interface StoreCase {
  /** What a store does, as a sentence. */
  readonly name: string;
  run(maker: StoreMaker): Promise<void>;
}

/** A store of one case, and how to open it again. */
interface Subject {
  store: Store;
  reopen(): Promise<void>;
}

/** All cases, in an order in which the first that fails explains most. */
export function storeKit(): readonly StoreCase[] {
  return cases.map(({ name, run }) => ({ name, run: (maker) => runCase(maker, run) }));
}

async function runCase(maker: StoreMaker, run: (subject: Subject) => Promise<void>): Promise<void> {
  const subject: Subject = {
    store: await maker.create(),
    async reopen() {
      subject.store = await maker.reopen(subject.store);
    },
  };
  try {
    await run(subject);
    equal(subject.store.damage.length, 0, "damage found in a store that nobody damaged");
  } finally {
    await maker.destroy(subject.store);
  }
}

const cases: readonly { readonly name: string; run(subject: Subject): Promise<void> }[] = [
  {
    name: "is empty when it is new, and stays so when it is opened again",
    async run(subject) {
      for (let round = 0; round < 2; round++) {
        for (const table of TABLES) deepEqual(await records(subject.store, table), []);
        deepEqual(await subject.store.loadLogs(), []);
        deepEqual(await subject.store.readLog(1, 0, 1000), []);
        await subject.reopen();
      }
    },
  },
  {
    name: "commits an empty batch",
    async run({ store }) {
      await store.commit(new StoreBatch());
      deepEqual(await store.loadLogs(), []);
    },
  },
  {
    name: "keeps records of every table apart, also after it was opened again",
    async run(subject) {
      const batch = new StoreBatch();
      for (const table of TABLES) batch.put(table, "key", bytes(`of ${table}`));
      await subject.store.commit(batch);
      for (let round = 0; round < 2; round++) {
        for (const table of TABLES) deepEqual(await records(subject.store, table), [["key", `of ${table}`]]);
        await subject.reopen();
      }
    },
  },
  {
    name: "replaces a record that has the key, and deletes it",
    async run(subject) {
      await commit(subject.store, (batch) => batch.put("session", "a", bytes("1")));
      await commit(subject.store, (batch) => batch.put("session", "a", bytes("2")));
      deepEqual(await records(subject.store, "session"), [["a", "2"]]);
      await commit(subject.store, (batch) => batch.delete("session", "a"));
      await subject.reopen();
      deepEqual(await records(subject.store, "session"), []);
    },
  },
  {
    name: "does nothing when a record is deleted that is not there",
    async run({ store }) {
      await commit(store, (batch) => {
        batch.put("subscription", "a", bytes("1"));
        batch.delete("subscription", "b");
        batch.delete("session", "a");
      });
      deepEqual(await records(store, "subscription"), [["a", "1"]]);
    },
  },
  {
    name: "lets operations on one record take effect in the order in which they were added",
    async run(subject) {
      await commit(subject.store, (batch) => {
        batch.put("group", "stays", bytes("1"));
        batch.delete("group", "stays");
        batch.put("group", "stays", bytes("2"));
        batch.put("group", "goes", bytes("3"));
        batch.delete("group", "goes");
      });
      await subject.reopen();
      deepEqual(await records(subject.store, "group"), [["stays", "2"]]);
    },
  },
  {
    name: "shows each commit when its promise is resolved, over many commits",
    async run(subject) {
      for (let round = 0; round < 100; round++) {
        await commit(subject.store, (batch) => {
          batch.put("broker", "round", bytes(String(round)));
          batch.append(block(1, round, round));
        });
        if (round % 25 === 0) deepEqual(await records(subject.store, "broker"), [["round", String(round)]]);
      }
      await subject.reopen();
      deepEqual(await records(subject.store, "broker"), [["round", "99"]]);
      deepEqual(
        extents(await readAll(subject.store, 1)),
        range(0, 99).map((index) => [index, index]),
      );
    },
  },
  {
    name: "gives the same result when a batch is committed a second time",
    async run(subject) {
      const batch = new StoreBatch();
      batch.put("session", "a", bytes("1"));
      batch.delete("session", "b");
      batch.append(block(5, 0, 9));
      batch.append(block(5, 10, 19));
      await subject.store.commit(batch);
      await subject.store.commit(batch);
      await subject.reopen();
      deepEqual(await records(subject.store, "session"), [["a", "1"]]);
      deepEqual(extents(await readAll(subject.store, 5)), [
        [0, 9],
        [10, 19],
      ]);
    },
  },
  {
    name: "keeps keys that are empty, long, or not ASCII",
    async run(subject) {
      const keys = [
        "",
        "a/b/+/#",
        "\u0001\u007f",
        "grüße/東京/🚲",
        "\ufeffbom",
        "x".repeat(65_535),
        "é".repeat(32_767),
      ];
      await commit(subject.store, (batch) => {
        for (const key of keys) batch.put("retained", key, bytes(`${key.length}`));
      });
      await subject.reopen();
      const found = await records(subject.store, "retained");
      deepEqual(
        found,
        keys.toSorted(byUtf8).map((key) => [key, `${key.length}`]),
      );
    },
  },
  {
    name: "loads records in the order of their keys' UTF-8 bytes",
    async run({ store }) {
      const sorted = [
        "",
        "A",
        "Z",
        "a",
        "a/b",
        "aa",
        "b",
        "\u007f",
        "\u0080",
        "é",
        "\ud7ff",
        "\ue000",
        "\uffff",
        "\u{10000}",
      ];
      await commit(store, (batch) => {
        for (const key of sorted.toReversed()) batch.put("session", key, bytes(""));
      });
      deepEqual(
        (await records(store, "session")).map(([key]) => key),
        sorted,
      );
    },
  },
  {
    name: "loads ten thousand records, each once, in groups",
    async run({ store }) {
      const keys = range(0, 9_999).map((number) => `client-${String(number).padStart(6, "0")}`);
      await commit(store, (batch) => {
        for (const key of keys) batch.put("session", key, bytes(key));
      });
      let groupCount = 0;
      const found: string[] = [];
      for await (const group of store.load("session")) {
        groupCount++;
        for (const [key, value] of group) {
          equal(text(value), key, "the value of a key");
          found.push(key);
        }
      }
      deepEqual(found, keys);
      equal(groupCount > 1 && groupCount < 1000, true, `groups: ${groupCount}`);
    },
  },
  {
    name: "keeps values that are empty, and of a megabyte",
    async run(subject) {
      const large = pattern(1_048_576, 7);
      await commit(subject.store, (batch) => {
        batch.put("retained", "empty", new Uint8Array(0));
        batch.put("retained", "large", large.slice());
        batch.append({ logId: 3, firstIndex: 0, lastIndex: 0, bytes: new Uint8Array(0) });
        batch.append({ logId: 3, firstIndex: 1, lastIndex: 500, bytes: large.slice() });
      });
      await subject.reopen();
      const values = new Map<string, Uint8Array>();
      for await (const group of subject.store.load("retained"))
        for (const [key, value] of group) values.set(key, value);
      equal(values.get("empty")?.length, 0, "bytes of the empty value");
      sameBytes(values.get("large"), large);
      const [empty, full] = await readAll(subject.store, 3);
      equal(empty?.bytes.length, 0, "bytes of the empty block");
      sameBytes(full?.bytes, large);
    },
  },
  {
    name: "gives away what it returns: a reader may change the bytes",
    async run({ store }) {
      await commit(store, (batch) => {
        batch.put("session", "a", bytes("1"));
        batch.append(block(1, 0, 4));
      });
      for await (const group of store.load("session")) group[0]?.[1].fill(0xff);
      (await readAll(store, 1))[0]?.bytes.fill(0xff);
      const [extent] = await store.loadLogs();
      if (extent !== undefined && "bytes" in extent.lastBlock) extent.lastBlock.bytes.fill(0xff);
      deepEqual(await records(store, "session"), [["a", "1"]]);
      sameBytes((await readAll(store, 1))[0]?.bytes, block(1, 0, 4).bytes);
    },
  },
  {
    name: "returns the blocks of a log in order, with their indexes and bytes",
    async run(subject) {
      const blocks = [block(7, 1, 10), block(7, 11, 11), block(7, 12, 300), block(7, 301, 2 ** 40)];
      await commit(subject.store, (batch) => {
        for (const each of blocks) batch.append(each);
      });
      await subject.reopen();
      deepEqual(await readAll(subject.store, 7), blocks);
    },
  },
  {
    name: "keeps logs apart, up to the greatest id and the greatest index",
    async run({ store }) {
      const logIds = [0, 1, 255, 256, 65_536, 2 ** 31, 2 ** 32 - 1];
      const last = 2 ** 48 - 2;
      await commit(store, (batch) => {
        for (const logId of logIds) {
          batch.append(block(logId, 0, 99));
          batch.append(block(logId, 100, last));
        }
      });
      for (const logId of logIds)
        deepEqual(await readAll(store, logId), [block(logId, 0, 99), block(logId, 100, last)]);
      deepEqual(await store.readLog(2, 0, 1000), []);
      deepEqual(
        (await store.loadLogs()).map(({ logId }) => logId),
        logIds,
      );
    },
  },
  {
    name: "begins to read with the block that holds the index",
    async run({ store }) {
      await appendTens(store, 1, 0, 10);
      for (const [fromIndex, first] of [
        [0, 0],
        [9, 0],
        [10, 10],
        [55, 50],
        [99, 90],
      ] as const) {
        equal(
          (await store.readLog(1, fromIndex, 1_000_000))[0]?.firstIndex,
          first,
          `first block from ${fromIndex}`,
        );
      }
      deepEqual(await store.readLog(1, 100, 1_000_000), []);
    },
  },
  {
    name: "reads at least one block, and stops near the bytes that were asked for",
    async run({ store }) {
      await appendTens(store, 1, 0, 20);
      const blockBytes = block(1, 0, 9).bytes.length;
      equal((await store.readLog(1, 0, 1)).length, 1, "blocks for one byte");
      const some = (await store.readLog(1, 30, blockBytes * 5)).length;
      equal(some >= 4 && some <= 7, true, `blocks for the bytes of five: ${some}`);
      equal((await store.readLog(1, 0, 1_000_000)).length, 20, "blocks for more bytes than there are");
    },
  },
  {
    name: "tells where each log begins and ends, also when there are many and when they are long",
    async run(subject) {
      await commit(subject.store, (batch) => {
        for (const logId of range(1, 500)) batch.append(block(logId, logId, logId + 3));
        for (const logId of [250, 500]) {
          for (const at of range(0, 599)) batch.append(block(logId, logId + 4 + at * 2, logId + 5 + at * 2));
        }
      });
      await subject.reopen();
      const found = await subject.store.loadLogs();
      equal(found.length, 500, "logs");
      for (const [at, { logId, firstIndex, lastBlock }] of found.entries()) {
        equal(logId, at + 1, "log");
        equal(firstIndex, logId, `first index of log ${logId}`);
        const isLong = logId === 250 || logId === 500;
        deepEqual(
          lastBlock,
          isLong ? block(logId, logId + 1202, logId + 1203) : block(logId, logId, logId + 3),
        );
      }
    },
  },
  {
    name: "gives back the blocks that lie wholly in a trimmed range, and no other",
    async run(subject) {
      for (const logId of [1, 2, 3]) await appendTens(subject.store, logId, 0, 20);
      await commit(subject.store, (batch) => batch.trim(2, 0, 95));
      deepEqual((await readAll(subject.store, 2, 90))[0], block(2, 90, 99));
      await subject.reopen();
      deepEqual((await readAll(subject.store, 2))[0], block(2, 90, 99));
      deepEqual((await readAll(subject.store, 1)).length, 20);
      deepEqual((await readAll(subject.store, 3)).length, 20);
      deepEqual(
        (await subject.store.loadLogs()).map(({ firstIndex }) => firstIndex),
        [0, 90, 0],
      );
    },
  },
  {
    name: "trims step by step, in small and large ranges, while the log grows",
    async run(subject) {
      let trimmed = 0;
      for (const [round, width] of [1, 9, 10, 11, 30, 200, 3, 5000, 0, 40].entries()) {
        await appendTens(subject.store, 1, round * 600, 60);
        const firstIndex = trimmed;
        trimmed = Math.min(trimmed + width, (round + 1) * 600);
        await commit(subject.store, (batch) => batch.trim(1, firstIndex, trimmed));
        const [first] = await subject.store.readLog(1, trimmed, 1);
        if (trimmed < (round + 1) * 600)
          equal(first?.firstIndex, trimmed - (trimmed % 10), "first block that is left");
      }
      await subject.reopen();
      const left = await readAll(subject.store, 1);
      equal(left[0]?.firstIndex, trimmed - (trimmed % 10), "first block after all trims");
      equal(left.at(-1)?.lastIndex, 5999, "last block after all trims");
    },
  },
  {
    name: "drops a log that is trimmed to its end, and takes it up again behind that",
    async run(subject) {
      await appendTens(subject.store, 1, 0, 50);
      await appendTens(subject.store, 2, 0, 2);
      await commit(subject.store, (batch) => {
        batch.trim(1, 0, 500);
        batch.trim(2, 0, 20);
      });
      await subject.reopen();
      deepEqual(await subject.store.loadLogs(), []);
      await appendTens(subject.store, 1, 500, 1);
      await subject.reopen();
      deepEqual(await readAll(subject.store, 1), [block(1, 500, 509)]);
    },
  },
  {
    name: "trims in the commit that appends, and after ranges that were never stored",
    async run(subject) {
      await commit(subject.store, (batch) => {
        for (const first of range(0, 9)) batch.append(block(1, first, first));
        batch.trim(1, 0, 5);
        batch.trim(9, 0, 100_000);
        batch.trim(9, 7, 7);
      });
      await subject.reopen();
      deepEqual(
        extents(await readAll(subject.store, 1)),
        range(5, 9).map((index) => [index, index]),
      );
    },
  },
  {
    name: "reads while commits run",
    async run({ store }) {
      await appendTens(store, 1, 0, 100);
      const reads: Promise<readonly (StoredBlock | DamagedBlock)[]>[] = [];
      for (const round of range(0, 19)) {
        const committing = appendTens(store, 1, 1000 + round * 10, 1);
        reads.push(store.readLog(1, round * 50, 1));
        await committing;
      }
      deepEqual(
        (await Promise.all(reads)).map((blocks) => blocks[0]?.firstIndex),
        range(0, 19).map((round) => round * 50),
      );
    },
  },
  {
    name: "waits with close for the commit that runs",
    async run(subject) {
      const batch = new StoreBatch();
      batch.put("session", "a", bytes("1"));
      const committing = subject.store.commit(batch);
      await subject.reopen();
      await committing;
      deepEqual(await records(subject.store, "session"), [["a", "1"]]);
    },
  },
];

async function commit(store: Store, build: (batch: StoreBatch) => void): Promise<void> {
  const batch = new StoreBatch();
  build(batch);
  await store.commit(batch);
}

/** Appends `count` blocks of ten entries each, the first of them at `firstIndex`. */
async function appendTens(store: Store, logId: number, firstIndex: number, count: number): Promise<void> {
  await commit(store, (batch) => {
    for (let at = 0; at < count; at++)
      batch.append(block(logId, firstIndex + at * 10, firstIndex + at * 10 + 9));
  });
}

/** A block whose bytes follow from its place, so that a mix-up shows. */
function block(logId: number, firstIndex: number, lastIndex: number): StoredBlock {
  return {
    logId,
    firstIndex,
    lastIndex,
    bytes: pattern(100, (logId * 31 + firstIndex * 7 + lastIndex) % 251),
  };
}

async function readAll(store: Store, logId: number, fromIndex = 0): Promise<StoredBlock[]> {
  const found: StoredBlock[] = [];
  for (let next = fromIndex; ;) {
    const blocks = await store.readLog(logId, next, 4096);
    for (const each of blocks) {
      if ("damaged" in each) throw new Error(`log ${logId}: block ${each.firstIndex} is damaged`);
      found.push(plain(each));
      next = each.lastIndex + 1;
    }
    if (blocks.length === 0) return found;
  }
}

function extents(blocks: readonly StoredBlock[]): [number, number][] {
  return blocks.map(({ firstIndex, lastIndex }) => [firstIndex, lastIndex]);
}

/** All records of a table, with their values as text. */
async function records(store: Store, table: Table): Promise<[string, string][]> {
  const found: [string, string][] = [];
  for await (const group of store.load(table))
    for (const [key, value] of group) found.push([key, text(value)]);
  return found;
}

/** One byte per character: enough for the values of the kit. */
function bytes(characters: string): Uint8Array {
  return Uint8Array.from(characters, (character) => character.charCodeAt(0));
}

function text(value: Uint8Array): string {
  return String.fromCharCode(...value);
}

function pattern(byteCount: number, seed: number): Uint8Array {
  return Uint8Array.from({ length: byteCount }, (_, at) => (at * 7 + (at >> 8) + seed) & 0xff);
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, at) => first + at);
}

/** Compares by code points, which is the order of UTF-8. */
function byUtf8(a: string, b: string): number {
  const left = Array.from(a, (character) => character.codePointAt(0) ?? 0);
  const right = Array.from(b, (character) => character.codePointAt(0) ?? 0);
  const at = left.findIndex((codePoint, index) => codePoint !== right[index]);
  return at === -1 ? left.length - right.length : (left[at] ?? 0) - (right[at] ?? -1);
}

/** A copy with the fields of the port only, in one order, and with plain bytes. */
function plain({ logId, firstIndex, lastIndex, bytes: stored }: StoredBlock): StoredBlock {
  return { logId, firstIndex, lastIndex, bytes: Uint8Array.from(stored) };
}

function equal(seen: unknown, expected: unknown, what: string): void {
  if (!Object.is(seen, expected))
    throw new Error(`${what}: ${String(seen)} seen, ${String(expected)} expected`);
}

function deepEqual(seen: unknown, expected: unknown): void {
  if (!isSame(seen, expected)) throw new Error(`${show(seen)} seen, ${show(expected)} expected`);
}

function isSame(seen: unknown, expected: unknown): boolean {
  if (typeof seen !== "object" || typeof expected !== "object" || seen === null || expected === null) {
    return Object.is(seen, expected);
  }
  const fields = new Map<string, unknown>(Object.entries(seen));
  const expectedFields = Object.entries(expected);
  return (
    fields.size === expectedFields.length &&
    expectedFields.every(([name, value]) => isSame(fields.get(name), value))
  );
}

function show(value: unknown): string {
  const shown = value === undefined ? "undefined" : JSON.stringify(value);
  return shown.length > 1000 ? `${shown.slice(0, 1000)}...` : shown;
}

function sameBytes(seen: Uint8Array | undefined, expected: Uint8Array): void {
  equal(seen?.length, expected.length, "length");
  equal(
    seen?.every((byte, at) => byte === expected[at]),
    true,
    "same bytes",
  );
}
