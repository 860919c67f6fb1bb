// The durable store: one data directory with a journal and a LevelDB database in it. A commit is one synced write to the journal;
// what is still true of it later goes to the database. Keys, values, files and recovery are described in `docs/store-format.md`.

import { StoreError } from "@heirloom/core";
import type { Damage, DamagedBlock, LogExtent, Store, StoreBatch, StoredBlock, Table } from "@heirloom/core";

import { readState, writeState } from "./checkpoint.ts";
import { DamageList } from "./damage-list.ts";
import { DatabaseWriter } from "./database-writer.ts";
import { DataDirectory } from "./data-directory.ts";
import { toStoreError } from "./errors.ts";
import { Journal } from "./journal.ts";
import type { RecordSink } from "./journal-record.ts";
import { LevelReader } from "./level-reader.ts";
import type { Database } from "./level-reader.ts";
import { loadMerged, mergeExtents, readMerged } from "./merged-reader.ts";
import type { MergedParts } from "./merged-reader.ts";
import { openDatabase } from "./open-database.ts";
import { Overlay } from "./overlay.ts";
import { Reads } from "./reads.ts";
import type { Segment } from "./segment.ts";
import { StoredLogs } from "./stored-logs.ts";

export interface LevelStoreOptions {
  /** Path of the data directory. Created, for its owner only, when there is none. */
  readonly directory: string;
  /** Milliseconds after a long trim at which its space is given back to the file system. Default 10,000. */
  readonly compactAfterMs?: number;
  /**
   * Milliseconds after which everything that was deleted or replaced is taken out of the files, again and again; Infinity =
   * never. A purge rewrites the database. Default 86,400,000: a day.
   */
  readonly purgeAfterMs?: number;
  /**
   * Bytes of the journal, on disk and at most as much in memory; one commit may go beyond. The older three quarters are
   * applied to the database. At least 65,536; default 16 MiB.
   */
  readonly journalBytes?: number;
}

const COMPACT_AFTER_MS = 10_000;
const PURGE_AFTER_MS = 86_400_000;
const JOURNAL_BYTES = 16 * 1024 * 1024;
/** Segments of a full journal. The more there are, the longer a message has to be consumed before it costs more. */
const SEGMENTS = 8;

/** What there is while the store is open. */
interface Parts extends MergedParts {
  readonly database: Database;
  readonly journal: Journal;
  readonly writer: DatabaseWriter;
}

export class LevelStore implements Store {
  readonly #directory: DataDirectory;
  readonly #options: Required<LevelStoreOptions>;
  #damage: DamageList;
  #parts: Parts | undefined;
  #committing: Promise<void> | undefined;
  /** What `open` found in the database; kept until somebody asks for it, or commits. */
  #foundLogs: readonly LogExtent[] | undefined;

