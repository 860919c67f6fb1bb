// Reads records and blocks from the database and checks each of them. What does not hold is put into the damage list
// and never served.

import type { DamagedBlock, LogExtent, StoredBlock, Table } from "@heirloom/core";
import type { ClassicLevel } from "classic-level";

import type { DamageList } from "./damage-list.ts";
import { codeOf, messageOf } from "./errors.ts";
import {
  BLOCK_KEY_BYTES,
  BLOCK_TAG,
  blockKey,
  endOfLog,
  FOREIGN_RANGES,
  readBlockKey,
  readRecordKey,
  tableRange,
} from "./keys.ts";
import type { Reads } from "./reads.ts";
import { blockBytes, blockFirstIndex, findFault, recordBytes } from "./values.ts";

export type Database = ClassicLevel<Buffer, Buffer>;

type Entry = readonly [key: Buffer, value: Buffer];
type Block = StoredBlock | DamagedBlock;
interface Range {
  readonly gte: Buffer;
  readonly lt?: Buffer;
  readonly reverse?: boolean;
}

/** Records that are read together. */
const GROUP_ENTRIES = 1000;
const GROUP_BYTES = 1_048_576;

/** Blocks that are looked at one after the other before the end of a log is sought from behind. */
const NEAR_BLOCKS = 256;
const NEAR_BYTES = 65_536;

const LOGS = { gte: Buffer.of(BLOCK_TAG), lt: Buffer.of(BLOCK_TAG + 1) };

/** Bytes of a stored block beside its entries: key, first index and checksum. */
const BLOCK_OVERHEAD_BYTES = BLOCK_KEY_BYTES + 10;

/** Blocks that one call of `readLog` returns at most. */
const READ_BLOCKS = 4096;

export class LevelReader {
  readonly #database: Database;
  readonly #damage: DamageList;
  readonly #reads: Reads;

  constructor(database: Database, damage: DamageList, reads: Reads) {
    this.#database = database;
    this.#damage = damage;
    this.#reads = reads;
  }

  async *load(table: Table): AsyncGenerator<readonly (readonly [key: string, value: Uint8Array])[]> {
    for await (const entries of this.#groups(`table ${table}`, tableRange(table))) {
      const records: (readonly [string, Uint8Array])[] = [];
      for (const [key, value] of entries) {
        const name = readRecordKey(key);
        const fault = name === undefined ? "key is no UTF-8" : findFault(key, value);
        if (name !== undefined && fault === undefined) records.push([name, recordBytes(value)]);
        else await this.#setAsideRecord(table, name, fault ?? "", key, value);
      }
      if (records.length > 0) yield records;
    }
  }

