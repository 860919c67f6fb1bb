// The durable store: one data directory with a LevelDB database in it. A commit is one synced batch.
// Keys, values, files and recovery are described in `docs/store-format.md`.

import { StoreError } from "@heirloom/core";
import type { Damage, DamagedBlock, LogExtent, Store, StoreBatch, StoredBlock, Table } from "@heirloom/core";

import { Compaction } from "./compaction.ts";
import { DamageList } from "./damage-list.ts";
import { DataDirectory } from "./data-directory.ts";
import { codeOf, isOutOfSpace, messageOf, toStoreError } from "./errors.ts";
import { blockKey } from "./keys.ts";
import { LevelReader } from "./level-reader.ts";
import type { Database } from "./level-reader.ts";
import { openDatabase } from "./open-database.ts";
import { PendingTrims } from "./pending-trims.ts";
import type { TrimStep } from "./pending-trims.ts";
import { UndoList } from "./undo-list.ts";
import { BatchEncoder } from "./values.ts";

export interface LevelStoreOptions {
  /** Path of the data directory. Created, for its owner only, when there is none. */
  readonly directory: string;
  /** Milliseconds after a long trim at which its space is given back to the file system. Default 10,000. */
  readonly compactAfterMs?: number;
}

const COMPACT_AFTER_MS = 10_000;

const SYNC = { sync: true } as const;

/** A trim of up to so many indexes is done in its own commit: a deletion per index is cheaper than a search. */
const SHORT_TRIM_INDEXES = 32;

/** Indexes of one step of a longer trim, in the background. A commit never waits for more than one step. */
const TRIM_STEP_INDEXES = 4096;

/** From so many waiting indexes on, trims take turns with commits; below, they wait until no commit runs. */
const URGENT_TRIM_INDEXES = 65_536;

/** Free bytes beyond what has to be written again, without which the database is not opened after a full disk. */
const SPARE_BYTES = 1024 * 1024;

export class LevelStore implements Store {
  readonly #directory: DataDirectory;
  readonly #encoder = new BatchEncoder();
  readonly #trims = new PendingTrims();
  readonly #undo = new UndoList();
  #damage: DamageList;
  #database: Database | undefined;
  #committing: Promise<void> | undefined;
  #trimming: Promise<void> | undefined;
  #reopening: Promise<unknown> | undefined;
  readonly #compaction: Compaction;
  /** A write found no space. LevelDB's log file may end in half a record, and what is written behind it could be lost. */
  #isSuspect = false;
  /** What failed for good. No commit is tried after it. */
  #failure: StoreError | undefined;

