// The disk: what survives the process. A crash keeps what was committed, and of the batch that was under way all or
// nothing. It can be slow, full or broken, and it checks that the core keeps its side of the store port's contract.

import {
  type Damage,
  type DamagedBlock,
  type LogExtent,
  type Store,
  type StoreBatch,
  StoreError,
  type StoredBlock,
  type Table,
  TABLES,
} from "@heirloom/core";
import type { Life } from "./life.ts";
import type { Random } from "./random.ts";
import type { Schedule } from "./schedule.ts";
import type { Trace } from "./trace.ts";

/** Records that a load gives at once. */
const GROUP_SIZE = 7;
/** A read takes so many times as long as a commit on a slow disk, so that it spans much of what happens; and not longer than this. */
const SLOW_READ_TIMES = 40;
const SLOWEST_READ_MS = 3_000;

/** What others are told of the disk. */
export interface DiskListener {
  /** The core breaks the contract of the port. */
  broken(text: string): void;
  /**
   * Messages with these numbers stood in a block that was damaged; other logs may have them too. 0 stands for one with
   * an empty payload, which carries no number.
   */
  damaged(ids: readonly number[]): void;
}

export class Disk {
  isFull = false;
  /** Milliseconds that each commit takes at least. */
  slowMs = 0;
  /** Whether the next commit fails for good. */
  isBroken = false;
  /** Whether the next crash damages a block. */
  isToBeDamaged = false;
  /** Whether a crash brings the broker's packet identifiers near the last one. */
  isNearLastPacketId = false;
  /** When the commit began that is on disk last: whatever was decided before then is safe. */
  durableSinceMs: number = -Infinity;
  /** When the disk was last unable to take a batch at once. */
  stalledMs: number = -Infinity;
  commits = 0;
  readonly schedule: Schedule;
  readonly random: Random;
  readonly trace: Trace;
  readonly #listener: DiskListener;
  readonly #damaged = new Set<StoredBlock>();
  readonly #tables = new Map<Table, Map<string, Uint8Array>>(TABLES.map((table) => [table, new Map()]));
  readonly #logs = new Map<number, StoredBlock[]>();
  /** Blocks that were trimmed; after a crash they may be there again. */
  readonly #trimmed = new Map<number, StoredBlock[]>();
  /** Index up to which a log was trimmed in this life of the process. */
  readonly #trimmedTo = new Map<number, number>();
  /**
   * Batches that were handed over and are not acknowledged, in order: under way, or refused for want of space. After a crash
   * the first of them are there, any number, each wholly or not at all: a batch is one record of the store's write-ahead log, under
   * one checksum, and a record whose end is torn is dropped at the next start. The core commits one batch at a time.
   */
  #uncertain: StoreBatch[] = [];

  constructor(schedule: Schedule, random: Random, trace: Trace, listener: DiskListener) {
    this.schedule = schedule;
    this.random = random;
    this.trace = trace;
    this.#listener = listener;
  }

  /** Records of a table, for the final look at what is left. */
  keys(table: Table): string[] {
    return [...this.#table(table).keys()];
  }

  /** Numbers of the logs that have blocks. */
  get logIds(): number[] {
    return [...this.#logs.keys()];
  }

  /** The process died: what was under way is there or not, and trimmed blocks may be back. */
  crash(): void {
    const uncertain = this.#uncertain;
    this.#uncertain = [];
    if (uncertain.length > 0) {
      const kept = uncertain.slice(0, this.random.below(uncertain.length + 1));
      this.trace.say("disk", `of ${uncertain.length} batches under way ${kept.length} are on disk`);
      for (const batch of kept) this.apply(batch);
    }
    for (const [logId, blocks] of this.#trimmed) if (this.random.chance(0.3)) this.#bringBack(logId, blocks);
    this.#trimmed.clear();
    this.#trimmedTo.clear();
    if (this.isToBeDamaged) this.#damage();
    if (this.isNearLastPacketId) this.#moveLastPacketIds();
  }

  /** A bit of a stored block flips. The store finds that by its checksum, and gives out none of it. */
  #damage(): void {
    const blocks = [...this.#logs.values()].flat().filter((block) => !this.#damaged.has(block));
    if (blocks.length === 0) return;
    this.isToBeDamaged = false;
    const block = this.random.pick(blocks);
    this.#damaged.add(block);
    this.trace.say("disk", `damaged: log ${block.logId} [${block.firstIndex}..${block.lastIndex}]`);
    // Payloads say which message they are: "m12 ".
    const text = new TextDecoder("latin1").decode(block.bytes);
    const ids = [...text.matchAll(/m(\d+) /g)].map(([, id]) => Number(id));
    if (ids.length <= block.lastIndex - block.firstIndex) ids.push(0);
    this.#listener.damaged(ids);
  }

  /** The block as the store gives it out. */
  #given(block: StoredBlock): StoredBlock | DamagedBlock {
    const { logId, firstIndex, lastIndex } = block;
    return this.#damaged.has(block) ? { logId, firstIndex, lastIndex, damaged: true } : block;
  }

  /** As if each session had been sent tens of thousands of messages more: `u8 format | u16 last packet identifier | ...`. */
  #moveLastPacketIds(): void {
    const records = this.#table("delivery");
    for (const [key, value] of records) {
      const moved = value.slice();
      moved.set([0xff, 0xfc], 1);
      records.set(key, moved);
    }
  }

  /** Trimmed blocks that still fit in front of what is there: space is given back block by block, so some may be gone. */
  #bringBack(logId: number, trimmed: readonly StoredBlock[]): void {
    const blocks = this.#logs.get(logId) ?? [];
    const gone = this.random.below(trimmed.length + 1);
    for (let place = trimmed.length - 1; place >= gone; place--) {
      const block = trimmed[place];
      const first = blocks[0];
      if (block === undefined || (first !== undefined && block.lastIndex + 1 !== first.firstIndex)) break;
      blocks.unshift(block);
    }
    if (blocks.length > 0) this.#logs.set(logId, blocks);
  }

