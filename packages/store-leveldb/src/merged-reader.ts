// Reads what the database and the overlay hold together. The overlay is newer: its records hide those of the database, and its
// blocks come behind them. It is looked at first, because what leaves it is in the database by then, and not the other way round.

import type { DamagedBlock, LogExtent, StoredBlock, Table } from "@heirloom/core";

import type { LevelReader } from "./level-reader.ts";
import type { Overlay } from "./overlay.ts";
import type { BlockPlace, Cell } from "./segment.ts";
import type { StoredLogs } from "./stored-logs.ts";

type StoredRecord = readonly [key: string, value: Uint8Array];

/** Records of the overlay that are handed over together. */
const GROUP_RECORDS = 1000;

export interface MergedParts {
  readonly reader: LevelReader;
  readonly overlay: Overlay;
  readonly stored: StoredLogs;
}

/** All records of a table, in the order of their keys' UTF-8 bytes. */
export async function* loadMerged(
  { reader, overlay }: MergedParts,
  table: Table,
): AsyncGenerator<readonly StoredRecord[]> {
  // Copies: their segment may be released before the end is reached.
  const newer = new Map<string, Uint8Array | undefined>();
  for (const { segment, key, at, byteCount } of sorted(overlay.records(table)))
    newer.set(key, byteCount < 0 ? undefined : segment.copy(at, byteCount));
  const waiting = [...newer.keys()];
  let next = 0;
  for await (const older of reader.load(table)) {
    const records: StoredRecord[] = [];
    for (const record of older) {
      for (
        let key = waiting[next];
        key !== undefined && compareUtf8(key, record[0]) < 0;
        key = waiting[++next]
      )
        add(records, key, newer.get(key));
      if (!newer.has(record[0])) records.push(record);
    }
    if (records.length > 0) yield records;
  }
  while (next < waiting.length) {
    const records: StoredRecord[] = [];
    for (const key of waiting.slice(next, next + GROUP_RECORDS)) add(records, key, newer.get(key));
    next += GROUP_RECORDS;
    if (records.length > 0) yield records;
  }
}

function add(records: StoredRecord[], key: string, value: Uint8Array | undefined): void {
  if (value !== undefined) records.push([key, value]);
}

/** Where all logs begin and end, `stored` being what the database has. */
export function mergeExtents(stored: readonly LogExtent[], overlay: Overlay): LogExtent[] {
  const extents = new Map(stored.map((extent) => [extent.logId, extent]));
  for (const { logId, blocks } of overlay.tails()) {
    const last = blocks.at(-1);
    if (last === undefined) continue;
    const firstIndex = extents.get(logId)?.firstIndex ?? blocks[0]?.firstIndex ?? last.firstIndex;
    extents.set(logId, { logId, firstIndex, lastBlock: copyOf(logId, last) });
  }
  return [...extents.values()].sort((one, other) => one.logId - other.logId);
}

/** Blocks of a log from an index on. */
export async function readMerged(
  { reader, overlay, stored }: MergedParts,
  logId: number,
  fromIndex: number,
  maximumBytes: number,
): Promise<readonly (StoredBlock | DamagedBlock)[]> {
  const newer = overlay.tail(logId)?.blocks ?? [];
  const [first] = newer;
  if (!stored.has(logId) || (first !== undefined && fromIndex >= first.firstIndex))
    return takeBlocks(logId, newer, fromIndex, maximumBytes);
  // Taken before the database is asked, because a checkpoint may move them there meanwhile.
  const following = takeBlocks(logId, newer, fromIndex, maximumBytes);
  const older = await reader.readLog(logId, fromIndex, maximumBytes, first?.firstIndex);
  return older.isComplete ? [...older.blocks, ...following] : older.blocks;
}

/** Copies of the blocks from the one that holds `fromIndex` on, at least one if there is one. */
function takeBlocks(
  logId: number,
  blocks: readonly BlockPlace[],
  fromIndex: number,
  maximumBytes: number,
): StoredBlock[] {
  const taken: StoredBlock[] = [];
  let bytes = 0;
  for (
    let at = placeOf(blocks, fromIndex);
    at < blocks.length && (taken.length === 0 || bytes < maximumBytes);
    at++
  ) {
    const block = blocks[at];
    if (block === undefined) break;
    taken.push(copyOf(logId, block));
    bytes += block.byteCount;
  }
  return taken;
}

/** The place of the first block that ends at or behind an index. */
function placeOf(blocks: readonly BlockPlace[], index: number): number {
  let [low, high] = [0, blocks.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((blocks[middle]?.lastIndex ?? Infinity) < index) low = middle + 1;
    else high = middle;
  }
  return low;
}

function copyOf(logId: number, { firstIndex, lastIndex, segment, at, byteCount }: BlockPlace): StoredBlock {
  return { logId, firstIndex, lastIndex, bytes: segment.copy(at, byteCount) };
}

function sorted(records: ReadonlyMap<string, Cell>): Cell[] {
  return [...records.values()].sort((one, other) => compareUtf8(one.key, other.key));
}

/** Compares by code points, which is the order of UTF-8; JavaScript compares by UTF-16. */
export function compareUtf8(one: string, other: string): number {
  const length = Math.min(one.length, other.length);
  for (let at = 0; at < length; at++) {
    const left = one.charCodeAt(at);
    const right = other.charCodeAt(at);
    if (left !== right) return rank(left) - rank(right);
  }
  return one.length - other.length;
}

/** Surrogates stand for code points behind all others. */
function rank(unit: number): number {
  return unit >= 0xd800 && unit < 0xe000 ? unit + 0x10000 : unit;
}
