// Reads the fields of stored values: the counterpart of the codec's Writer for what the broker wrote itself.
// Throws on anything that does not fit; what was stored is checked by the store, so a failure here is a fault of ours.

import { decodeUtf8 } from "@heirloom/codec";

export class ByteReader {
  readonly bytes: Uint8Array;
  offset: number;
  readonly end: number;

  constructor(bytes: Uint8Array, offset = 0, end: number = bytes.length) {
    this.bytes = bytes;
    this.offset = offset;
    this.end = end;
  }

  get atEnd(): boolean {
    return this.offset === this.end;
  }

  #take(length: number): number {
    const start = this.offset;
    if (start + length > this.end) {
      throw new RangeError(
        `stored value ends at byte ${this.end}, expected ${length} bytes from byte ${start}`,
      );
    }
    this.offset = start + length;
    return start;
  }

  u8(): number {
    return this.bytes[this.#take(1)] ?? 0;
  }

  u16(): number {
    return this.u8() * 0x100 + this.u8();
  }

  u32(): number {
    return this.u16() * 0x1_0000 + this.u16();
  }

  /** A whole number up to 2^48 - 1: a sequence number, a time in milliseconds. */
  u48(): number {
    return this.u16() * 0x1_0000_0000 + this.u32();
  }

  varint(): number {
    let value = 0;
    let factor = 1;
    for (;;) {
      const byte = this.u8();
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
      factor *= 0x80;
    }
  }

  text(): string {
    const length = this.u16();
    const start = this.#take(length);
    return decodeUtf8(this.bytes, start, start + length);
  }

  /** A view of bytes with a length of four bytes in front. */
  binary(): Uint8Array {
    const length = this.u32();
    const start = this.#take(length);
    return this.bytes.subarray(start, start + length);
  }
}
