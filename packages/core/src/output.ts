// The bytes that wait for one connection: in order, those in front free to go, those behind waiting for a batch to be on disk.
//
//   | free | waits for batch 7 | waits for batch 8 |
//
// The order never changes: what stands behind something that waits, waits too. So acknowledgements keep the order of
// their packets (3.1.1 [MQTT-4.6.0-2], [MQTT-4.6.0-6]) without any further rule.

import { Writer } from "@heirloom/codec";

export class Output {
  readonly writer: Writer = new Writer();
  /** Pairs: offset in the writer from which bytes wait, number of the batch that they wait for. Both rise. */
  readonly #marks: number[] = [];

  /** Bytes that are not sent yet. */
  get length(): number {
    return this.writer.length;
  }

  get isWaiting(): boolean {
    return this.#marks.length > 0;
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
    this.writer.reset();
    this.#marks.length = 0;
  }

  /**
   * Takes the bytes that may be sent now that batch `durable` is on disk, or `undefined` when there are none.
   * The caller owns them.
   */
  take(durable: number): Uint8Array | undefined {
    const marks = this.#marks;
    let passed = 0;
    while (passed < marks.length && (marks[passed + 1] ?? 0) <= durable) passed += 2;
    if (passed > 0) marks.splice(0, passed);
    if (this.writer.length === 0) return undefined;
    const free = marks[0];
    if (free === undefined) return this.writer.take();
    if (free === 0) return undefined;
    const bytes = this.#takeFront(free);
    for (let mark = 0; mark < marks.length; mark += 2) marks[mark] = (marks[mark] ?? 0) - free;
    return bytes;
  }

  #takeFront(count: number): Uint8Array {
    const length = this.writer.length;
    const bytes = this.writer.take();
    this.writer.append(bytes, count, length);
    return bytes.subarray(0, count);
  }
}
