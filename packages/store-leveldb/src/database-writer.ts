// Everything that writes to the database while the store is open: segments of the journal, deletions of trimmed blocks, and the
// way back after a full disk. One thing at a time; commits go to the journal meanwhile.

import { StoreError } from "@heirloom/core";

import { Checkpoint, writeState } from "./checkpoint.ts";
import { Compaction } from "./compaction.ts";
import type { DamageList } from "./damage-list.ts";
import type { DataDirectory } from "./data-directory.ts";
import { codeOf, isOutOfSpace, messageOf, toStoreError } from "./errors.ts";
import type { Journal } from "./journal.ts";
import { blockKey } from "./keys.ts";
import type { Database } from "./level-reader.ts";
import type { Overlay } from "./overlay.ts";
import { PendingTrims } from "./pending-trims.ts";
import type { TrimStep } from "./pending-trims.ts";
import { Purge } from "./purge.ts";
import type { Reads } from "./reads.ts";
import type { Segment } from "./segment.ts";
import type { StoredLogs } from "./stored-logs.ts";

/** From so many waiting indexes on, trims begin by themselves; fewer wait for the next segment that is applied. */
const WORTH_TRIMMING_INDEXES = 256;

/** With more records in the overlay, segments are applied however small the journal is: each takes about 150 bytes of the heap. */
const MOST_RECORDS = 131_072;

/** Segments of a journal, which each start makes one more of: their files are open and in memory. A full one has about ten. */
const MOST_SEGMENTS = 32;

/** Indexes of one step of a trim. */
const TRIM_STEP_INDEXES = 4096;

/** Free bytes beyond what has to be written again, without which the database is not opened after a full disk. */
const SPARE_BYTES = 1024 * 1024;

/** After a full disk the next try waits so long, unless a commit needs it. */
const RETRY_MS = 500;

export interface DatabaseWriterParts {
  readonly database: Database;
  readonly directory: DataDirectory;
  readonly damage: DamageList;
  readonly journal: Journal;
  readonly overlay: Overlay;
  readonly stored: StoredLogs;
  readonly reads: Reads;
  readonly compactAfterMs: number;
  readonly purgeAfterMs: number;
  readonly journalBytes: number;
}

export class DatabaseWriter {
  readonly #parts: DatabaseWriterParts;
  readonly #trims = new PendingTrims();
  readonly #compaction: Compaction;
  readonly #purge: Purge;
  /** From so many bytes in the journal on, the oldest segment is applied. */
  readonly #enoughBytes: number;
  #working: Promise<void> | undefined;
  #reopening: Promise<unknown> | undefined;
  /** A write found no space. LevelDB's log file may end in half a record, and what is written behind it could be lost. */
  #isSuspect = false;
  #retryAtMs = 0;
  /** Why the last work ended before it was done. */
  #full: StoreError | undefined;
  /** What failed for good. */
  #failure: StoreError | undefined;

