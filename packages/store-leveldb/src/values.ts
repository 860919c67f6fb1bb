// The values of the database: what the broker gave, and a checksum over key and value behind it.
// The key is part of the checksum so that a value that got under another key is found as well.

import { crc32 } from "node:zlib";

import type { StoredBlock, Table } from "@heirloom/core";

import { BLOCK_KEY_BYTES, writeBlockKey, writeRecordKey } from "./keys.ts";

/** Takes the operations of one batch. It has copied key and value when a call returns. */
export interface OperationSink {
  put(key: Buffer, value: Buffer): unknown;
  del(key: Buffer): unknown;
}

const CHECKSUM_BYTES = 4;
const FIRST_INDEX_BYTES = 6;
const SCRATCH_BYTES = 65_536;

/**
 * Turns records and blocks into operations on the database.
 *
 * Each operation is built at the start of one scratch buffer, since the sink copies it at once: nothing is
 * allocated per operation but the two views.
 */
export class BatchEncoder {
  readonly #scratch: Buffer = Buffer.allocUnsafeSlow(SCRATCH_BYTES);

  record(sink: OperationSink, table: Table, key: string, value: Uint8Array | undefined): void {
    const target = this.#room(1 + 3 * key.length + (value?.length ?? 0) + CHECKSUM_BYTES);
    const keyBytes = writeRecordKey(target, table, key);
    if (value === undefined) {
      sink.del(target.subarray(0, keyBytes));
      return;
    }
    target.set(value, keyBytes);
    put(sink, target, keyBytes, keyBytes + value.length);
  }

  block(sink: OperationSink, block: StoredBlock): void {
    const start = BLOCK_KEY_BYTES + FIRST_INDEX_BYTES;
    const target = this.#room(start + block.bytes.length + CHECKSUM_BYTES);
    writeBlockKey(target, block.logId, block.lastIndex);
    target.writeUIntBE(block.firstIndex, BLOCK_KEY_BYTES, FIRST_INDEX_BYTES);
    target.set(block.bytes, start);
    put(sink, target, BLOCK_KEY_BYTES, start + block.bytes.length);
  }

  #room(byteCount: number): Buffer {
    return byteCount <= SCRATCH_BYTES ? this.#scratch : Buffer.allocUnsafeSlow(byteCount);
  }
}

function put(sink: OperationSink, target: Buffer, keyBytes: number, end: number): void {
  target.writeUInt32BE(crc32(target.subarray(0, end)), end);
  sink.put(target.subarray(0, keyBytes), target.subarray(keyBytes, end + CHECKSUM_BYTES));
}

/** A value with its checksum behind it. */
export function checkedValue(key: Buffer, value: Buffer): Buffer {
  const checked = Buffer.alloc(value.length + CHECKSUM_BYTES);
  value.copy(checked);
  checked.writeUInt32BE(crc32(value, crc32(key)), value.length);
  return checked;
}

/** Why a value cannot be served, in words, or nothing when its checksum holds. */
export function findFault(key: Buffer, value: Buffer): string | undefined {
  const end = value.length - CHECKSUM_BYTES;
  if (end < 0) return `${value.length} bytes, expected at least ${CHECKSUM_BYTES}`;
  const seen = crc32(value.subarray(0, end), crc32(key));
  const expected = value.readUInt32BE(end);
  return seen === expected ? undefined : `checksum ${hex(seen)}, expected ${hex(expected)}`;
}

/** The record's bytes, without checksum. Only after {@link findFault} found nothing. */
export function recordBytes(value: Buffer): Uint8Array {
  return plainBytes(value, 0);
}

/** The block's entries, without first index and checksum. Only after {@link findFault} found nothing. */
export function blockBytes(value: Buffer): Uint8Array {
  return plainBytes(value, FIRST_INDEX_BYTES);
}

/** The block's first index. In a damaged block it may be anything. */
export function blockFirstIndex(value: Buffer): number | undefined {
  return value.length < FIRST_INDEX_BYTES ? undefined : value.readUIntBE(0, FIRST_INDEX_BYTES);
}

// Not a Buffer: its `slice` makes no copy, and whoever reads the port's `Uint8Array` may rely on one.
function plainBytes(value: Buffer, start: number): Uint8Array {
  return new Uint8Array(value.buffer, value.byteOffset + start, value.length - CHECKSUM_BYTES - start);
}

function hex(checksum: number): string {
  return checksum.toString(16).padStart(8, "0");
}
