// The port to durable storage: named records, and logs made of blocks of entries.
// The broker gives a store opaque bytes; a store knows nothing of MQTT. Every implementation passes the kit in `testing/store-kit.ts`.

/**
 * The tables of records. A record is found by its table and a key of up to 65,535 bytes of UTF-8; it is small
 * (a session, a subscription, a retained message).
 */
export const TABLES = [
  "broker",
  "session",
  "subscription",
  "delivery",
  "received",
  "log",
  "group",
  "retained",
] as const;

export type Table = (typeof TABLES)[number];

/**
 * One block as it stands in a log: the entries `firstIndex` to `lastIndex`, both included, encoded by the broker.
 * A logId has 32 bits; an index is 0 to 2^48 - 2, so that the index behind the last has 48 bits too.
 */
export interface StoredBlock {
  readonly logId: number;
  readonly firstIndex: number;
  readonly lastIndex: number;
  /** The encoded entries. Owned by the reader after it was returned, and by the store after it was committed. */
  readonly bytes: Uint8Array;
}

/** A place in a log whose bytes were read but failed the store's checksum. They were set aside, see {@link Damage}. */
export interface DamagedBlock {
  readonly logId: number;
  readonly firstIndex: number;
  readonly lastIndex: number;
  readonly damaged: true;
}

/** What one store found broken and set aside. Never served, never skipped in silence. */
export interface Damage {
  /** Where it stood, in words: table and key, or log and block. No contents. */
  readonly place: string;
  /** What was seen and what was expected. */
  readonly reason: string;
  /** Where the broken bytes were put aside, if they could be read. */
  readonly setAside?: string;
}

/** The extent of one log as it stands in the store. */
export interface LogExtent {
  readonly logId: number;
  /** Index of the oldest entry that is stored. */
  readonly firstIndex: number;
  /** The newest block. */
  readonly lastBlock: StoredBlock | DamagedBlock;
}

/**
 * Everything that has to become durable together. It is built by one turn, given to {@link Store.commit} and not
 * changed afterwards.
 *
 * Operations on the same record, and on the same log, take effect in the order in which they were added.
 */
export class StoreBatch {
  readonly records: {
    readonly table: Table;
    readonly key: string;
    readonly value: Uint8Array | undefined;
  }[] = [];
  readonly blocks: StoredBlock[] = [];
  readonly trims: { readonly logId: number; readonly firstIndex: number; readonly endIndex: number }[] = [];

  /** Writes a record; replaces the one that had the key. The batch owns `value` from here on. */
  put(table: Table, key: string, value: Uint8Array): void {
    this.records.push({ table, key, value });
  }

  /** Deletes a record; nothing happens when there is none. */
  delete(table: Table, key: string): void {
    this.records.push({ table, key, value: undefined });
  }

  /** Appends a block to a log. Blocks of one log follow each other without gaps and never overlap. */
  append(block: StoredBlock): void {
    this.blocks.push(block);
  }

  /**
   * Gives back the space of all blocks of a log that lie wholly within [`firstIndex`, `endIndex`).
   *
   * The store may do this later than the rest of the batch, and after a crash some of these blocks may be there
   * again: whoever reads the log starts from its own cursors. `firstIndex` is a hint that nothing older is stored,
   * so that the store need not search through what was deleted before. An index that was trimmed is never appended
   * again, not even after the whole log was: a trim that is done later would take it along.
   */
  trim(logId: number, firstIndex: number, endIndex: number): void {
    this.trims.push({ logId, firstIndex, endIndex });
  }

  get isEmpty(): boolean {
    return this.records.length === 0 && this.blocks.length === 0 && this.trims.length === 0;
  }
}

/**
 * What a store failed at.
 *
 * - `STORE_FULL`: no space. Nothing of the batch is visible or counts as durable; the same batch, or another one, may
 *   be committed again, and succeeds when there is space. If the process ends before another commit succeeds, the
 *   batch may be there after the restart: all of it or nothing.
 * - `STORE_FAILED`: writing or syncing failed in a way that leaves unknown what is on disk. Never retried; the
 *   process has to stop.
 * - `STORE_LOCKED`: another process has the data directory open.
 * - `STORE_FORMAT`: the data directory was written by another version of the format, or is no data directory.
 */
export type StoreErrorCode = "STORE_FULL" | "STORE_FAILED" | "STORE_LOCKED" | "STORE_FORMAT";

/** The world's fault, not ours: the disk, the directory, another process. */
export class StoreError extends Error {
  readonly code: StoreErrorCode;

  constructor(code: StoreErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "StoreError";
    this.code = code;
  }
}

/** The port. All methods may be called only between `open` and `close`. */
export interface Store {
  /**
   * Opens the store, creates it when there is none, and takes the lock that keeps other processes out.
   *
   * @throws StoreError `STORE_LOCKED`, `STORE_FORMAT`, `STORE_FULL` or `STORE_FAILED`, within a second.
   */
  open(): Promise<void>;

  /** Waits for the commit that runs, then gives back files and lock. */
  close(): Promise<void>;

  /**
   * Makes a batch durable, all of it or nothing: when the promise resolves, it survives a power cut. One commit
   * runs at a time; the caller waits for the promise before it commits again.
   *
   * @throws StoreError `STORE_FULL` or `STORE_FAILED`.
   */
  commit(batch: StoreBatch): Promise<void>;

  /**
   * Reads all records of a table in groups. The order is that of the keys' UTF-8 bytes. The caller does not commit
   * while it loads.
   *
   * @throws StoreError `STORE_FAILED` when the store cannot be read; {@link loadLogs} and {@link readLog} too. All
   * three throw `STORE_FULL` when the store needs space to be readable again, which is rare.
   */
  load(table: Table): AsyncIterable<readonly (readonly [key: string, value: Uint8Array])[]>;

  /** Tells which logs are stored and where they begin and end, without reading what lies between. */
  loadLogs(): Promise<readonly LogExtent[]>;

  /**
   * Reads blocks of a log, in order, beginning with the one that holds `fromIndex` or, when it is gone, with the
   * next one. Reads at least one block if there is one, then goes on up to about `maximumBytes`.
   */
  readLog(
    logId: number,
    fromIndex: number,
    maximumBytes: number,
  ): Promise<readonly (StoredBlock | DamagedBlock)[]>;

  /** What was found broken since `open`, in the order in which it was found. */
  readonly damage: readonly Damage[];
}
