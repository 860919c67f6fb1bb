// A cursor: how far one reader got in one log, over one stretch of it. A subscription of a lasting session is a cursor
// without an end; when the subscription changes or goes, its cursor gets an end and is read up to there, so that nothing
// that was acknowledged is lost by an UNSUBSCRIBE.

import type { Limits } from "../limits.ts";
import type { Subscription } from "../subscription.ts";
import type { Block } from "./block.ts";
import type { Entry } from "./entry.ts";
import type { Log, LogReader } from "./log.ts";

/** Who owns a cursor: a session, or a shared group. */
export interface CursorOwner {
  /** Whether anything is in flight for the owner, over all its cursors. */
  readonly hasInFlight: boolean;
  /** The lowest index of a log that is in flight for the owner, over all its cursors, or `Infinity`. */
  lowestInFlight(log: Log): number;
  /** Sums what waits for all cursors of the owner and cuts it to the limit. Returns whether the limit is reached. */
  enforceLimit(limits: Limits): boolean;
  /** Entries were left out at the queue's limit. */
  discarded(cursor: Cursor, messages: number): void;
  /** Entries could not be read back. */
  missing(cursor: Cursor, messages: number): void;
}

export class Cursor implements LogReader {
  /** Number within its owner; what is in flight refers to it. */
  readonly cursorId: number;
  readonly owner: CursorOwner;
  readonly log: Log;
  /** The options that hold for this stretch. */
  readonly subscription: Subscription;
  /** Index of the next entry to deliver. */
  next: number;
  /** Bytes of all entries of the log before `next`. */
  nextBytes: number;
  /** Index at which the stretch ends, not included; `Infinity` while the subscription stands. */
  end: number = Infinity;
  /** Sequence numbers of the stretch: from, included, until, not included. */
  readonly fromSequence: number;
  untilSequence: number = Infinity;
  /** The `next` that its own record on disk has. */
  recordNext = -1;
  /** When the log has come so far, in entries or bytes, its owner's queue could be at the limit. */
  #lookAtIndex = 0;
  #lookAtBytes = 0;
  /** Blocks read from the store, in order, covering `next` and what follows. */
  page: Block[] = [];
  isReading = false;

  constructor(
    cursorId: number,
    owner: CursorOwner,
    log: Log,
    subscription: Subscription,
    next: number,
    nextBytes: number,
    fromSequence: number,
  ) {
    this.cursorId = cursorId;
    this.owner = owner;
    this.log = log;
    this.subscription = subscription;
    this.next = next;
    this.nextBytes = nextBytes;
    this.fromSequence = fromSequence;
    log.cursors.add(this);
    log.lookAt(0, 0);
  }

  /** Entries that wait for this cursor. */
  get waiting(): number {
    return Math.max(0, Math.min(this.end, this.log.endIndex) - this.next);
  }

  /** Bytes that wait for this cursor; for a stretch with an end, its equal share of those up to the log's end. */
  get waitingBytes(): number {
    const { waiting } = this;
    if (waiting === 0) return 0;
    const bytes = this.log.totalBytes - this.nextBytes;
    return this.end >= this.log.endIndex
      ? bytes
      : Math.round((bytes * waiting) / (this.log.endIndex - this.next));
  }

  /** The lowest index that is still to be read; `Infinity` for a stretch that was read to its end. */
  get unread(): number {
    return this.waiting === 0 && this.end !== Infinity ? Infinity : this.next;
  }

  /** The entry at `next` when it is in memory, or `"absent"`. */
  head(): Entry | "absent" {
    const recent = this.log.recent(this.next);
    if (recent !== undefined) return recent;
    let first = this.page[0];
    while (first !== undefined && first.endIndex <= this.next) {
      this.page.shift();
      first = this.page[0];
    }
    return first !== undefined && first.firstIndex <= this.next ? first.entry(this.next) : "absent";
  }

  /** Whether a message with this sequence number was published during the stretch. */
  covers(sequence: number): boolean {
    return sequence >= this.fromSequence && sequence < this.untilSequence;
  }

  /** Moves past one entry that took `bytes` in the log. */
  advance(bytes: number): void {
    this.next++;
    this.nextBytes += bytes;
  }

  /** Moves past `count` entries whose size is not known; their bytes are taken as an equal share. */
  skip(count: number): void {
    const share = Math.round((this.waitingBytes / Math.max(1, this.waiting)) * count);
    this.next += count;
    this.nextBytes += share;
  }

  /** Moves to the newest end: everything so far was delivered while it came in. */
  moveToEnd(): void {
    this.next = this.log.endIndex;
    this.nextBytes = this.log.totalBytes;
  }

  /** Until the log has grown by so much, the queue of the owner cannot reach its limit through it. */
  lookAgainAfter(messages: number, bytes: number): void {
    this.#lookAtIndex = this.log.endIndex + messages;
    this.#lookAtBytes = this.log.totalBytes + bytes;
    this.log.lookAt(this.#lookAtIndex, this.#lookAtBytes);
  }

  enforceLimit(limits: Limits): boolean {
    // What has an end does not grow any more.
    if (this.end !== Infinity) return false;
    const { endIndex, totalBytes } = this.log;
    const isDue = endIndex >= this.#lookAtIndex || totalBytes >= this.#lookAtBytes;
    if (isDue) return this.owner.enforceLimit(limits);
    this.log.lookAt(this.#lookAtIndex, this.#lookAtBytes);
    return false;
  }

  /** Gives the stretch its end. */
  close(sequence: number): void {
    this.end = this.log.endIndex;
    this.untilSequence = sequence;
  }
}