  constructor(parts: DatabaseWriterParts) {
    this.#parts = parts;
    this.#enoughBytes = (parts.journalBytes * 3) / 4;
    this.#compaction = new Compaction({
      afterMs: parts.compactAfterMs,
      compact: (from, to) => this.#compact(from, to),
      reads: parts.reads,
      failed: (error) => this.#compactionFailed(error),
    });
    this.#purge = new Purge({
      ...parts,
      afterMs: parts.purgeAfterMs,
      rewrite: (from, to) => this.#rewrite(from, to),
      begun: () => this.start(),
    });
  }

  /** Notes that nothing is to be written any more. */
  fail(error: StoreError): StoreError {
    this.#failure ??= error;
    return error;
  }

  /** Blocks that end in [`firstIndex`, `endIndex`) can be deleted, some time after the next {@link start}. */
  trim(logId: number, firstIndex: number, endIndex: number): void {
    this.#trims.add(logId, firstIndex, endIndex);
  }

  /**
   * Begins the work that there is, if none runs. Not before the first commit: until then the store is read from its beginning
   * to its end, and nothing may move from the journal to the database meanwhile.
   */
  start(): void {
    this.#purge.schedule();
    if (this.#working !== undefined || !this.#hasWork) return;
    if (this.#isSuspect && performance.now() < this.#retryAtMs) return;
    void this.#work();
  }

  /**
   * Waits until the journal has room for a commit.
   *
   * @throws StoreError `STORE_FULL` when there is none because the database cannot grow, and what failed for good.
   */
  async makeRoom(): Promise<void> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#hasRoom()) return;
      await (this.#working ?? this.#work());
      if (this.#full !== undefined && !this.#hasRoom()) throw this.#full;
    }
  }

  /** Waits for a database that is being opened again. */
  async reopened(): Promise<void> {
    await this.#reopening;
  }

  /**
   * Does everything that is left, as far as there is space. Before the journal and the database are closed.
   *
   * @returns whether the journal is not needed any more.
   */
  async finish(): Promise<boolean> {
    const { journal, database } = this.#parts;
    this.#purge.stop();
    await this.#working;
    journal.complete();
    while (this.#failure === undefined && (journal.oldest !== undefined || this.#trims.indexCount > 0)) {
      await this.#work(0);
      if (this.#full !== undefined) break;
    }
    await this.#compaction.stop();
    // Behind half a record the state could be lost at recovery, and the journal would be gone by then.
    if (this.#failure !== undefined || journal.oldest !== undefined || this.#isSuspect) return false;
    try {
      await writeState(database, { applied: journal.applied, isOpen: false });
      return true;
    } catch {
      return false; // the next start finds a journal in use, as after a crash
    }
  }

  #hasRoom(): boolean {
    const { liveBytes, segmentCount } = this.#parts.journal;
    return liveBytes < this.#parts.journalBytes && segmentCount < MOST_SEGMENTS;
  }

  get #hasWork(): boolean {
    if (this.#failure !== undefined) return false;
    if (this.#trims.indexCount >= WORTH_TRIMMING_INDEXES || this.#purge.isRunning) return true;
    return this.#isOver(this.#enoughBytes);
  }

  #isOver(bytes: number): boolean {
    const { journal, overlay } = this.#parts;
    if (journal.oldest === undefined) return false;
    if (journal.liveBytes > bytes || overlay.recordCount > MOST_RECORDS) return true;
    if (journal.oldest.lastSequence <= this.#purge.applyTo) return true;
    return journal.segmentCount >= MOST_SEGMENTS / 2;
  }

  /** Never rejects: what goes wrong is noted for the next commit. */
  #work(enoughBytes = this.#enoughBytes): Promise<void> {
    this.#full = undefined;
    this.#working = this.#run(enoughBytes)
      .catch((error: unknown) => {
        const found = toStoreError(`writing to ${this.#parts.directory.path}`, error);
        if (found.code !== "STORE_FULL") this.fail(found);
        else this.#full = found;
        this.#retryAtMs = performance.now() + RETRY_MS;
      })
      .finally(() => {
        this.#working = undefined;
        if (this.#purge.isRunning) this.start();
      });
    return this.#working;
  }

  async #run(enoughBytes: number): Promise<void> {
    const { journal } = this.#parts;
    for (;;) {
      if (this.#failure !== undefined) return;
      if (this.#isSuspect) await this.#reopen();
      // Trims first: once the segment that says so is applied, nobody knows any more what was to be deleted.
      const step = this.#trims.take(TRIM_STEP_INDEXES);
      const segment = this.#isOver(enoughBytes) ? journal.oldest : undefined;
      if (step !== undefined) await this.#trim(step);
      else if (segment !== undefined) await this.#apply(segment);
      else {
        await this.#purge.step();
        return; // a commit that waits for room is not to wait for more than one step
      }
    }
  }

  /** Deletes all that waits to be deleted of a log. */
  async #trimLog(logId: number): Promise<void> {
    const step = this.#trims.take(Infinity, logId);
    if (step !== undefined) await this.#trim(step);
  }

  async #apply(segment: Segment): Promise<void> {
    const { database, journal, overlay, stored } = this.#parts;
    const isTrimmed = (logId: number): boolean => this.#trims.has(logId);
    const trim = (logId: number): Promise<void> => this.#trimLog(logId);
    try {
      await new Checkpoint(database, { overlay, stored, isTrimmed, trim }).apply(segment);
    } catch (error) {
      this.#isSuspect = isOutOfSpace(error);
      throw error;
    }
    await journal.release();
  }

  async #trim({ logId, firstIndex, endIndex }: TrimStep): Promise<void> {
    const end = this.#parts.reads.begin();
    try {
      await this.#parts.database.clear({ gte: blockKey(logId, firstIndex), lt: blockKey(logId, endIndex) });
      this.#compaction.trimmed(logId, firstIndex, endIndex);
    } catch (error) {
      if (codeOf(error) === "LEVEL_CORRUPTION") {
        const place = `log ${logId}, entries ${firstIndex} to ${endIndex - 1}`;
        this.#parts.damage.note(place, `could not be deleted: ${messageOf(error)}`);
        return;
      }
      this.#isSuspect = isOutOfSpace(error);
      this.#trims.add(logId, firstIndex, endIndex);
      throw error;
    } finally {
      end();
    }
  }

  /**
   * Closes the database and opens it again, as soon as there is space for what LevelDB writes when it opens. Until
   * then the database stays as it is, so that it can be read.
   */
  async #reopen(): Promise<void> {
    const { database, directory, journal } = this.#parts;
    const free = await directory.freeBytes();
    const needed = (await directory.writeAheadBytes()) + (journal.oldest?.end ?? 0) + SPARE_BYTES;
    if (free < needed) {
      const seen = `${directory.path} has ${free} bytes free`;
      throw new StoreError("STORE_FULL", `${seen}, expected ${needed} to go on writing`);
    }
    const reopening = database.close().then(() => database.open());
    this.#reopening = reopening.catch(() => undefined);
    try {
      await reopening;
      this.#isSuspect = false;
    } finally {
      this.#reopening = undefined;
    }
  }

  /** Rewrites what lies between two keys that nobody has. */
  async #rewrite(from: Buffer, to: Buffer): Promise<void> {
    try {
      await this.#parts.database.batch().del(from).del(to).write();
      await this.#compact(from, to);
    } catch (error) {
      this.#isSuspect ||= isOutOfSpace(error);
      throw error;
    }
  }

  async #compact(from: Buffer, to: Buffer): Promise<void> {
    if (this.#isSuspect) throw new StoreError("STORE_FULL", `${this.#parts.directory.path} had no space`);
    await this.#parts.database.compactRange(from, to);
  }

  #compactionFailed(error: unknown): void {
    const found = toStoreError(`compacting ${this.#parts.directory.path}`, error);
    if (found.code !== "STORE_FULL") this.fail(found);
  }
}
