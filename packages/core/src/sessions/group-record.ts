// The stored form of a shared group: its cursor, and the entries that a restart has to give again. See docs/store-format.md.

import { Writer } from "@heirloom/codec";
import { ByteReader } from "../byte-reader.ts";
import { writeU48, writeVarint } from "../byte-writer.ts";
import type { Cursor } from "../logs/cursor.ts";

const FORMAT = 1;

export interface GroupRecord {
  readonly logId: number;
  readonly next: number;
  readonly nextBytes: number;
  readonly fromSequence: number;
  readonly openIndexes: readonly number[];
}

export function writeGroup(cursor: Cursor, openIndexes: readonly number[]): Uint8Array {
  const writer = new Writer();
  writer.u8(FORMAT);
  writer.u32(cursor.log.logId);
  writeU48(writer, cursor.next);
  writeU48(writer, cursor.nextBytes);
  writeU48(writer, cursor.fromSequence);
  writeVarint(writer, openIndexes.length);
  for (const index of openIndexes) writeVarint(writer, index);
  return writer.take();
}

export function readGroup(bytes: Uint8Array): GroupRecord {
  const reader = new ByteReader(bytes);
  const format = reader.u8();
  if (format !== FORMAT) throw new RangeError(`group record of format ${format}, expected ${FORMAT}`);
  const logId = reader.u32();
  const next = reader.u48();
  const nextBytes = reader.u48();
  const fromSequence = reader.u48();
  const openIndexes = Array.from({ length: reader.varint() }, () => reader.varint());
  return { logId, next, nextBytes, fromSequence, openIndexes };
}