  constructor(options: LevelStoreOptions) {
    this.#directory = new DataDirectory(options.directory);
    this.#compaction = new Compaction(
      options.compactAfterMs ?? COMPACT_AFTER_MS,
      (from, to) => this.#database?.compactRange(from, to),
      (error) => this.#compactionFailed(error),
    );
    this.#damage = new DamageList(this.#directory.damaged);
  }

  get damage(): readonly Damage[] {
    return this.#damage.found;
  }

  async open(): Promise<void> {
    this.#damage = new DamageList(this.#directory.damaged);
    try {
      const database = await openDatabase(this.#directory, this.#damage);
      this.#database = database;
      await new LevelReader(database, this.#damage).findForeign();
    } catch (error) {
      await this.#database?.close();
      throw toStoreError(`opening ${this.#directory.path}`, error);
    }
  }

  async close(): Promise<void> {
    await this.#committing?.catch(() => undefined); // its caller has the error
    for (;;) {
      this.#startTrimStep();
      if (this.#trimming === undefined) break;
      await this.#trimming;
    }
    await this.#compaction.stop();
    await this.#database?.close();
    this.#database = undefined;
    this.#isSuspect = false;
    this.#failure = undefined;
    this.#undo.clear();
  }

  commit(batch: StoreBatch): Promise<void> {
    if (this.#committing !== undefined) throw new Error("a commit runs already, expected one at a time");
    const committing = this.#commit(batch).finally(() => {
      this.#committing = undefined;
      this.#trimSoon();
    });
    this.#committing = committing;
    return committing;
  }

  async *load(table: Table): AsyncGenerator<readonly (readonly [key: string, value: Uint8Array])[]> {
    const reader = await this.#reader();
    try {
      yield* reader.load(table);
    } catch (error) {
      throw this.#readError(error);
    }
  }

  async loadLogs(): Promise<readonly LogExtent[]> {
    const reader = await this.#reader();
    try {
      return await reader.loadLogs();
    } catch (error) {
      throw this.#readError(error);
    }
  }

  async readLog(
    logId: number,
    fromIndex: number,
    maximumBytes: number,
  ): Promise<readonly (StoredBlock | DamagedBlock)[]> {
    const reader = await this.#reader();
    try {
      return await reader.readLog(logId, fromIndex, maximumBytes);
    } catch (error) {
      throw this.#readError(error);
    }
  }

  async #commit(batch: StoreBatch): Promise<void> {
    // Trims and commits never write at the same time: behind a trim that found no space, LevelDB's log file may end
    // in half a record, and a commit that got in after it would be acknowledged and lost.
    if (this.#trimming !== undefined) await this.#trimming;
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#isSuspect) await this.#reopen(batch);
    await this.#write(batch);
  }

  async #write(batch: StoreBatch): Promise<void> {
    const operations = this.#opened.batch();
    this.#undo.write(operations);
    this.#encoder.batch(operations, batch);
    for (const { logId, firstIndex, endIndex } of batch.trims) {
      if (isShort(firstIndex, endIndex)) this.#encoder.trim(operations, logId, firstIndex, endIndex);
    }
    try {
      await operations.write(SYNC);
    } catch (error) {
      throw await this.#writeError(error, batch);
    }
    this.#undo.clear();
    for (const { logId, firstIndex, endIndex } of batch.trims) {
      if (!isShort(firstIndex, endIndex)) this.#trims.add(logId, firstIndex, endIndex);
    }
  }

  async #writeError(error: unknown, batch: StoreBatch): Promise<StoreError> {
    const found = toStoreError(`writing to ${this.#directory.path}`, error);
    if (found.code !== "STORE_FULL") return this.#fail(found);
    this.#isSuspect = true;
    const shortTrims = batch.trims.filter(({ firstIndex, endIndex }) => isShort(firstIndex, endIndex));
    try {
      await this.#undo.remember(this.#opened, batch, shortTrims);
    } catch (readError) {
      return this.#fail(this.#readError(readError));
    }
    return found;
  }

  /**
   * Closes the database and opens it again, as soon as there is space for what LevelDB writes when it opens. Until
   * then the database stays as it is, so that it can be read.
   */
  async #reopen(batch: StoreBatch): Promise<void> {
    const { path } = this.#directory;
    try {
      const free = await this.#directory.freeBytes();
      const needed =
        (await this.#directory.writeAheadBytes()) + bytesOf(batch) + this.#undo.byteCount + SPARE_BYTES;
      if (free < needed) {
        throw new StoreError(
          "STORE_FULL",
          `${path} has ${free} bytes free, expected ${needed} to go on writing`,
        );
      }
      const database = this.#opened;
      const reopening = database.close().then(() => database.open());
      this.#reopening = reopening.catch(() => undefined);
      await reopening;
      this.#isSuspect = false;
    } catch (error) {
      const found = toStoreError(`opening ${path} again`, error);
      throw found.code === "STORE_FULL" ? found : this.#fail(found);
    } finally {
      this.#reopening = undefined;
    }
  }

  #trimSoon(): void {
    const waiting = this.#trims.indexCount;
    if (waiting >= URGENT_TRIM_INDEXES) this.#startTrimStep();
    else if (waiting > 0) setImmediate(() => this.#startTrimStep());
  }

  #startTrimStep(): void {
    const isBusy = this.#committing !== undefined || this.#trimming !== undefined;
    if (isBusy || this.#isSuspect || this.#failure !== undefined || this.#database === undefined) return;
    const step = this.#trims.take(TRIM_STEP_INDEXES);
    if (step === undefined) return;
    this.#trimming = this.#trim(this.#database, step).then(() => {
      this.#trimming = undefined;
      this.#trimSoon();
    });
  }

  async #trim(database: Database, step: TrimStep): Promise<void> {
    const { logId, firstIndex, endIndex } = step;
    try {
      await database.clear({ gte: blockKey(logId, firstIndex), lt: blockKey(logId, endIndex) });
      this.#compaction.trimmed(logId, firstIndex, endIndex);
    } catch (error) {
      const place = `log ${logId}, entries ${firstIndex} to ${endIndex - 1}`;
      if (codeOf(error) === "LEVEL_CORRUPTION") {
        this.#damage.note(place, `could not be deleted: ${messageOf(error)}`);
      } else if (isOutOfSpace(error)) {
        this.#isSuspect = true;
        this.#trims.add(logId, firstIndex, endIndex);
      } else {
        this.#fail(toStoreError(`deleting ${place} in ${this.#directory.path}`, error));
      }
    }
  }

  #compactionFailed(error: unknown): void {
    if (!isOutOfSpace(error)) this.#fail(toStoreError(`compacting ${this.#directory.path}`, error));
  }

  async #reader(): Promise<LevelReader> {
    if (this.#reopening !== undefined) await this.#reopening;
    if (this.#opened.status !== "open") {
      throw new StoreError("STORE_FULL", `${this.#directory.path} waits for space to be opened again`);
    }
    return new LevelReader(this.#opened, this.#damage);
  }

  #readError(error: unknown): StoreError {
    return toStoreError(`reading ${this.#directory.path}`, error);
  }

  #fail(error: StoreError): StoreError {
    this.#failure ??= error;
    return error;
  }

  get #opened(): Database {
    if (this.#database === undefined) throw new Error("the store is closed, expected it to be open");
    return this.#database;
  }
}

function isShort(firstIndex: number, endIndex: number): boolean {
  return endIndex - firstIndex <= SHORT_TRIM_INDEXES;
}

function bytesOf(batch: StoreBatch): number {
  let bytes = 0;
  for (const { key, value } of batch.records) bytes += key.length + (value?.length ?? 0);
  for (const block of batch.blocks) bytes += block.bytes.length;
  return bytes;
}
