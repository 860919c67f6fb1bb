// One record of the journal: all of one commit, with what tells an intact record from a torn or a damaged one.
// Drawn in `docs/store-format.md`.
//
//   salt (8) | sequence u48 | body bytes u32 | crc32 of these (u32) | 0 u16 | body | crc32 of all before (u32) | salt (8) | zeros
//
// The salt is a random number of the file's present use. So neither what an earlier use left in the file nor a payload that
// somebody made up is ever taken for a record.

import { crc32 } from "node:zlib";

import type { StoreBatch, StoredBlock, Table } from "@heirloom/core";

import { BLOCK_TAG, TABLE_TAGS, tableOfTag } from "./keys.ts";

/** Bytes of a salt. */
export const SALT_BYTES = 8;
/** A record begins at a multiple of this, so that its header never lies in two sectors of the disk. */
export const RECORD_ALIGNMENT = 32;

const SEQUENCE_AT = SALT_BYTES;
const BODY_BYTES_AT = SEQUENCE_AT + 6;
const HEADER_CRC_AT = BODY_BYTES_AT + 4;
const BODY_AT = HEADER_CRC_AT + 6;
const END_BYTES = 4 + SALT_BYTES;

const TRIM_TAG = BLOCK_TAG + 1;
const DELETED = 0x80;

/**
 * Takes what a record says, in the order in which it has to take effect. A value is told by its place in the file: its offset
 * and its bytes.
 */
export interface RecordSink {
  record(table: Table, key: string, at: number, byteCount: number): void;
  delete(table: Table, key: string): void;
  block(block: BlockExtent, at: number, byteCount: number): void;
  /** Blocks of the log that end before `endIndex` go. */
  trim(logId: number, endIndex: number): void;
}

/** Which entries a block holds. */
export type BlockExtent = Omit<StoredBlock, "bytes">;

/** More than a record of the batch takes. */
export function mostRecordBytes(batch: StoreBatch): number {
  let bytes = BODY_AT + END_BYTES + RECORD_ALIGNMENT + 11 * batch.trims.length;
  for (const { key, value } of batch.records) bytes += 7 + 3 * key.length + (value?.length ?? 0);
  for (const block of batch.blocks) bytes += 21 + block.bytes.length;
  return bytes;
}

/** Writes commits as records, and remembers where the values of the last one stand. */
export class RecordEncoder {
  #bytes: Buffer = Buffer.of();
  #length = 0;
  /** Offsets of the values of the last record, in the order of the batch. */
  readonly #places: number[] = [];

  /**
   * Writes the record of a batch to `bytes` from `start` on, where it has room.
   *
   * @returns the offset behind it
   */
  encode(bytes: Buffer, start: number, batch: StoreBatch, sequence: number, salt: Buffer): number {
    this.#bytes = bytes;
    this.#length = start + BODY_AT;
    this.#places.length = 0;
    for (const { table, key, value } of batch.records) this.#record(table, key, value);
    for (const block of batch.blocks) this.#block(block);
    for (const { logId, firstIndex, endIndex } of batch.trims)
      if (firstIndex < endIndex) this.#trim(logId, endIndex);
    this.#bytes = Buffer.of();
    const end = this.#length;
    salt.copy(bytes, start);
    bytes.writeUIntBE(sequence, start + SEQUENCE_AT, 6);
    bytes.writeUInt32BE(end - start - BODY_AT, start + BODY_BYTES_AT);
    bytes.writeUInt32BE(crc32(bytes.subarray(start, start + HEADER_CRC_AT)), start + HEADER_CRC_AT);
    bytes.writeUInt16BE(0, start + HEADER_CRC_AT + 4);
    bytes.writeUInt32BE(crc32(bytes.subarray(start, end)), end);
    salt.copy(bytes, end + 4);
    const aligned = align(end + END_BYTES);
    bytes.fill(0, end + END_BYTES, aligned);
    return aligned;
  }

  /** Tells the batch that was encoded last. */
  tell({ records, blocks, trims }: StoreBatch, sink: RecordSink): void {
    let place = 0;
    for (const { table, key, value } of records) {
      const at = this.#places[place++] ?? 0;
      if (value === undefined) sink.delete(table, key);
      else sink.record(table, key, at, value.length);
    }
    for (const block of blocks) sink.block(block, this.#places[place++] ?? 0, block.bytes.length);
    for (const { logId, firstIndex, endIndex } of trims)
      if (firstIndex < endIndex) sink.trim(logId, endIndex);
  }

  #record(table: Table, key: string, value: Uint8Array | undefined): void {
    const at = this.#length;
    const end = this.#text(key, at + 3);
    const bytes = this.#bytes;
    bytes[at] = TABLE_TAGS[table] | (value === undefined ? DELETED : 0);
    bytes[at + 1] = (end - at - 3) >>> 8;
    bytes[at + 2] = end - at - 3;
    this.#length = end;
    if (value === undefined) this.#places.push(0);
    else this.#value(value);
  }

