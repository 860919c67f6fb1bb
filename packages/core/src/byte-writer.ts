// Writes the fields of stored values with the codec's Writer.

import type { Writer } from "@heirloom/codec";

/** A whole number up to 2^48 - 1. `Infinity` is written as the greatest and read back by {@link readTime}. */
export function writeU48(writer: Writer, value: number): void {
  writer.u16(Math.floor(value / 0x1_0000_0000));
  writer.u32(value % 0x1_0000_0000);
}

const NEVER = 0xffff_ffff_ffff;

/** A time in milliseconds, or `Infinity` for never. */
export function writeTime(writer: Writer, timeMs: number): void {
  writeU48(writer, timeMs === Infinity ? NEVER : Math.round(timeMs));
}

/** The counterpart of {@link writeTime}, for a value read as u48. */
export function timeOf(u48: number): number {
  return u48 === NEVER ? Infinity : u48;
}

/** Any whole number up to 2^53, seven bits a byte. */
export function writeVarint(writer: Writer, value: number): void {
  while (value > 0x7f) {
    writer.u8((value % 0x80) | 0x80);
    value = Math.floor(value / 0x80);
  }
  writer.u8(value);
}

/** Bytes with a length of four bytes in front. */
export function writeBinary(
  writer: Writer,
  source: Uint8Array,
  start = 0,
  end: number = source.length,
): void {
  writer.u32(end - start);
  writer.append(source, start, end);
}

/** Overwrites four bytes that were written before, once a length is known. */
export function patchU32(writer: Writer, offset: number, value: number): void {
  const { bytes } = writer;
  bytes[offset] = value >>> 24;
  bytes[offset + 1] = value >>> 16;
  bytes[offset + 2] = value >>> 8;
  bytes[offset + 3] = value;
}
