// Takes what was deleted or replaced out of all files before it is older than a day: the journal is applied and its files are
// emptied, then the database is rewritten. It goes in steps, between which the database serves those who are in a hurry.

import { setTimeout as passed } from "node:timers/promises";

import { StoreError } from "@heirloom/core";

import { NOTHING } from "./compaction.ts";
import type { DamageList } from "./damage-list.ts";
import type { DataDirectory } from "./data-directory.ts";
import { isOutOfSpace, messageOf } from "./errors.ts";
import type { Journal } from "./journal.ts";
import type { Database } from "./level-reader.ts";
import type { Reads } from "./reads.ts";
import { rewriteAll } from "./rewriting.ts";
import { isUnreadable, walk } from "./walk.ts";

/** Free bytes of the file system without which nothing is rewritten: a slice and its copy, several times. */
const SPARE_BYTES = 64 * 1024 * 1024;

/** Between two looks whether somebody still reads. */
const WAIT_MS = 20;

/** After one that could not be done the next try comes so much earlier. */
const RETRY_PART = 24;

/** The longest time of a timer. */
const MOST_MS = 2 ** 31 - 1;

export interface PurgeParts {
  readonly database: Database;
  readonly damage: DamageList;
  readonly directory: DataDirectory;
  readonly journal: Journal;
  readonly reads: Reads;
  /** Milliseconds from one to the next; Infinity = never. */
  readonly afterMs: number;
  /** Rewrites a range of the database, see `rewriteAll`. */
  readonly rewrite: (from: Buffer, to: Buffer) => Promise<void>;
  /** There are steps to do. */
  readonly begun: () => void;
}

export class Purge {
  readonly #parts: PurgeParts;
  #timer: NodeJS.Timeout | undefined;
  #isScheduled = false;
  #isStopped = false;
  #steps: AsyncGenerator<void, boolean> | undefined;
  /** The newest commit when the last one began. */
  #newest = -1;

  constructor(parts: PurgeParts) {
    this.#parts = parts;
  }

  get isRunning(): boolean {
    return this.#steps !== undefined;
  }

  /** Segments of the journal up to this commit are to be applied before the next step. */
  get applyTo(): number {
    return this.isRunning ? this.#newest : -1;
  }

  /** Looks when the last one was and waits for the time of the next, if it does not wait already. */
  schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    const { directory, afterMs } = this.#parts;
    void directory.purgedAtMs().then(
      (lastMs) => this.#wait(afterMs - (Date.now() - lastMs)),
      () => this.#wait(afterMs), // the format file is gone: the next start says so
    );
  }

  /** Does one step. Where there is no space for it, the rest is put off. */
  async step(): Promise<void> {
    if (this.#steps === undefined) return;
    try {
      const { done, value } = await this.#steps.next();
      if (done === true) this.#end(value);
    } catch (error) {
      if (!isOutOfSpace(error)) throw error;
      this.#end(false);
    }
  }

  /** No further step is done, now or later. */
  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    this.#steps = undefined;
  }

  #wait(ms: number): void {
    const { afterMs } = this.#parts;
    if (afterMs > MOST_MS || this.#isStopped) return;
    // A clock that was set back is no reason to wait longer.
    this.#timer = setTimeout(() => void this.#begin(), Math.min(Math.max(ms, 0), afterMs)).unref();
  }

  async #begin(): Promise<void> {
    const { journal, afterMs, begun } = this.#parts;
    if (journal.newest === this.#newest) {
      this.#wait(afterMs); // nothing was deleted since
      return;
    }
    if (!(await this.#isReadable()) || this.#isStopped) return;
    this.#steps = this.#run();
    begun();
  }

  /** Where LevelDB cannot read all of its files, they are not rewritten any more. */
  async #isReadable(): Promise<boolean> {
    const { database, damage, reads, afterMs } = this.#parts;
    const end = reads.begin();
    try {
      await walk(database, () => this.#isStopped);
      return true;
    } catch (error) {
      if (isUnreadable(error)) {
        const reason = `LevelDB could not read a part of its files: ${messageOf(error)}`;
        damage.note("database", `${reason}; what is deleted stays in them until they are repaired`);
      } else {
        this.#wait(afterMs / RETRY_PART); // closed meanwhile
      }
      return false;
    } finally {
      end();
    }
  }

  /** @returns whether it took everything out. */
  async *#run(): AsyncGenerator<void, boolean> {
    const { database, directory, journal, reads, rewrite } = this.#parts;
    this.#newest = await journal.empty();
    yield;
    // Deletions that a read has not seen are kept for it, with what they delete.
    yield* until(reads.ended());
    await database.compactRange(NOTHING, NOTHING);
    const isWhole = yield* rewriteAll(database, async (from, to) => {
      await this.#expectSpace();
      await rewrite(from, to);
    });
    yield* until(reads.ended());
    await database.compactRange(NOTHING, NOTHING);
    // Where that cannot be noted, the next start begins with another one.
    if (isWhole) await directory.notePurge().catch(() => undefined);
    return isWhole;
  }

  #end(isWhole: boolean): void {
    if (this.#steps === undefined) return; // stopped meanwhile
    this.#steps = undefined;
    if (!isWhole) this.#newest = -1;
    this.#wait(isWhole ? this.#parts.afterMs : this.#parts.afterMs / RETRY_PART);
  }

  async #expectSpace(): Promise<void> {
    const { directory } = this.#parts;
    const free = await directory.freeBytes();
    if (free >= SPARE_BYTES) return;
    throw new StoreError("STORE_FULL", `${directory.path} has ${free} bytes free, expected ${SPARE_BYTES}`);
  }
}

/** Steps until something is over. */
async function* until(over: Promise<void>): AsyncGenerator<void> {
  const isOver = over.then(() => true);
  while (!(await Promise.race([isOver, passed(WAIT_MS, false)]))) yield;
}