  /** What one read takes. */
  get readMs(): number {
    return this.random.below(16) / 8 + Math.min(SLOWEST_READ_MS, this.slowMs * SLOW_READ_TIMES);
  }

  /** Bytes of blocks that were handed over and are not on disk. */
  get uncertainBytes(): number {
    let bytes = 0;
    for (const { blocks } of this.#uncertain) for (const block of blocks) bytes += block.bytes.length;
    return bytes;
  }

  begin(batch: StoreBatch): void {
    if (this.#uncertain.includes(batch)) return;
    if (this.#uncertain.length > 0) this.#listener.broken("committed another batch than the refused one");
    this.#uncertain.push(batch);
  }

  /** The batch is on disk. */
  finish(batch: StoreBatch, startedMs: number): void {
    this.#uncertain.shift();
    this.commits++;
    this.durableSinceMs = startedMs;
    this.apply(batch);
  }

  /** Everything of a batch takes effect. */
  apply(batch: StoreBatch): void {
    for (const { table, key, value } of batch.records) {
      if (value === undefined) this.#table(table).delete(key);
      else this.#table(table).set(key, value);
    }
    for (const block of batch.blocks) this.#append(block);
    for (const { logId, endIndex } of batch.trims) this.#trim(logId, endIndex);
  }

  #append(block: StoredBlock): void {
    const { logId, firstIndex } = block;
    const blocks = this.#logs.get(logId);
    const last = blocks?.at(-1);
    if (last !== undefined && last.lastIndex + 1 !== firstIndex) {
      this.#listener.broken(`log ${logId}: appended ${firstIndex} behind ${last.lastIndex}`);
    }
    if (firstIndex < (this.#trimmedTo.get(logId) ?? 0)) {
      this.#listener.broken(`log ${logId}: appended ${firstIndex}, which was trimmed`);
    }
    if (blocks === undefined) this.#logs.set(logId, [block]);
    else blocks.push(block);
  }

  #trim(logId: number, endIndex: number): void {
    this.#trimmedTo.set(logId, Math.max(endIndex, this.#trimmedTo.get(logId) ?? 0));
    const blocks = this.#logs.get(logId);
    if (blocks === undefined) return;
    const kept = blocks.filter((block) => block.lastIndex >= endIndex);
    const gone = blocks.length - kept.length;
    if (gone === 0) return;
    this.#trimmed.set(logId, [...(this.#trimmed.get(logId) ?? []), ...blocks.slice(0, gone)]);
    if (kept.length === 0) this.#logs.delete(logId);
    else this.#logs.set(logId, kept);
  }

  records(table: Table): (readonly [string, Uint8Array])[] {
    return [...this.#table(table)].sort(([a], [b]) => (a < b ? -1 : 1));
  }

  blocks(logId: number): readonly (StoredBlock | DamagedBlock)[] {
    return (this.#logs.get(logId) ?? []).map((block) => this.#given(block));
  }

  #table(table: Table): Map<string, Uint8Array> {
    const records = this.#tables.get(table);
    if (records === undefined) throw new RangeError(`no table ${table}`);
    return records;
  }
}

/** The disk as one life of the process sees it. */
export class SimStore implements Store {
  readonly damage: readonly Damage[] = [];
  readonly #disk: Disk;
  readonly #life: Life;
  #isCommitting = false;

  constructor(disk: Disk, life: Life) {
    this.#disk = disk;
    this.#life = life;
  }

  async open(): Promise<void> {}

  async close(): Promise<void> {}

  commit(batch: StoreBatch): Promise<void> {
    const disk = this.#disk;
    if (this.#isCommitting) throw new Error("a second commit while one runs");
    return new Promise((resolve, reject) => {
      if (!this.#life.effect()) return;
      this.#isCommitting = true;
      disk.begin(batch);
      const startedMs = disk.schedule.nowMs;
      const delayMs = disk.slowMs + disk.random.between(1, 24) / 16;
      if (disk.slowMs > 0 || disk.isFull) disk.stalledMs = startedMs + delayMs;
      disk.schedule.after(delayMs, () => {
        if (!this.#life.effect()) return;
        this.#isCommitting = false;
        const error = this.#finish(batch, startedMs);
        // Between these two the process may die: the batch is on disk, and nobody knows.
        if (!this.#life.effect()) return;
        if (error === undefined) resolve();
        else reject(error);
      });
    });
  }

  #finish(batch: StoreBatch, startedMs: number): StoreError | undefined {
    const disk = this.#disk;
    if (disk.isBroken) {
      disk.isBroken = false;
      disk.trace.say("disk", "a sync fails");
      return new StoreError("STORE_FAILED", "simulated: the sync failed");
    }
    if (disk.isFull) {
      disk.stalledMs = disk.schedule.nowMs + 1_000;
      disk.trace.say("disk", "no space");
      return new StoreError("STORE_FULL", "simulated: no space");
    }
    disk.finish(batch, startedMs);
    const { records, blocks, trims } = batch;
    disk.trace.number(records.length * 4096 + blocks.length * 64 + trims.length);
    if (disk.trace.isKept) disk.trace.say("disk", `commit ${disk.commits}: ${batchText(batch)}`);
    return undefined;
  }

  async *load(table: Table): AsyncGenerator<readonly (readonly [key: string, value: Uint8Array])[]> {
    const records = this.#disk.records(table);
    for (let start = 0; start < records.length; start += GROUP_SIZE)
      yield records.slice(start, start + GROUP_SIZE);
  }

  async loadLogs(): Promise<readonly LogExtent[]> {
    const extents: LogExtent[] = [];
    for (const logId of this.#disk.logIds) {
      const blocks = this.#disk.blocks(logId);
      const first = blocks[0];
      const last = blocks.at(-1);
      if (first !== undefined && last !== undefined)
        extents.push({ logId, firstIndex: first.firstIndex, lastBlock: last });
    }
    return extents;
  }

  readLog(
    logId: number,
    fromIndex: number,
    maximumBytes: number,
  ): Promise<readonly (StoredBlock | DamagedBlock)[]> {
    const disk = this.#disk;
    return new Promise((resolve) => {
      // What is read is what is there now, however long it takes to come: much may have changed by then.
      const blocks = readBlocks(disk.blocks(logId), fromIndex, maximumBytes);
      disk.schedule.after(disk.readMs, () => {
        if (!this.#life.effect()) return;
        resolve(blocks);
      });
    });
  }
}

function readBlocks(
  blocks: readonly (StoredBlock | DamagedBlock)[],
  fromIndex: number,
  maximumBytes: number,
): (StoredBlock | DamagedBlock)[] {
  const found: (StoredBlock | DamagedBlock)[] = [];
  let byteCount = 0;
  for (const block of blocks) {
    if (block.lastIndex < fromIndex) continue;
    if (found.length > 0 && byteCount >= maximumBytes) break;
    found.push(block);
    byteCount += "damaged" in block ? 0 : block.bytes.length;
  }
  return found;
}

function batchText(batch: StoreBatch): string {
  return [
    ...batch.records.map(({ table, key, value }) => `${value === undefined ? "-" : "+"}${table} ${key}`),
    ...batch.blocks.map(({ logId, firstIndex, lastIndex }) => `log ${logId} [${firstIndex}..${lastIndex}]`),
    ...batch.trims.map(({ logId, endIndex }) => `trim ${logId} <${endIndex}`),
  ].join(", ");
}
