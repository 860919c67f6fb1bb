// Keeps broker time on disk, so that it never goes back: if the wall clock was set back while the process was down, what was
// over stays over. It rides along with what is written anyway, once a second; while nothing is, it is written once a minute.

import { Writer } from "@heirloom/codec";
import { writeU48 } from "./byte-writer.ts";
import type { StoreBatch } from "./ports/store.ts";

/** Key of the record in the table "broker". */
export const TIME_KEY = "time";

/** A batch takes broker time along when it is this old. */
const RIDE_MS = 1_000;

/** What `Turn` saves. */
export class TimeMark {
  unsaved = false;
  readonly #now: () => number;
  /** What is on disk, or on its way. */
  #timeMs = -Infinity;

  /** `now`: broker time. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Whether it is at least `ageMs` behind. */
  isOlder(ageMs: number): boolean {
    return this.#now() >= this.#timeMs + ageMs;
  }

  /** Goes with a batch that is written for other reasons, if it is time. */
  ride(batch: StoreBatch): void {
    if (!batch.isEmpty && this.isOlder(RIDE_MS)) this.save(batch);
  }

  save(batch: StoreBatch): void {
    const timeMs = this.#now();
    if (timeMs === this.#timeMs) return;
    this.#timeMs = timeMs;
    const writer = new Writer();
    writeU48(writer, Math.floor(timeMs));
    batch.put("broker", TIME_KEY, writer.take());
  }
}
