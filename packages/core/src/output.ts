// The bytes that wait for one connection: in order, those in front free to go, those behind waiting for a batch to be on disk.
//
//   | free | waits for batch 7 | waits for batch 8 |
//
// The order never changes: what stands behind something that waits, waits too. So acknowledgements keep the order of
// their packets (3.1.1 [MQTT-4.6.0-2], [MQTT-4.6.0-6]) without any further rule.

import { copyOf, Writer } from "@heirloom/codec";
import { NO_BYTES } from "./message.ts";
import type { Transport } from "./ports/transport.ts";

/** From here on a write of its own costs less than a copy. */
const PIECE_BYTES = 16_384;

export class Output {
  // Finished parts in front of what the writer has, that wait for nothing: large packets that go on as they came, and what
  // was written between them. Each is one write.
  #pieces: Uint8Array[] = [];
  #piecesBytes = 0;
  readonly #writer = new Writer();
  /** Pairs: offset in the writer from which bytes wait, number of the batch that they wait for. Both rise. */
  readonly #marks: number[] = [];
  // Bytes of somebody else that follow what the writer has: packets that go on as they came. Those that stood side by
  // side when they came are one range, and are not copied at all when there is nothing else to send.
  #source: Uint8Array = NO_BYTES;
  #start = 0;
  #end = 0;

  /** Where the next bytes are written to. */
  get writer(): Writer {
    if (this.#end !== this.#start) this.#endRange();
    return this.#writer;
  }

  /** Bytes that are not sent yet. */
  get length(): number {
    return this.#piecesBytes + this.#writer.length + this.#end - this.#start;
  }

  get isWaiting(): boolean {
    return this.#marks.length > 0;
  }

  /** Adds `source[start, end)`, which must not change before the turn ends. */
  forward(source: Uint8Array, start: number, end: number): void {
    if (start === this.#end && source === this.#source) {
      this.#end = end;
      return;
    }
    if (this.#end !== this.#start) this.#endRange();
    this.#source = source;
    this.#start = start;
    this.#end = end;
  }

  /** Whatever is written from now on waits until batch `batch` is on disk; nothing to do when `durable` says it is. */
  waitFor(batch: number, durable: number): void {
    if (batch <= durable) return;
    const marks = this.#marks;
    if (marks.length > 0 && (marks[marks.length - 1] ?? 0) >= batch) return;
    marks.push(this.writer.length, batch);
  }

  /** Forgets everything that was not sent. */
  clear(): void {
    this.#dropPieces();
    this.#writer.reset();
    this.#dropRange();
    this.#marks.length = 0;
  }

  /**
   * Gives the transport the bytes that may be sent now that batch `durable` is on disk: in one write, but for large packets
   * that go on as they came.
   *
   * @returns how many they were.
   */
  sendTo(transport: Transport, durable: number): number {
    if (this.#end !== this.#start && (this.#writer.length > 0 || this.isWaiting)) this.#endRange();
    const sentBytes = this.#piecesBytes === 0 ? 0 : this.#sendPieces(transport);
    return sentBytes + this.#sendRest(transport, durable);
  }

  #sendPieces(transport: Transport): number {
    const length = this.#piecesBytes;
    for (const piece of this.#pieces) transport.write(piece);
    this.#dropPieces();
    return length;
  }

  #sendRest(transport: Transport, durable: number): number {
    const marks = this.#marks;
    let passed = 0;
    while (passed < marks.length && (marks[passed + 1] ?? 0) <= durable) passed += 2;
    if (passed > 0) marks.splice(0, passed);
    if (this.#writer.length === 0 && marks.length === 0) return this.#sendRange(transport);
    const { length } = this.#writer;
    const free = marks[0] ?? length;
    if (free === 0) return 0;
    for (let mark = 0; mark < marks.length; mark += 2) marks[mark] = (marks[mark] ?? 0) - free;
    if (free === length) this.#sendAll(transport);
    else this.#sendFront(transport, free);
    return free;
  }

  #sendRange(transport: Transport): number {
    const source = this.#source;
    const start = this.#start;
    const length = this.#end - start;
    this.#dropRange();
    if (length === 0) return 0;
    // A small part of a large chunk would keep all of it in memory if the peer is slow to take it.
    const most = transport.bufferedBytes === 0 ? 4 : 2;
    if (length * most < source.buffer.byteLength) transport.write(copyOf(source, start, start + length));
    // One small message in a chunk, all of it forwarded: a view would cost more than everything else here.
    else transport.write(length === source.length ? source : source.subarray(start, start + length));
    return length;
  }

  #sendAll(transport: Transport): void {
    const writer = this.#writer;
    const { bytes, length } = writer;
    if (transport.write(bytes.subarray(0, length))) writer.release();
    else writer.detach();
  }

  #sendFront(transport: Transport, count: number): void {
    const writer = this.#writer;
    const { length } = writer;
    const bytes = writer.take();
    writer.append(bytes, count, length);
    transport.write(bytes.subarray(0, count));
  }

  // What follows the range does not stand beside it: it becomes a piece if it is large, and is copied otherwise.
  #endRange(): void {
    const source = this.#source;
    const length = this.#end - this.#start;
    const isLarge = length >= PIECE_BYTES && length * 2 >= source.buffer.byteLength;
    if (isLarge && this.#marks.length === 0) this.#addPiece(source.subarray(this.#start, this.#end));
    else this.#writer.append(source, this.#start, this.#end);
    this.#dropRange();
  }

  #addPiece(piece: Uint8Array): void {
    const written = this.#writer.take();
    if (written.length > 0) this.#pieces.push(written);
    this.#pieces.push(piece);
    this.#piecesBytes += written.length + piece.length;
  }

  #dropPieces(): void {
    if (this.#piecesBytes === 0) return;
    this.#pieces = [];
    this.#piecesBytes = 0;
  }

  #dropRange(): void {
    this.#source = NO_BYTES;
    this.#start = this.#end = 0;
  }
}
