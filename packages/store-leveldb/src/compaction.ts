// Gives the space of trimmed entries back to the file system. LevelDB keeps what was deleted until it happens to rewrite
// what lies around it; after many deletions it is told to, in its own thread, and at most once in a while.

import { blockKey } from "./keys.ts";
import type { Reads } from "./reads.ts";

/** Indexes of one log that have to be trimmed before it is worth it. */
const WORTH_INDEXES = 32_768;

/** Logs whose trims are counted. Most logs never come to be worth it, and nobody says here which of them are gone. */
const MOST_LOGS = 4096;

interface Range {
  readonly firstIndex: number;
  readonly endIndex: number;
  /** How many of the indexes were trimmed. */
  readonly count: number;
}

/** A range in which nothing is ever stored: to compact it writes what is in memory, and removes files that nobody reads any more. */
export const NOTHING: Buffer = Buffer.alloc(0);

export interface CompactionParts {
  /** Milliseconds after a long trim at which it begins. */
  readonly afterMs: number;
  /** Rewrites a range of the database. What it could not rewrite is tried again later. */
  readonly compact: (from: Buffer, to: Buffer) => Promise<void>;
  readonly reads: Reads;
  readonly failed: (error: unknown) => void;
}

export class Compaction {
  readonly #parts: CompactionParts;
  /** The log that was trimmed longest ago first. */
  readonly #trimmed = new Map<number, Range>();
  /** Until what it started is done. */
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #isStopped = false;

  constructor(parts: CompactionParts) {
    this.#parts = parts;
  }

  /** Logs of which something is remembered. */
  get logCount(): number {
    return this.#trimmed.size;
  }

  /** Blocks that end in [`firstIndex`, `endIndex`) were deleted. */
  trimmed(logId: number, firstIndex: number, endIndex: number): void {
    this.#note(logId, { firstIndex, endIndex, count: endIndex - firstIndex });
  }

  /** Waits for what runs; nothing is started any more. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  #note(logId: number, added: Range): void {
    const range = this.#trimmed.get(logId) ?? added;
    const count = range === added ? added.count : range.count + added.count;
    this.#trimmed.delete(logId);
    this.#trimmed.set(logId, {
      firstIndex: Math.min(range.firstIndex, added.firstIndex),
      endIndex: Math.max(range.endIndex, added.endIndex),
      count,
    });
    if (this.#trimmed.size > MOST_LOGS) this.#forgetOne();
    if (count >= WORTH_INDEXES) this.#arm();
  }

  #arm(): void {
    if (this.#isStopped) return;
    this.#timer ??= setTimeout(() => this.#start(), this.#parts.afterMs).unref();
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
    this.#running = this.#run().finally(() => {
      this.#timer = undefined;
      // Came to be worth it meanwhile, or could not be rewritten.
      if ([...this.#trimmed.values()].some(({ count }) => count >= WORTH_INDEXES)) this.#arm();
    });
  }

  async #run(): Promise<void> {
    const { compact, reads, failed } = this.#parts;
    try {
      for (const [logId, range] of [...this.#trimmed]) {
        if (range.count >= WORTH_INDEXES && !this.#isStopped) await this.#rewrite(logId, range);
      }
      // LevelDB keeps a replaced file that somebody reads, and only looks at it again at its next rewriting.
      await reads.ended();
      await compact(NOTHING, NOTHING);
    } catch (error) {
      failed(error);
    }
  }

  async #rewrite(logId: number, range: Range): Promise<void> {
    this.#trimmed.delete(logId);
    try {
      await this.#parts.compact(blockKey(logId, range.firstIndex), blockKey(logId, range.endIndex));
    } catch (error) {
      this.#note(logId, range);
      throw error;
    }
  }
}
