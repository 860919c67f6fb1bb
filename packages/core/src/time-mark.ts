// Keeps broker time on disk, so that it never goes back: if the wall clock was set back while the process was down, what was
// over stays over. Costs a record a second while something is written anyway, and one a minute otherwise.

import { Writer } from "@heirloom/codec";
import { writeU48 } from "./byte-writer.ts";
import type { StoreBatch } from "./ports/store.ts";
import type { Stored, Turn } from "./turn.ts";

/** Key of the record in the table "broker". */
export const TIME_KEY = "time";

/** While nothing else is written, broker time is written this often. */
const IDLE_MS = 60_000;

export class TimeMark implements Stored {
  unsaved = false;
  readonly #turn: Turn;
  #batch = 0;
  #timeMs = 0;

  constructor(turn: Turn) {
    this.#turn = turn;
  }

  /** Has broker time saved, if something else was saved since, or the last time is long ago. Called about once a second. */
  keep(): void {
    if (this.#turn.collecting > this.#batch + 1 || this.#turn.nowMs >= this.#timeMs + IDLE_MS)
      this.#turn.save(this);
  }

  save(batch: StoreBatch, batchNumber: number): void {
    this.#batch = batchNumber;
    this.#timeMs = this.#turn.timeAtEnd();
    const writer = new Writer();
    writeU48(writer, Math.floor(this.#timeMs));
    batch.put("broker", TIME_KEY, writer.take());
  }
}
