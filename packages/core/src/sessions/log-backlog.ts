// What waits for one lasting session, as its cursors see it: the next message over all its logs, in the order of sequence
// numbers, one copy of what stands in several logs. Reads from memory where it can, from the store where it must.

import type { Context } from "../context.ts";
import type { Cursor } from "../logs/cursor.ts";
import type { Entry } from "../logs/entry.ts";

/** The message that is next, and all cursors that stand on it. */
export interface NextEntry {
  readonly entry: Entry;
  /** At least one. */
  readonly cursors: readonly Cursor[];
  /** What each of them has at its place: the same message, but not always in the same number of bytes. */
  readonly heads: readonly Entry[];
  /** Where each of them stands. */
  readonly indexes: readonly number[];
}

export class LogBacklog {
  readonly #context: Context;
  readonly #cursors = new Map<number, Cursor>();
  /** Those with something to read, as of the last call of `begin`. */
  #pending: Cursor[] = [];
  readonly #onRead: () => void;

  /** `onRead` is called when blocks arrived from the store. */
  constructor(context: Context, onRead: () => void) {
    this.#context = context;
    this.#onRead = onRead;
  }

  get cursors(): ReadonlyMap<number, Cursor> {
    return this.#cursors;
  }

  add(cursor: Cursor): void {
    this.#cursors.set(cursor.cursorId, cursor);
  }

  remove(cursor: Cursor): void {
    this.#cursors.delete(cursor.cursorId);
    this.#pending = this.#pending.filter((other) => other !== cursor);
  }

  /** Entries that wait, summed over all cursors. */
  get waiting(): number {
    let count = 0;
    for (const cursor of this.#cursors.values()) count += cursor.waiting;
    return count;
  }

  get waitingBytes(): number {
    let bytes = 0;
    for (const cursor of this.#cursors.values()) bytes += cursor.waitingBytes;
    return bytes;
  }

  /** Looks which cursors have something to read. Call it before `next`, once after messages may have been appended. */
  begin(): void {
    this.#pending.length = 0;
    for (const cursor of this.#cursors.values()) if (cursor.waiting > 0) this.#pending.push(cursor);
  }

  /** The next message; `"reading"` when it has to come from the store first; `undefined` when nothing waits. */
  next(): NextEntry | "reading" | undefined {
    let first: Entry | undefined;
    let cursors: Cursor[] = [];
    let heads: Entry[] = [];
    let isReading = false;
    for (let place = this.#pending.length - 1; place >= 0; place--) {
      const cursor = this.#pending[place];
      if (cursor === undefined) continue;
      const entry = cursor.waiting > 0 ? this.#head(cursor) : undefined;
      if (entry === undefined) {
        this.#pending.splice(place, 1);
      } else if (entry === "reading") {
        isReading = true;
      } else if (first === undefined || entry.sequence < first.sequence) {
        first = entry;
        cursors = [cursor];
        heads = [entry];
      } else if (entry.sequence === first.sequence) {
        cursors.push(cursor);
        heads.push(entry);
        // Only logs with a reader that asks for No Local say who published.
        if (first.message.publisherId === "") first = entry;
      }
    }
    if (isReading) return "reading";
    if (first === undefined) return undefined;
    return { entry: first, cursors, heads, indexes: cursors.map((cursor) => cursor.next) };
  }

  /** Moves the cursors past an entry. One that was moved on at the queue's limit meanwhile stays where it is. */
  advance(next: NextEntry): void {
    for (const [place, cursor] of next.cursors.entries()) {
      const head = next.heads[place];
      if (head !== undefined && cursor.next === next.indexes[place]) cursor.advance(head.bytes);
    }
  }

  /** Forgets what was read from the store, when the session goes offline. */
  dropPages(): void {
    for (const cursor of this.#cursors.values()) cursor.page = [];
  }

  #head(cursor: Cursor): Entry | "reading" | undefined {
    const entry = cursor.head();
    if (entry !== "absent") return entry;
    const bytes = Math.max(SMALLEST_PAGE_BYTES, Math.min(PAGE_BYTES, PAGES_BYTES / this.#pending.length));
    readPage(this.#context, cursor, bytes, this.#onRead);
    return "reading";
  }
}

/** Bytes that one cursor reads ahead from the store. */
export const PAGE_BYTES = 65_536;
/** Bytes that all cursors of one session read ahead together, as long as each has at least one block. */
const PAGES_BYTES = 1_048_576;
const SMALLEST_PAGE_BYTES = 1_024;

/** Reads the next blocks of a cursor's log from the store, then calls `done`. One read at a time for a cursor. */
export function readPage(context: Context, cursor: Cursor, bytes: number, done: () => void): void {
  if (cursor.isReading) return;
  cursor.isReading = true;
  const { next, log } = cursor;
  const storedTo = log.recentIndex;
  context.logs.readBlocks(log, next, Math.floor(bytes)).then(
    (page) => {
      cursor.isReading = false;
      cursor.page = page;
      // A cursor that was moved on meanwhile, at the queue's limit, may stand behind all that was read: that says nothing of
      // what it stands on, which is read next.
      if (cursor.next === next) skipMissing(context, cursor, storedTo);
      done();
    },
    (error: unknown) => {
      cursor.isReading = false;
      context.logs.readFailed(error);
    },
  );
}

/**
 * Goes on behind entries that the store could not give back. They were acknowledged: they are counted and reported.
 * `storedTo`: those from this index on were in memory when the read began. The store may not have had them yet, and they may have
 * left the memory since: the next read brings them.
 */
function skipMissing(context: Context, cursor: Cursor, storedTo: number): void {
  // Nobody misses what is not there for a reader that has gone meanwhile.
  if (cursor.waiting === 0 || !cursor.log.cursors.has(cursor)) return;
  const first = cursor.page.find((block) => block.endIndex > cursor.next)?.firstIndex ?? storedTo;
  const missing = Math.min(first, storedTo, cursor.end, cursor.log.endIndex) - cursor.next;
  if (missing <= 0) return;
  context.observer.event("damaged", {
    place: `log ${cursor.log.logId} of ${JSON.stringify(cursor.log.topicFilter)}, entries ${cursor.next} to ${cursor.next + missing - 1}`,
    reason: "not readable from the store, expected entries without gaps",
  });
  cursor.skip(missing);
  cursor.owner.missing(cursor, missing);
}
