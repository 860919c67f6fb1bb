// Applies a segment of the journal to the database: what is still true of it, in synced batches. Each step may be done again after
// a crash, because the journal is read again until the last step says how far it was applied.

import { JOURNAL_TAG } from "./keys.ts";
import type { Database } from "./level-reader.ts";
import type { Overlay } from "./overlay.ts";
import type { BlockPlace, Cell, LogTail, Segment } from "./segment.ts";
import type { StoredLogs } from "./stored-logs.ts";
import { BatchEncoder, checkedValue, findFault } from "./values.ts";

/** Bytes, and operations, of one step. Commits go on meanwhile, but its preparation holds up the broker. */
const STEP_BYTES = 524_288;
const STEP_OPERATIONS = 500;

const JOURNAL_KEY = Buffer.of(JOURNAL_TAG);

/** The store's own record. */
export interface JournalState {
  /** Sequence number of the newest commit that is in the database. */
  readonly applied: number;
  /** Whether the journal may hold more: then it has to be there at the next start. */
  readonly isOpen: boolean;
}

/** Reads the store's own record; `"damaged"` with what is wrong with it. */
export async function readState(
  database: Database,
): Promise<
  JournalState | undefined | { readonly fault: string; readonly key: Buffer; readonly value: Buffer }
> {
  const value = await database.get(JOURNAL_KEY);
  if (value === undefined) return undefined;
  const fault = findFault(JOURNAL_KEY, value);
  if (fault !== undefined) return { fault, key: JOURNAL_KEY, value };
  return { applied: value.readUIntBE(0, 6), isOpen: value.readUInt8(6) === 1 };
}

export async function writeState(database: Database, state: JournalState): Promise<void> {
  await database.put(JOURNAL_KEY, stateValue(state), { sync: true });
}

function stateValue({ applied, isOpen }: JournalState): Buffer {
  const state = Buffer.alloc(7);
  state.writeUIntBE(applied, 0, 6);
  state.writeUInt8(isOpen ? 1 : 0, 6);
  return checkedValue(JOURNAL_KEY, state);
}

export interface CheckpointParts {
  readonly overlay: Overlay;
  readonly stored: StoredLogs;
  /** Whether something waits to be deleted of a log. */
  readonly isTrimmed: (logId: number) => boolean;
  /** Deletes it. */
  readonly trim: (logId: number) => Promise<void>;
}

type Step = ReturnType<Database["batch"]>;

/** One segment on its way to the database. */
export class Checkpoint {
  readonly #database: Database;
  readonly #parts: CheckpointParts;
  readonly #encoder = new BatchEncoder();
  #step: Step;
  #bytes = 0;
  /** The log of its last block. */
  #logId: number | undefined;

  constructor(database: Database, parts: CheckpointParts) {
    this.#database = database;
    this.#parts = parts;
    this.#step = database.batch();
  }

  /** Applies a segment, and forgets it in the overlay. */
  async apply(segment: Segment): Promise<void> {
    for (const cell of segment.cells) {
      // Otherwise a later segment holds a newer value.
      if (cell.segment === segment && this.#record(cell)) await this.#endStep();
    }
    for (const tail of segment.tails) {
      // While a step is written the tail may lose blocks at its start.
      for (const block of blocksUpTo(tail, segment)) {
        if (block.lastIndex < tail.trimmedTo) continue;
        // Otherwise a crash could leave blocks before it that were trimmed, and a gap between that looks like damage.
        if (this.#parts.isTrimmed(tail.logId)) await this.#trim(tail.logId);
        if (block.lastIndex >= tail.trimmedTo && this.#block(tail.logId, block)) await this.#endStep();
      }
    }
    this.#step.put(JOURNAL_KEY, stateValue({ applied: segment.lastSequence, isOpen: true }));
    await this.#endStep();
    this.#parts.overlay.forget(segment);
  }

  /** What the step has of the log is written first: it may be part of what was trimmed. */
  async #trim(logId: number): Promise<void> {
    if (this.#logId === logId) await this.#endStep();
    await this.#parts.trim(logId);
  }

  #record({ segment, table, key, at, byteCount }: Cell): boolean {
    const value = byteCount < 0 ? undefined : segment.view(at, byteCount);
    this.#encoder.record(this.#step, table, key, value);
    return this.#isFull(key.length + byteCount);
  }

  #block(logId: number, { segment, firstIndex, lastIndex, at, byteCount }: BlockPlace): boolean {
    // Before it is written: a trim that comes meanwhile has to know that there will be something to delete.
    this.#parts.stored.added(logId, firstIndex, lastIndex);
    this.#logId = logId;
    this.#encoder.block(this.#step, { logId, firstIndex, lastIndex, bytes: segment.view(at, byteCount) });
    return this.#isFull(byteCount);
  }

  /** Whether a step with so many bytes more is large enough. */
  #isFull(byteCount: number): boolean {
    this.#bytes += byteCount;
    return this.#bytes >= STEP_BYTES || this.#step.length >= STEP_OPERATIONS;
  }

  /** Each step is synced: LevelDB syncs one log file only, and may have begun its next one since the step before. */
  async #endStep(): Promise<void> {
    await this.#step.write({ sync: true });
    this.#step = this.#database.batch();
    this.#bytes = 0;
    this.#logId = undefined;
  }
}

function blocksUpTo({ blocks }: LogTail, segment: Segment): readonly BlockPlace[] {
  const end = blocks.findIndex((block) => block.segment.number > segment.number);
  return end === -1 ? blocks.slice() : blocks.slice(0, end);
}
