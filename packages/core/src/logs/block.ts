// A block: the entries that one log got in one turn, or a part of them. It is what a store keeps and what a reader fetches.
//
//   u8 format = 1 | u48 bytes of all entries of this log before this block | entry | entry | ...

import { Writer } from "@heirloom/codec";
import { ByteReader } from "../byte-reader.ts";
import { writeU48 } from "../byte-writer.ts";
import { type Message, NO_BYTES } from "../message.ts";
import type { StoredBlock } from "../ports/store.ts";
import { type Entry, readEntry, skipEntry, writeEntry } from "./entry.ts";

const FORMAT = 1;
const HEADER_BYTES = 7;

/** A block closes when it reaches this size; a single larger message still makes one block. */
export const BLOCK_BYTES: number = 65_536;

/** A finished or growing block in memory. */
export class Block {
  readonly logId: number;
  readonly firstIndex: number;
  /** Bytes of all entries of the log before this block. */
  readonly bytesBefore: number;
  /** Number of the batch that makes it durable; 0 when it was read from the store. */
  batch = 0;
  #writer: Writer | undefined;
  #bytes: Uint8Array;
  readonly #offsets: number[] = [];

  private constructor(
    logId: number,
    firstIndex: number,
    bytesBefore: number,
    bytes: Uint8Array,
    writer?: Writer,
  ) {
    this.logId = logId;
    this.firstIndex = firstIndex;
    this.bytesBefore = bytesBefore;
    this.#bytes = bytes;
    this.#writer = writer;
  }

  /** A block to append to, with room for `expectedBytes` at first. */
  static begin(logId: number, firstIndex: number, bytesBefore: number, expectedBytes = 0): Block {
    const writer = new Writer();
    writer.reserve(expectedBytes);
    writer.u8(FORMAT);
    writeU48(writer, bytesBefore);
    return new Block(logId, firstIndex, bytesBefore, NO_BYTES, writer);
  }

  /** @throws RangeError when the bytes are not a block of `lastIndex - firstIndex + 1` entries. */
  static read(stored: StoredBlock): Block {
    const reader = new ByteReader(stored.bytes);
    const format = reader.u8();
    if (format !== FORMAT) throw new RangeError(`block of format ${format}, expected ${FORMAT}`);
    const block = new Block(stored.logId, stored.firstIndex, reader.u48(), stored.bytes);
    let offset = reader.offset;
    while (offset < stored.bytes.length) {
      block.#offsets.push(offset);
      offset = skipEntry(stored.bytes, offset);
    }
    const expected = stored.lastIndex - stored.firstIndex + 1;
    if (offset !== stored.bytes.length || block.#offsets.length !== expected) {
      throw new RangeError(`block with ${block.#offsets.length} entries, expected ${expected}`);
    }
    return block;
  }

  get count(): number {
    return this.#offsets.length;
  }

  /** Index after the last entry. */
  get endIndex(): number {
    return this.firstIndex + this.#offsets.length;
  }

  get byteLength(): number {
    return this.#writer === undefined ? this.#bytes.length : this.#writer.length;
  }

  /** Bytes of all entries of the log up to and with this block. */
  get bytesAfter(): number {
    return this.bytesBefore + this.byteLength - HEADER_BYTES;
  }

  get isOpen(): boolean {
    return this.#writer !== undefined;
  }

  /** Appends to an open block. Returns the bytes that the entry took. */
  append(message: Message, sequence: number, identifiers: readonly number[], withPublisher: boolean): number {
    const writer = this.#writer;
    if (writer === undefined) throw new Error("appended to a closed block");
    const start = writer.length;
    let bytes: number;
    try {
      bytes = writeEntry(writer, message, sequence, identifiers, withPublisher);
    } catch (error) {
      // A hook made a topic of it that cannot be written. The entries before it are other messages.
      writer.length = start;
      throw error;
    }
    this.#offsets.push(start);
    return bytes;
  }

  /** Closes the block and returns what the store keeps. */
  close(batch: number): StoredBlock {
    if (this.#writer !== undefined) {
      this.#bytes = this.#writer.take();
      this.#writer = undefined;
    }
    this.batch = batch;
    return {
      logId: this.logId,
      firstIndex: this.firstIndex,
      lastIndex: this.endIndex - 1,
      bytes: this.#bytes,
    };
  }

  /** Reads the entry at `index`, which must lie in this block. */
  entry(index: number): Entry {
    const offset = this.#offsets[index - this.firstIndex];
    if (offset === undefined)
      throw new RangeError(`entry ${index} is not in block ${this.firstIndex}..${this.endIndex - 1}`);
    return readEntry(this.#writer === undefined ? this.#bytes : this.#writer.bytes, offset);
  }
}
