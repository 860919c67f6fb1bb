// The keys of the database: one byte that names the table, then the record's key, or the log and the block's last index.
// The order of the bytes is the order in which LevelDB keeps them. The picture stands in `docs/store-format.md`.

import { TABLES } from "@heirloom/core";
import type { Table } from "@heirloom/core";

/** The first byte of a record's key. A number that was used once is never given to another table. */
export const TABLE_TAGS: Readonly<Record<Table, number>> = {
  broker: 0x01,
  session: 0x02,
  subscription: 0x03,
  delivery: 0x04,
  received: 0x05,
  log: 0x06,
  group: 0x07,
  retained: 0x08,
};

/** The first byte of a block's key. */
export const BLOCK_TAG = 0x40;

/** The key of the store's own record: how far the journal was applied. */
export const JOURNAL_TAG = 0x50;

/** Bytes of a block's key: tag, logId u32, lastIndex u48. */
export const BLOCK_KEY_BYTES = 11;

/** The greatest logId. */
const MAXIMUM_LOG_ID = 2 ** 32 - 1;

/** Ranges of keys that no table and no log owns. What stands there is damage. */
export const FOREIGN_RANGES: readonly { readonly gte: Buffer; readonly lt?: Buffer }[] = [
  { gte: Buffer.of(), lt: Buffer.of(0x01) },
  { gte: Buffer.of(0x09), lt: Buffer.of(BLOCK_TAG) },
  { gte: Buffer.of(BLOCK_TAG + 1), lt: Buffer.of(JOURNAL_TAG) },
  { gte: Buffer.of(JOURNAL_TAG, 0) },
];

const TABLES_BY_TAG = new Map<number, Table>();
for (const table of TABLES) TABLES_BY_TAG.set(TABLE_TAGS[table], table);

/** @throws RangeError when no table has the tag. */
export function tableOfTag(tag: number): Table {
  const table = TABLES_BY_TAG.get(tag);
  if (table === undefined) throw new RangeError(`table ${tag}, expected 1 to ${TABLES.length}`);
  return table;
}

/** The range of keys that one table owns. */
export function tableRange(table: Table): { gte: Buffer; lt: Buffer } {
  const tag = TABLE_TAGS[table];
  return { gte: Buffer.of(tag), lt: Buffer.of(tag + 1) };
}

/** Writes a record's key to the start of `target`, which has room for 1 + 3 * `key.length` bytes; returns its bytes. */
export function writeRecordKey(target: Buffer, table: Table, key: string): number {
  target[0] = TABLE_TAGS[table];
  return 1 + target.write(key, 1, "utf8");
}

/** Writes a block's key to the start of `target`; returns its bytes. */
export function writeBlockKey(target: Buffer, logId: number, lastIndex: number): number {
  target[0] = BLOCK_TAG;
  target.writeUInt32BE(logId, 1);
  target.writeUIntBE(lastIndex, 5, 6);
  return BLOCK_KEY_BYTES;
}

export function recordKey(table: Table, key: string): Buffer {
  const target = Buffer.allocUnsafe(1 + Buffer.byteLength(key, "utf8"));
  writeRecordKey(target, table, key);
  return target;
}

export function blockKey(logId: number, lastIndex: number): Buffer {
  const target = Buffer.allocUnsafe(BLOCK_KEY_BYTES);
  writeBlockKey(target, logId, lastIndex);
  return target;
}

/** The first key behind all blocks of a log. */
export function endOfLog(logId: number): Buffer {
  return logId === MAXIMUM_LOG_ID ? Buffer.of(BLOCK_TAG + 1) : blockKey(logId + 1, 0);
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The key of a record, or nothing when the bytes are no UTF-8. */
export function readRecordKey(key: Buffer): string | undefined {
  try {
    return utf8.decode(key.subarray(1));
  } catch {
    return undefined;
  }
}

/** Log and last index of a block, or nothing when the key has the wrong length. */
export function readBlockKey(key: Buffer): { logId: number; lastIndex: number } | undefined {
  if (key.length !== BLOCK_KEY_BYTES) return undefined;
  return { logId: key.readUInt32BE(1), lastIndex: key.readUIntBE(5, 6) };
}
