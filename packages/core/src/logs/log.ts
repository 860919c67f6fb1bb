// The log of one topic filter: every QoS 1 and 2 message that matched it, once, for all lasting sessions that subscribe to it.
// Appending costs the same for one session and for a hundred thousand. Its newest blocks stay in memory for those who keep up.

import { Writer } from "@heirloom/codec";
import { ByteReader } from "../byte-reader.ts";
import { writeU48 } from "../byte-writer.ts";
import type { Limits } from "../limits.ts";
import type { Message } from "../message.ts";
import type { StoreBatch } from "../ports/store.ts";
import type { Stored } from "../turn.ts";
import { Block, BLOCK_BYTES } from "./block.ts";
import { type Entry, NO_IDENTIFIERS } from "./entry.ts";

/** Bytes of finished blocks that one log keeps in memory. */
const RECENT_BYTES = 262_144;

/** With up to so many readers a log looks at each of them with every batch. */
const FEW_READERS = 8;

/** A reader of a log, as the log sees it. */
export interface LogReader {
  /** Index of the entry that it reads next. */
  readonly next: number;
  /** The lowest index that it still reads; `Infinity` when it reads nothing more. */
  readonly unread: number;
  readonly owner: {
    /** Whether anything is in flight for it, from any log. */
    readonly hasInFlight: boolean;
    /** The lowest index of a log that is in flight for it, over all its readers; `Infinity` when none is. */
    lowestInFlight(log: Log): number;
  };
  /** Index at which it stops reading; `Infinity` while it goes on. */
  readonly end: number;
  /** Bytes of all entries of the log before the one that it reads next. */
  readonly nextBytes: number;
  /** Entries, and bytes, that wait for it. */
  readonly waiting: number;
  readonly waitingBytes: number;
  /**
   * If the queue of its owner, over all its readers, could be at the limit: sums it, and cuts it by the policy for that. Tells the
   * log when to look again.
   *
   * @returns whether the limit is reached and this reader adds to what waits.
   */
  enforceLimit(limits: Limits): boolean;
}

/** What a log needs from the table of logs. */
export interface LogHost {
  /** Whether entries say who published: there is a subscription with No Local somewhere. */
  readonly keepsPublisher: boolean;
  save(log: Log): void;
  /** So many bytes more are not on disk. */
  appended(bytes: number): void;
  /** So many of these go with the batch that is being collected, or with nothing any more. */
  saving(bytes: number): void;
  /** Bytes in memory changed by `bytes`. */
  cached(log: Log, bytes: number): void;
}

export class Log implements Stored {
  readonly logId: number;
  /** The filter whose messages it holds; "" for a session's own log of retained messages. */
  readonly topicFilter: string;
  readonly cursors: Set<LogReader> = new Set();
  /** Index of the oldest entry that may still be stored. */
  firstIndex: number;
  /** Index that the next entry will get. */
  endIndex: number;
  /** Bytes of all entries ever appended. */
  totalBytes: number;
  /** Whether its last cursor is gone and it goes with the next batch. */
  isDropped = false;
  unsaved = false;
  /** Whether the log itself, its filter and first index, has to be written. */
  recordUnsaved = false;
  readonly #host: LogHost;
  /** Newest blocks in order; those from `#unsavedFrom` on are not in a batch yet. */
  readonly #recent: Block[] = [];
  #unsavedFrom = 0;
  /** Bytes of the last block: the next one probably takes as much. */
  #expectedBytes = 0;
  /** Bytes of entries that are not in a batch yet. */
  #unsavedBytes = 0;
  #fullInTurn = -1;
  #isFull = false;
  /** Before the log has come so far, in entries or bytes, no reader's queue can be at its limit. */
  #lookAtIndex = 0;
  #lookAtBytes = 0;

  constructor(
    host: LogHost,
    logId: number,
    topicFilter: string,
    firstIndex: number,
    endIndex: number,
    totalBytes: number,
  ) {
    this.#host = host;
    this.logId = logId;
    this.topicFilter = topicFilter;
    this.firstIndex = firstIndex;
    this.endIndex = endIndex;
    this.totalBytes = totalBytes;
  }