  /**
   * Finds first and last block of every log. It walks over the blocks of small logs, several at once, and jumps over
   * the middle of large ones.
   */
  async loadLogs(): Promise<readonly LogExtent[]> {
    const extents: LogExtent[] = [];
    for (let from: Buffer = LOGS.gte; ;) {
      const near = await this.#readBlocks("logs", { ...LOGS, gte: from }, NEAR_BLOCKS, NEAR_BYTES);
      const end = near.at(-1);
      if (end === undefined) return extents;
      let first: Block | undefined;
      for (const [at, block] of near.entries()) {
        if (first?.logId !== block.logId) first = block;
        const { logId, firstIndex } = first;
        if (logId === end.logId) {
          // The last log of the group may go on behind it.
          extents.push({ logId, firstIndex, lastBlock: (await this.#lastBlock(logId)) ?? end });
          break;
        }
        if (near[at + 1]?.logId !== logId) extents.push({ logId, firstIndex, lastBlock: block });
      }
      from = endOfLog(end.logId);
    }
  }

  /**
   * Blocks of a log from an index on, and whether these are all that end before `endIndex`. Those behind it stand elsewhere,
   * the first of them at `endIndex`.
   */
  async readLog(
    logId: number,
    fromIndex: number,
    maximumBytes: number,
    endIndex?: number,
  ): Promise<{ readonly blocks: readonly Block[]; readonly isComplete: boolean }> {
    const lt = endIndex === undefined ? endOfLog(logId) : blockKey(logId, endIndex);
    const range = { gte: blockKey(logId, fromIndex), lt };
    const blocks = await this.#readBlocks(`log ${logId}`, range, READ_BLOCKS, maximumBytes);
    const isComplete = blocks.length === 0 || (blocks.length < READ_BLOCKS && bytesOf(blocks) < maximumBytes);
    const last = blocks.at(-1);
    if (isComplete && endIndex !== undefined && last !== undefined && last.lastIndex + 1 !== endIndex)
      this.#noteGap(last, endIndex);
    return { blocks, isComplete };
  }

  /** Notes everything that stands under keys which nobody owns. */
  async findForeign(): Promise<void> {
    for (const range of FOREIGN_RANGES) {
      for await (const entries of this.#groups("unknown tables", range)) {
        for (const [key, value] of entries) {
          const place = `key ${key.subarray(0, 32).toString("hex")} of ${key.length} bytes`;
          await this.#damage.setAside(place, "no known table", "unknown", key, value);
        }
      }
    }
  }

  async #lastBlock(logId: number): Promise<Block | undefined> {
    const range = { gte: blockKey(logId, 0), lt: endOfLog(logId), reverse: true };
    return (await this.#readBlocks(`log ${logId}`, range, 1, NEAR_BYTES))[0];
  }

  /** Reads and checks blocks; gaps between them are noted. */
  async #readBlocks(
    place: string,
    range: Range,
    maximumBlocks: number,
    maximumBytes: number,
  ): Promise<Block[]> {
    const blocks: Block[] = [];
    let previous: Block | undefined;
    for (const [key, value] of await this.#read(place, range, maximumBlocks, maximumBytes)) {
      const block = toBlock(key, value) ?? (await this.#setAsideBlock(key, value));
      if (block === undefined) continue;
      if (previous?.logId === block.logId && previous.lastIndex + 1 !== block.firstIndex) {
        this.#noteGap(previous, block.firstIndex);
      }
      blocks.push(block);
      previous = block;
    }
    return blocks;
  }

  #noteGap({ logId, lastIndex }: Block, nextIndex: number): void {
    const what = lastIndex < nextIndex ? "missing" : "stored twice";
    const place = `log ${logId}, between entry ${lastIndex} and entry ${nextIndex}`;
    this.#damage.note(place, `entries ${what}, expected block after block`);
  }

  async #setAsideRecord(
    table: Table,
    name: string | undefined,
    fault: string,
    key: Buffer,
    value: Buffer,
  ): Promise<void> {
    const place = `table ${table}, key ${name === undefined ? key.toString("hex") : JSON.stringify(name)}`;
    await this.#damage.setAside(place, fault, table, key, value);
  }

  async #setAsideBlock(key: Buffer, value: Buffer): Promise<DamagedBlock | undefined> {
    const position = readBlockKey(key);
    if (position === undefined) {
      const reason = `${key.length} bytes, expected ${BLOCK_KEY_BYTES}`;
      await this.#damage.setAside(`block key ${key.toString("hex")}`, reason, "block", key, value);
      return undefined;
    }
    const { logId, lastIndex } = position;
    const place = `log ${logId}, block that ends with entry ${lastIndex}`;
    await this.#damage.setAside(place, findFault(key, value) ?? "", "block", key, value);
    const firstIndex = (await this.#indexAfterBlockBefore(logId, key)) ?? blockFirstIndex(value) ?? lastIndex;
    return { logId, firstIndex: Math.min(firstIndex, lastIndex), lastIndex, damaged: true };
  }

  /** Where a block begins that cannot tell it itself: behind the block before it. */
  async #indexAfterBlockBefore(logId: number, key: Buffer): Promise<number | undefined> {
    const range = { gte: blockKey(logId, 0), lt: key, reverse: true };
    const entry = (await this.#read(`log ${logId}`, range, 1, NEAR_BYTES))[0];
    const before = entry === undefined ? undefined : readBlockKey(entry[0]);
    return before === undefined ? undefined : before.lastIndex + 1;
  }

  /** Reads a range in groups, with one iterator: only at its end does LevelDB tell what it skipped on the way. */
  async *#groups(place: string, range: Range): AsyncGenerator<readonly Entry[]> {
    const iterator = this.#database.iterator({ ...range, highWaterMarkBytes: GROUP_BYTES });
    const end = this.#reads.begin();
    let last: Buffer | undefined;
    try {
      for (;;) {
        const entries = await iterator.nextv(GROUP_ENTRIES);
        last = entries.at(-1)?.[0] ?? last;
        if (entries.length === 0) return;
        yield entries;
      }
    } catch (error) {
      this.#noteCorruption(place, error);
    } finally {
      await iterator.close();
      end();
    }
    const rest = last === undefined ? range : { ...range, gte: Buffer.concat([last, Buffer.of(0)]) };
    yield await this.#readSingly(place, rest, Infinity, Infinity);
  }

  /** Reads one group: at least one entry if there is one, up to `maximumEntries` and about `maximumBytes`. */
  async #read(
    place: string,
    range: Range,
    maximumEntries: number,
    maximumBytes: number,
  ): Promise<readonly Entry[]> {
    const iterator = this.#database.iterator({ ...range, highWaterMarkBytes: Math.max(0, maximumBytes - 1) });
    const end = this.#reads.begin();
    try {
      return await iterator.nextv(maximumEntries);
    } catch (error) {
      this.#noteCorruption(place, error);
    } finally {
      await iterator.close();
      end();
    }
    return this.#readSingly(place, range, maximumEntries, maximumBytes);
  }

  /** Reads entry by entry what can still be read of a range in which LevelDB found corruption. */
  async #readSingly(
    place: string,
    range: Range,
    maximumEntries: number,
    maximumBytes: number,
  ): Promise<Entry[]> {
    const found: Entry[] = [];
    const iterator = this.#database.iterator(range);
    const end = this.#reads.begin();
    let byteCount = 0;
    try {
      while (found.length < maximumEntries && (found.length === 0 || byteCount < maximumBytes)) {
        const entry = (await iterator.nextv(1))[0];
        if (entry === undefined) break;
        found.push(entry);
        byteCount += entry[1].length;
      }
    } catch (error) {
      this.#noteCorruption(place, error);
    } finally {
      await iterator.close();
      end();
    }
    return found;
  }

  #noteCorruption(place: string, error: unknown): void {
    if (codeOf(error) !== "LEVEL_CORRUPTION") throw error;
    this.#damage.note(place, `LevelDB could not read a part of its files: ${messageOf(error)}`);
  }
}

/** The block of an entry, or nothing when key or value do not hold. */
function toBlock(key: Buffer, value: Buffer): StoredBlock | undefined {
  const position = readBlockKey(key);
  if (position === undefined || findFault(key, value) !== undefined) return undefined;
  return { ...position, firstIndex: blockFirstIndex(value) ?? 0, bytes: blockBytes(value) };
}

/** At least as many bytes as LevelDB counted for them. */
function bytesOf(blocks: readonly Block[]): number {
  let bytes = 0;
  for (const block of blocks)
    bytes += "damaged" in block ? Infinity : block.bytes.length + BLOCK_OVERHEAD_BYTES;
  return bytes;
}