  #block({ logId, firstIndex, lastIndex, bytes: entries }: StoredBlock): void {
    const bytes = this.#bytes;
    const at = this.#length;
    bytes[at] = BLOCK_TAG;
    putU32(bytes, logId, at + 1);
    putU48(bytes, firstIndex, at + 5);
    putU48(bytes, lastIndex, at + 11);
    this.#length = at + 17;
    this.#value(entries);
  }

  #trim(logId: number, endIndex: number): void {
    const at = this.#length;
    this.#bytes[at] = TRIM_TAG;
    putU32(this.#bytes, logId, at + 1);
    putU48(this.#bytes, endIndex, at + 5);
    this.#length = at + 11;
  }

  #value(value: Uint8Array): void {
    const at = this.#length + 4;
    putU32(this.#bytes, value.length, at - 4);
    this.#bytes.set(value, at);
    this.#places.push(at);
    this.#length = at + value.length;
  }

  /** Most keys are short and ASCII: a loop is quicker for them than a call into C++. */
  #text(text: string, at: number): number {
    const bytes = this.#bytes;
    for (let index = 0; index < text.length; index++) {
      const unit = text.charCodeAt(index);
      if (unit > 0x7f) return at + bytes.write(text, at, "utf8");
      bytes[at + index] = unit;
    }
    return at + text.length;
  }
}

// Without the checks of Buffer's methods: two a message were one percent of the broker's time.

function putU48(bytes: Buffer, value: number, at: number): void {
  bytes[at] = value / 2 ** 40;
  bytes[at + 1] = value / 2 ** 32;
  putU32(bytes, value, at + 2);
}

function putU32(bytes: Buffer, value: number, at: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

/** A record found in a file. */
export interface FoundRecord {
  readonly sequence: number;
  /** Its offset. */
  readonly start: number;
  readonly bodyStart: number;
  readonly bodyEnd: number;
  /** Offset behind it, aligned. */
  readonly end: number;
}

/** The record at an offset; or `"torn"`: it was begun and not written to its end; `"damaged"`: it was, and it is another now. */
export function readRecord(
  bytes: Buffer,
  at: number,
  salt: Buffer,
): FoundRecord | "none" | "torn" | "damaged" {
  if (!hasHeader(bytes, at, salt)) return "none";
  const bodyEnd = at + BODY_AT + bytes.readUInt32BE(at + BODY_BYTES_AT);
  const end = bodyEnd + END_BYTES;
  if (end > bytes.length || salt.compare(bytes, bodyEnd + 4, end) !== 0) return "torn";
  if (crc32(bytes.subarray(at, bodyEnd)) !== bytes.readUInt32BE(bodyEnd)) return "damaged";
  return { sequence: sequenceAt(bytes, at), start: at, bodyStart: at + BODY_AT, bodyEnd, end: align(end) };
}

/** The sequence number of a record whose header is intact. */
export function sequenceAt(bytes: Buffer, at: number): number {
  return bytes.readUIntBE(at + SEQUENCE_AT, 6);
}

/** The first offset from `from` on at which a record begins. */
export function findRecord(bytes: Buffer, from: number, salt: Buffer): number | undefined {
  for (let at = bytes.indexOf(salt, from); at !== -1; at = bytes.indexOf(salt, at + 1)) {
    if (at % RECORD_ALIGNMENT === 0 && hasHeader(bytes, at, salt)) return at;
  }
  return undefined;
}

function hasHeader(bytes: Buffer, at: number, salt: Buffer): boolean {
  if (at + BODY_AT > bytes.length || salt.compare(bytes, at, at + SALT_BYTES) !== 0) return false;
  return crc32(bytes.subarray(at, at + HEADER_CRC_AT)) === bytes.readUInt32BE(at + HEADER_CRC_AT);
}

/** Tells what an intact record says. */
export function tellRecord(bytes: Buffer, { bodyStart, bodyEnd }: FoundRecord, sink: RecordSink): void {
  for (let at = bodyStart; at < bodyEnd;) {
    const tag = bytes.readUInt8(at);
    if (tag === TRIM_TAG) {
      sink.trim(bytes.readUInt32BE(at + 1), bytes.readUIntBE(at + 5, 6));
      at += 11;
    } else if (tag === BLOCK_TAG) {
      const byteCount = bytes.readUInt32BE(at + 17);
      sink.block(readExtent(bytes, at + 1), at + 21, byteCount);
      at += 21 + byteCount;
    } else {
      const valueAt = at + 7 + bytes.readUInt16BE(at + 1);
      const key = bytes.toString("utf8", at + 3, valueAt - 4);
      if ((tag & DELETED) === 0) {
        const byteCount = bytes.readUInt32BE(valueAt - 4);
        sink.record(tableOfTag(tag), key, valueAt, byteCount);
        at = valueAt + byteCount;
      } else {
        sink.delete(tableOfTag(tag & ~DELETED), key);
        at = valueAt - 4;
      }
    }
  }
}

function readExtent(bytes: Buffer, at: number): BlockExtent {
  const logId = bytes.readUInt32BE(at);
  return { logId, firstIndex: bytes.readUIntBE(at + 4, 6), lastIndex: bytes.readUIntBE(at + 10, 6) };
}

function align(offset: number): number {
  return Math.ceil(offset / RECORD_ALIGNMENT) * RECORD_ALIGNMENT;
}