  /** Appends a message; its index is `endIndex - 1` afterwards. It is stored with the batch being collected. */
  append(message: Message, sequence: number, identifiers: readonly number[] = NO_IDENTIFIERS): void {
    // Not `[length - 1]` of an empty list: V8 gives up on a place that was once asked for index -1.
    const { length } = this.#recent;
    let block = length === 0 ? undefined : this.#recent[length - 1];
    if (block === undefined || !block.isOpen || block.byteLength >= BLOCK_BYTES) {
      block = Block.begin(
        this.logId,
        this.endIndex,
        this.totalBytes,
        block?.byteLength ?? this.#expectedBytes,
      );
      this.#recent.push(block);
    }
    if (!this.unsaved) this.#host.save(this);
    const bytes = block.append(message, sequence, identifiers, this.#host.keepsPublisher);
    this.totalBytes += bytes;
    this.endIndex++;
    this.#unsavedBytes += bytes;
    this.#host.appended(bytes);
  }

  save(batch: StoreBatch, batchNumber: number): void {
    if (this.isDropped) return;
    let cachedBytes = 0;
    for (; this.#unsavedFrom < this.#recent.length; this.#unsavedFrom++) {
      const block = this.#recent[this.#unsavedFrom];
      // Nothing came into it when its first message could not be written.
      if (block === undefined || block.count === 0) break;
      batch.append(block.close(batchNumber));
      cachedBytes += block.byteLength;
    }
    this.#host.saving(this.#unsavedBytes);
    this.#unsavedBytes = 0;
    if (cachedBytes > 0) {
      this.#host.cached(this, cachedBytes);
      this.#expectedBytes = cachedBytes;
      this.forgetRecent(batchNumber - 1);
    }
    if (this.recordUnsaved) {
      this.recordUnsaved = false;
      batch.put("log", String(this.logId), writeLogRecord(this));
    }
  }

  /** The entry at `index` when it is in memory. */
  recent(index: number): Entry | undefined {
    for (let place = this.#recent.length - 1; place >= 0; place--) {
      const block = this.#recent[place];
      if (block === undefined || index >= block.endIndex) return undefined;
      if (index >= block.firstIndex) return block.entry(index);
    }
    return undefined;
  }

  /** Index of the oldest entry in memory, or `endIndex`. */
  get recentIndex(): number {
    return this.#recent[0]?.firstIndex ?? this.endIndex;
  }

  /** Bytes of finished blocks in memory. */
  get recentBytes(): number {
    let bytes = 0;
    for (const block of this.#recent) if (!block.isOpen) bytes += block.byteLength;
    return bytes;
  }

  /**
   * Forgets the oldest blocks in memory that are on disk: those that every reader has behind it, and of the others as many as it
   * takes until at most `most` bytes are left. What is in flight is read from the store if it has to be sent again.
   */
  forgetRecent(durable: number, most: number = RECENT_BYTES): void {
    let bytes = this.recentBytes;
    let count = 0;
    const readTo = this.#readTo();
    while (count < this.#unsavedFrom) {
      const block = this.#recent[count];
      if (block === undefined || block.batch > durable) break;
      if (bytes <= most && block.endIndex > readTo) break;
      bytes -= block.byteLength;
      this.#host.cached(this, -block.byteLength);
      count++;
    }
    if (count === 0) return;
    this.#recent.splice(0, count);
    this.#unsavedFrom -= count;
  }

  /** The index up to which every reader has read; 0 when there are too many to look. */
  #readTo(): number {
    if (this.cursors.size > FEW_READERS) return 0;
    let readTo = this.endIndex;
    for (const { next } of this.cursors) readTo = Math.min(readTo, next);
    return readTo;
  }

  /** The log is dropped: nothing of it is kept. */
  forgetAll(): void {
    this.#host.cached(this, -this.recentBytes);
    this.#host.saving(this.#unsavedBytes);
    this.#unsavedBytes = 0;
    this.#recent.length = 0;
    this.#unsavedFrom = 0;
  }

  /** Whether a subscription that stands reads it; the last one may have ended and still be read. */
  get isWanted(): boolean {
    for (const cursor of this.cursors) if (cursor.end === Infinity) return true;
    return false;
  }

  /** A reader's queue could be at its limit when the log has come so far. */
  lookAt(index: number, bytes: number): void {
    if (index < this.#lookAtIndex) this.#lookAtIndex = index;
    if (bytes < this.#lookAtBytes) this.#lookAtBytes = bytes;
  }

  /** Looks at the queues of its readers that could be at their limit. Returns whether one of them is. */
  enforceLimits(limits: Limits): boolean {
    if (this.endIndex < this.#lookAtIndex && this.totalBytes < this.#lookAtBytes) return false;
    this.#lookAtIndex = this.#lookAtBytes = Infinity;
    let isAny = false;
    // A reader that has nothing left to read may go meanwhile.
    for (const cursor of this.cursors) isAny = cursor.enforceLimit(limits) || isAny;
    return isAny;
  }

  /**
   * Whether a reader's queue is at its limit. Looks at the readers at most once a turn, because a hundred thousand
   * sessions may have one here: so a limit may be passed by what one turn brings.
   */
  isFull(limits: Limits, turnNumber: number): boolean {
    if (this.#fullInTurn !== turnNumber) {
      // Not noted without a look: the next message of this turn may be the one that makes it necessary.
      if (this.endIndex < this.#lookAtIndex && this.totalBytes < this.#lookAtBytes) return false;
      this.#fullInTurn = turnNumber;
      this.#isFull = this.enforceLimits(limits);
    }
    return this.#isFull;
  }

  /** The lowest index that a cursor still needs; `endIndex` when none needs any. */
  lowIndex(): number {
    let low = this.endIndex;
    // Each once: a client can make thousands of stretches here, and have a thousand messages in flight.
    const owners = new Set<LogReader["owner"]>();
    for (const { unread, owner } of this.cursors) {
      low = Math.min(low, unread);
      // A hundred thousand offline sessions are asked this at every trim, and hardly one has anything in flight.
      if (owner.hasInFlight) owners.add(owner);
    }
    for (const owner of owners) low = Math.min(low, owner.lowestInFlight(this));
    return low;
  }
}

/** The stored form of a log: text filter | u48 first index | u48 end index | u48 bytes. See docs/store-format.md. */
export function writeLogRecord(log: Log): Uint8Array {
  const writer = new Writer();
  writer.string(log.topicFilter);
  writeU48(writer, log.firstIndex);
  writeU48(writer, log.endIndex);
  writeU48(writer, log.totalBytes);
  return writer.take();
}

export interface LogRecord {
  readonly topicFilter: string;
  readonly firstIndex: number;
  readonly endIndex: number;
  readonly totalBytes: number;
}

export function readLogRecord(bytes: Uint8Array): LogRecord {
  const reader = new ByteReader(bytes);
  const topicFilter = reader.text();
  const firstIndex = reader.u48();
  const endIndex = reader.u48();
  const totalBytes = reader.u48();
  return { topicFilter, firstIndex, endIndex, totalBytes };
}
