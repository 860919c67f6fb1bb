// Gives the space of trimmed entries back to the file system. LevelDB keeps what was deleted until it happens to rewrite
// what lies around it; after many deletions it is told to, in its own thread, and at most once in a while.

import { blockKey } from "./keys.ts";

/** Indexes of one log that have to be trimmed before it is worth it. */
const WORTH_INDEXES = 32_768;

/** Logs whose trims are counted. Most logs never come to be worth it, and nobody says here which of them are gone. */
const MOST_LOGS = 4096;

export class Compaction {
  readonly #afterMs: number;
  readonly #compact: (from: Buffer, to: Buffer) => Promise<void> | undefined;
  readonly #failed: (error: unknown) => void;
  /** The log that was trimmed longest ago first. */
  readonly #trimmed = new Map<number, { firstIndex: number; endIndex: number; count: number }>();
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;

  constructor(
    afterMs: number,
    compact: (from: Buffer, to: Buffer) => Promise<void> | undefined,
    failed: (error: unknown) => void,
  ) {
    this.#afterMs = afterMs;
    this.#compact = compact;
    this.#failed = failed;
  }

  /** Logs of which something is remembered. */
  get logCount(): number {
    return this.#trimmed.size;
  }

  /** Blocks that end in [`firstIndex`, `endIndex`) were deleted. */
  trimmed(logId: number, firstIndex: number, endIndex: number): void {
    const range = this.#trimmed.get(logId) ?? { firstIndex, endIndex, count: 0 };
    range.firstIndex = Math.min(range.firstIndex, firstIndex);
    range.endIndex = Math.max(range.endIndex, endIndex);
    range.count += endIndex - firstIndex;
    this.#trimmed.delete(logId);
    this.#trimmed.set(logId, range);
    if (this.#trimmed.size > MOST_LOGS) this.#forgetOne();
    if (range.count >= WORTH_INDEXES && this.#timer === undefined) {
      this.#timer = setTimeout(() => this.#start(), this.#afterMs).unref();
    }
  }

  /** Waits for what runs; nothing is started any more until the next trim. */
  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#trimmed.clear();
    await this.#running;
  }

  /** One that is about to be compacted stays. */
  #forgetOne(): void {
    for (const [logId, { count }] of this.#trimmed) {
      if (count >= WORTH_INDEXES) continue;
      this.#trimmed.delete(logId);
      return;
    }
  }

  #start(): void {
    this.#timer = undefined;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  async #run(): Promise<void> {
    for (const [logId, { firstIndex, endIndex, count }] of [...this.#trimmed]) {
      this.#trimmed.delete(logId);
      if (count < WORTH_INDEXES) continue;
      try {
        await this.#compact(blockKey(logId, firstIndex), blockKey(logId, endIndex));
      } catch (error) {
        this.#failed(error);
      }
    }
  }
}
