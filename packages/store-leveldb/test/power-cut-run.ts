// Random batches through a store whose power is cut again and again, and a model that says what has to be there afterwards: every
// commit that was resolved, the one under way wholly or not at all, and nothing else.

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Damage, Store, StoreBatch, StoredBlock, Table } from "@heirloom/core";
import { LevelStore } from "@heirloom/store-leveldb";
import type { LevelStoreOptions } from "@heirloom/store-leveldb";

import { PowerCut, sectorsOf } from "./power-cut.ts";
import type { SeenWrite } from "./power-cut.ts";
import { batchOf, block, recordsOf } from "./support.ts";

const TABLES = ["session", "retained"] as const;
const LOGS = 4;
const KEYS = 40;
const COMMITS_BEFORE_CUT = 60;

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

interface ModelLog {
  readonly blocks: readonly StoredBlock[];
  readonly endIndex: number;
  readonly trimmedTo: number;
}

/** What a store has to hold. Never changed: a commit makes another. */
class Model {
  readonly records: ReadonlyMap<string, Uint8Array>;
  readonly logs: readonly ModelLog[];

  constructor(records: ReadonlyMap<string, Uint8Array>, logs: readonly ModelLog[]) {
    this.records = records;
    this.logs = logs;
  }

  after(batch: StoreBatch): Model {
    const records = new Map(this.records);
    for (const { table, key, value } of batch.records) {
      if (value === undefined) records.delete(`${table} ${key}`);
      else records.set(`${table} ${key}`, value);
    }
    const logs = this.logs.map(({ blocks, endIndex, trimmedTo }, logId) => {
      const added = batch.blocks.filter((each) => each.logId === logId);
      const trims = batch.trims.filter((each) => each.logId === logId).map((trim) => trim.endIndex);
      const trimmed = Math.max(trimmedTo, ...trims);
      return {
        blocks: [...blocks, ...added].filter(({ lastIndex }) => lastIndex >= trimmed),
        endIndex: (added.at(-1)?.lastIndex ?? endIndex - 1) + 1,
        trimmedTo: trimmed,
      };
    });
    return new Model(records, logs);
  }

  /** All of it as text, in the order of a store. */
  describe(): string {
    const records = TABLES.map((table: Table) =>
      [...this.records]
        .filter(([name]) => name.startsWith(`${table} `))
        .map(([name, value]) => [Buffer.from(name.slice(table.length + 1)), value] as const)
        .sort(([one], [other]) => Buffer.compare(one, other))
        .map(([key, value]) => `${key.toString()}=${textOf(value)}`),
    );
    return JSON.stringify([records, this.logs.map(({ blocks }) => blocks.map(describeBlock))]);
  }
}

function textOf(bytes: Uint8Array): string {
  return `${bytes.length}x${bytes[0] ?? ""}`;
}

function describeBlock({ firstIndex, lastIndex, bytes }: StoredBlock): string {
  return `${firstIndex}-${lastIndex} ${textOf(bytes)}`;
}

/** What a store holds, beside what the model has trimmed. */
async function describeStore(store: Store, { logs }: Model): Promise<string> {
  const records: string[][] = [];
  for (const table of TABLES)
    records.push(
      (await recordsOf(store, table)).map(([key, value]) => `${key}=${textOf(Buffer.from(value, "latin1"))}`),
    );
  const extents = new Map((await store.loadLogs()).map((extent) => [extent.logId, extent.lastBlock]));
  const found: string[][] = [];
  for (const [logId, { trimmedTo }] of logs.entries()) {
    const blocks: string[] = [];
    let last = trimmedTo - 1;
    for (;;) {
      const read = await store.readLog(logId, last + 1, 500);
      for (const each of read) {
        assert.ok(!("damaged" in each), "a damaged block that nobody damaged");
        blocks.push(describeBlock(each));
        last = each.lastIndex;
      }
      if (read.length === 0) break;
    }
    if (blocks.length > 0) assert.equal(extents.get(logId)?.lastIndex, last, "the end of a log");
    found.push(blocks);
  }
  return JSON.stringify([records, found]);
}

function randomBatch(random: () => number, { logs }: Model): StoreBatch {
  const below = (end: number) => Math.floor(random() * end);
  // Now and then a commit of many sectors.
  const most = random() < 0.1 ? 6000 : 300;
  return batchOf((batch) => {
    for (let count = below(5); count > 0; count--) {
      const key = `${"\u00e9".repeat(below(2))}key-${below(KEYS)}`;
      const table = TABLES[below(2)] ?? "session";
      if (random() < 0.3) batch.delete(table, key);
      else batch.put(table, key, Buffer.alloc(1 + below(most), below(256)));
    }
    for (const [logId, { endIndex, trimmedTo }] of logs.entries()) {
      let end = endIndex;
      for (let count = below(3); count > 0; count--) {
        const firstIndex = end;
        end += 1 + below(10);
        batch.append(block(logId, firstIndex, end - 1, 1 + below(most)));
      }
      if (random() < 0.15) batch.trim(logId, trimmedTo, trimmedTo + below(end - trimmedTo + 1));
    }
  });
}