  constructor(options: LevelStoreOptions) {
    this.#options = {
      compactAfterMs: COMPACT_AFTER_MS,
      purgeAfterMs: PURGE_AFTER_MS,
      journalBytes: JOURNAL_BYTES,
      ...options,
    };
    this.#directory = new DataDirectory(options.directory);
    this.#damage = new DamageList(this.#directory.damaged);
  }

  get damage(): readonly Damage[] {
    return this.#damage.found;
  }

  async open(): Promise<void> {
    this.#damage = new DamageList(this.#directory.damaged);
    let parts: Parts | undefined;
    try {
      parts = this.#partsOf(await openDatabase(this.#directory, this.#damage));
      await parts.reader.findForeign();
      this.#foundLogs = await parts.reader.loadLogs();
      parts.stored.found(this.#foundLogs);
      await this.#recover(parts);
      this.#parts = parts;
    } catch (error) {
      await parts?.journal.close(false);
      await parts?.database.close();
      throw toStoreError(`opening ${this.#directory.path}`, error);
    }
  }

  async close(): Promise<void> {
    await this.#committing?.catch(() => undefined); // its caller has the error
    const parts = this.#parts;
    if (parts === undefined) return;
    this.#parts = undefined;
    const isApplied = await parts.writer.finish();
    await parts.journal.close(isApplied);
    await parts.database.close();
  }

  commit(batch: StoreBatch): Promise<void> {
    if (this.#committing !== undefined) throw new Error("a commit runs already, expected one at a time");
    const committing = this.#commit(this.#opened, batch).finally(() => {
      this.#committing = undefined;
    });
    this.#committing = committing;
    return committing;
  }

  async *load(table: Table): AsyncGenerator<readonly (readonly [key: string, value: Uint8Array])[]> {
    const parts = await this.#readable();
    try {
      yield* loadMerged(parts, table);
    } catch (error) {
      throw this.#readError(error);
    }
  }

  async loadLogs(): Promise<readonly LogExtent[]> {
    const parts = await this.#readable();
    try {
      const found = this.#foundLogs ?? (await parts.reader.loadLogs());
      this.#foundLogs = undefined;
      return mergeExtents(found, parts.overlay);
    } catch (error) {
      throw this.#readError(error);
    }
  }

  async readLog(
    logId: number,
    fromIndex: number,
    maximumBytes: number,
  ): Promise<readonly (StoredBlock | DamagedBlock)[]> {
    const parts = await this.#readable();
    try {
      return await readMerged(parts, logId, fromIndex, maximumBytes);
    } catch (error) {
      throw this.#readError(error);
    }
  }

  #partsOf(database: Database): Parts {
    const overlay = new Overlay();
    const stored = new StoredLogs();
    const reads = new Reads();
    const { compactAfterMs, purgeAfterMs, journalBytes } = this.#options;
    const segmentBytes = journalBytes / SEGMENTS;
    const journal = new Journal({ path: this.#directory.journal, segmentBytes, damage: this.#damage });
    const writer = new DatabaseWriter({
      database,
      directory: this.#directory,
      damage: this.#damage,
      journal,
      overlay,
      stored,
      reads,
      compactAfterMs,
      purgeAfterMs,
      journalBytes,
    });
    const reader = new LevelReader(database, this.#damage, reads);
    return { database, overlay, stored, journal, writer, reader };
  }

  /** Reads the journal of the process before, and begins one of our own. */
  async #recover(parts: Parts): Promise<void> {
    const { database, journal } = parts;
    const found = await readState(database);
    const isDamaged = found !== undefined && "fault" in found;
    if (isDamaged)
      await this.#damage.setAside("the state of the journal", found.fault, "state", found.key, found.value);
    const state = isDamaged ? undefined : found;
    await this.#directory.makeJournal();
    const hasJournal = await journal.recover(state?.applied, (segment) => this.#sinkOf(parts, segment));
    if (state?.isOpen === true && !hasJournal)
      this.#damage.note("the journal", `no file in use in ${this.#directory.journal}, expected one`);
    const { applied } = journal;
    await parts.writer.makeRoom();
    // A journal that was full is applied in part: the database has more than was found in it a moment ago.
    if (journal.applied !== applied) this.#foundLogs = undefined;
    await journal.begin();
    await writeState(database, { applied: journal.applied, isOpen: true });
  }

  async #commit(parts: Parts, batch: StoreBatch): Promise<void> {
    const { journal, writer } = parts;
    await writer.makeRoom();
    let segment: Segment;
    try {
      segment = await journal.append(batch);
    } catch (error) {
      const found = toStoreError(`writing to ${this.#directory.path}`, error);
      throw found.code === "STORE_FULL" ? found : writer.fail(found);
    }
    this.#foundLogs = undefined;
    journal.tell(batch, this.#sinkOf(parts, segment));
    writer.start();
  }

  /** Takes what is in the journal into the overlay. */
  #sinkOf({ overlay, stored, writer }: Parts, segment: Segment): RecordSink {
    return {
      record: (table, key, at, byteCount) => overlay.record(segment, table, key, at, byteCount),
      delete: (table, key) => overlay.record(segment, table, key, 0, -1),
      block: (block, at, byteCount) => overlay.block(segment, block, at, byteCount),
      trim: (logId, endIndex) => {
        overlay.trim(logId, endIndex);
        const range = stored.trim(logId, endIndex);
        if (range !== undefined) writer.trim(logId, range.firstIndex, range.endIndex);
      },
    };
  }

  async #readable(): Promise<Parts> {
    const parts = this.#opened;
    await parts.writer.reopened();
    if (parts.database.status !== "open") {
      parts.writer.start();
      throw new StoreError("STORE_FULL", `${this.#directory.path} waits for space to be opened again`);
    }
    return parts;
  }

  #readError(error: unknown): StoreError {
    return toStoreError(`reading ${this.#directory.path}`, error);
  }

  get #opened(): Parts {
    if (this.#parts === undefined) throw new Error("the store is closed, expected it to be open");
    return this.#parts;
  }
}