/** Which sectors of a write are on disk, in the ways in which a disk may leave it. */
function randomSectors(random: () => number, count: number): (sector: number) => boolean {
  const one = Math.floor(random() * count);
  const kept = Array.from({ length: count }, () => random() < 0.5);
  const ways: readonly ((sector: number) => boolean)[] = [
    () => true,
    () => false,
    (sector) => sector < one,
    (sector) => sector > one,
    (sector) => sector !== one,
    (sector) => sector === 0 || sector === count - 1,
    (sector) => kept[sector] === true,
  ];
  return ways[Math.floor(random() * ways.length)] ?? (() => true);
}

interface Cut {
  readonly directory: string;
  /** The last commit that was resolved, and the one under way. */
  readonly expected: readonly [Model, Model];
}

/** Lets a store run with cuts, from one seed. */
export class PowerCutRun {
  readonly #random: () => number;
  readonly #cutsPerRound: number;
  readonly #options: Partial<LevelStoreOptions>;
  #parent = "";
  #number = 0;
  #model = new Model(
    new Map(),
    Array.from({ length: LOGS }, () => ({ blocks: [], endIndex: 0, trimmedTo: 0 })),
  );
  #next = this.#model;

  constructor(seed: number, cutsPerRound: number, purgeAfterMs = Infinity) {
    this.#random = randomOf(seed);
    this.#cutsPerRound = cutsPerRound;
    this.#options = { journalBytes: 65_536, purgeAfterMs };
  }

  /** Each round begins with what the last cut of the round before left. */
  async run(rounds: number): Promise<void> {
    this.#parent = await mkdtemp(join(tmpdir(), "heirloom-power-"));
    try {
      let directory = this.#newDirectory();
      for (let round = 0; round < rounds; round++) directory = await this.#round(directory);
    } finally {
      await rm(this.#parent, { recursive: true, force: true });
    }
  }

  async #round(directory: string): Promise<string> {
    const cuts: Cut[] = [];
    const odds = this.#cutsPerRound / COMMITS_BEFORE_CUT;
    const power = new PowerCut(directory, (write) => {
      if (this.#random() < odds || cuts.length === 0) cuts.push(this.#cut(power, write));
    });
    const store = new LevelStore({ directory, ...this.#options });
    try {
      await store.open();
      for (let number = 0; number < COMMITS_BEFORE_CUT; number++) {
        const batch = randomBatch(this.#random, this.#model);
        this.#next = this.#model.after(batch);
        await store.commit(batch);
        this.#model = this.#next;
      }
    } finally {
      power.stop();
      await store.close();
    }
    for (const cut of cuts.slice(0, -1)) {
      await this.#check(cut);
      await rm(cut.directory, { recursive: true });
    }
    const last = cuts.at(-1);
    assert.ok(last !== undefined);
    this.#model = this.#next = await this.#check(last);
    await rm(directory, { recursive: true });
    return last.directory;
  }

  #cut(power: PowerCut, write: SeenWrite): Cut {
    const directory = this.#newDirectory();
    const part = [0, 1, this.#random()][Math.floor(this.#random() * 3)] ?? 0;
    power.cut(directory, write, randomSectors(this.#random, sectorsOf(write)), part);
    return { directory, expected: [this.#model, this.#next] };
  }

  /** Opens what a cut left, and finds out which of the two states it has. */
  async #check({ directory, expected: [resolved, underWay] }: Cut): Promise<Model> {
    const store = new LevelStore({ directory, ...this.#options });
    await store.open();
    try {
      assert.deepEqual(store.damage.filter(isDamage), []);
      if ((await describeStore(store, underWay)) === underWay.describe()) return underWay;
      assert.equal(await describeStore(store, resolved), resolved.describe());
      assert.deepEqual(store.damage.filter(isDamage), []);
      return resolved;
    } finally {
      await store.close();
    }
  }

  #newDirectory(): string {
    return join(this.#parent, String(this.#number++));
  }
}

/** A record of which the first and the last sector are there may be a damaged one for all that a start can tell. */
function isDamage({ reason }: Damage): boolean {
  return !reason.startsWith("a record with a wrong checksum, the last one");
}
