// All logs of a broker: made for the first lasting subscription of a filter, trimmed as cursors move on, dropped with the last.
// Keeps the order of all messages: each gets a sequence number here. Bounds the memory that log blocks take.

import { Writer } from "@heirloom/codec";
import { writeU48 } from "../byte-writer.ts";
import type { Counters } from "../counters.ts";
import type { Limits } from "../limits.ts";
import type { Message } from "../message.ts";
import type { Observer } from "../ports/observer.ts";
import { type Store, type StoreBatch, StoreError } from "../ports/store.ts";
import type { Stored, Turn } from "../turn.ts";
import { Block } from "./block.ts";
import { Log, type LogHost } from "./log.ts";

/**
 * Entries that have to be free at the front of a log before they are trimmed while the log is in use. Few, because a store may
 * write a message twice that was not trimmed soon.
 */
const TRIM_ENTRIES = 128;
/** Bytes likewise, estimated. */
const TRIM_BYTES = 16_384;

/** Key of the record of reserved sequence numbers in the table "broker". */
export const SEQUENCE_KEY = "sequence";

export interface LogTableHost {
  readonly limits: Limits;
  readonly counters: Counters;
  readonly store: Store;
  readonly turn: Turn;
  readonly observer: Observer;
  /** The store could not be read. */
  readFailed(error: unknown): void;
  /** A log has fewer entries waiting than before; publishers that wait for room may try again. */
  roomChanged(): void;
  /** A log is gone with its last cursor. */
  dropped(log: Log): void;
}

export class LogTable implements LogHost {
  readonly #host: LogTableHost;
  readonly #logs = new Map<number, Log>();
  /**
   * Set by the first subscription with No Local, and then for all logs: a message that is read from one log again has to
   * be judged for all subscriptions that it matched.
   */
  keepsPublisher = false;
  #lastLogId = 0;
  #sequence = 0;
  readonly #reserved = new ReservedSequences();
  /** Logs with finished blocks in memory, the one used longest ago first. */
  readonly #cached = new Set<Log>();
  /** Logs whose cursors moved since the last look. */
  #touched = new Set<Log>();
  readonly #trims = new Trims();
  /** Reads that wait for the store to have space. They go on with the next sweep. */
  readonly #unread: (() => void)[] = [];
  /** Of `unsavedBytes`: what the next batch to be on disk takes with it. */
  #savingBytes = 0;

  constructor(host: LogTableHost) {
    this.#host = host;
  }

  /** The sequence number that the next message will get. */
  get nextSequence(): number {
    return this.#sequence + 1;
  }

  get size(): number {
    return this.#logs.size;
  }

  all(): IterableIterator<Log> {
    return this.#logs.values();
  }

  get(logId: number): Log | undefined {
    return this.#logs.get(logId);
  }

  /** Gives a sequence number to a message that is about to be appended to one or more logs. */
  takeSequence(): number {
    if (++this.#sequence > this.#reserved.sequence) {
      this.#reserved.sequence = this.#sequence + RESERVED_SEQUENCES;
      this.#host.turn.save(this.#reserved);
    }
    return this.#sequence;
  }

  /** A new, empty log. */
  create(topicFilter: string): Log {
    const log = new Log(this, ++this.#lastLogId, topicFilter, 0, 0, 0);
    this.#logs.set(log.logId, log);
    this.#host.counters.logs = this.#logs.size;
    log.recordUnsaved = true;
    this.save(log);
    return log;
  }

  /** Takes up a log after a restart. */
  restore(log: Log): void {
    this.#logs.set(log.logId, log);
    this.#lastLogId = Math.max(this.#lastLogId, log.logId);
    this.#host.counters.logs = this.#logs.size;
  }

  /** Sequence numbers up to this one are in use. */
  restoreSequence(sequence: number): void {
    this.#sequence = Math.max(this.#sequence, sequence);
  }

  /** Log numbers up to this one are in use or stood for logs that are gone. */
  restoreLogId(logId: number): void {
    this.#lastLogId = Math.max(this.#lastLogId, logId);
  }

  /** Appends one message with its own sequence number. */
  append(log: Log, message: Message, identifiers: readonly number[]): void {
    log.append(message, this.takeSequence(), identifiers);
  }

  // --- LogHost ---------------------------------------------------------------------------------------------------

  save(log: Log): void {
    this.#host.turn.save(log);
  }

  appended(bytes: number): void {
    this.#host.counters.unsavedBytes += bytes;
  }

  saving(bytes: number): void {
    this.#savingBytes += bytes;
  }

  cached(log: Log, bytes: number): void {
    this.#host.counters.logCacheBytes += bytes;
    if (bytes > 0) {
      this.#touched.add(log);
      this.#cached.delete(log);
      this.#cached.add(log);
    }
  }

  // --- reading ---------------------------------------------------------------------------------------------------

  /** Reads blocks from the store, from the one that holds `fromIndex` on. Damaged ones are left out. */
  async readBlocks(log: Log, fromIndex: number, maximumBytes: number): Promise<Block[]> {
    const stored = await this.#readLog(log.logId, fromIndex, maximumBytes);
    const blocks: Block[] = [];
    for (const block of stored) {
      if ("damaged" in block) continue;
      try {
        blocks.push(Block.read(block));
      } catch (error) {
        this.#host.observer.event("damaged", {
          place: `log ${log.logId}, block ${block.firstIndex} to ${block.lastIndex}`,
          reason: error instanceof Error ? error.message : String(error),
        });
      }
    }
    return blocks;
  }

  /** A store that needs space before it can be read again is asked again: nothing is lost, so nothing has to stop. */
  async #readLog(...what: Parameters<Store["readLog"]>): ReturnType<Store["readLog"]> {
    for (;;) {
      try {
        return await this.#host.store.readLog(...what);
      } catch (error) {
        if (!(error instanceof StoreError) || error.code !== "STORE_FULL") throw error;
      }
      await new Promise<void>((resolve) => this.#unread.push(resolve));
    }
  }

  #goOnReading(): void {
    for (const goOn of this.#unread.splice(0)) goOn();
  }

  readFailed(error: unknown): void {
    this.#host.readFailed(error);
  }

  // --- trimming --------------------------------------------------------------------------------------------------

  /** A cursor of this log moved or went: look whether entries can go. */
  touch(log: Log): void {
    this.#touched.add(log);
  }

  /**
   * Cuts queues to their limit, gives back what no cursor needs any more, drops logs without cursors, and forgets blocks in
   * memory beyond `limits.logCacheBytes`.
   */
  sweep(limits: Limits): void {
    this.#goOnReading();
    this.#forgetCached(limits.logCacheBytes, this.#host.turn.durable);
    const touched = this.#touched;
    if (touched.size === 0) return;
    this.#touched = new Set();
    for (const log of touched) {
      if (limits.queuePolicy === "discard-oldest") log.enforceLimits(limits);
      this.#sweepLog(log);
    }
    this.#host.roomChanged();
  }

  #sweepLog(log: Log): void {
    const low = log.lowIndex();
    if (log.cursors.size === 0) {
      this.#drop(log);
      return;
    }
    const free = low - log.firstIndex;
    if (free <= 0) return;
    const share = log.totalBytes / Math.max(1, log.endIndex);
    if (low < log.endIndex && free < TRIM_ENTRIES && free * share < TRIM_BYTES) {
      this.#touched.add(log);
      return;
    }
    this.#trim(log, low);
  }

  #trim(log: Log, to: number): void {
    this.#trims.add(log, log.firstIndex, to);
    log.firstIndex = to;
    log.recordUnsaved = true;
    this.save(log);
    this.#host.turn.save(this.#trims);
  }

  #drop(log: Log): void {
    if (!this.#logs.delete(log.logId)) return;
    log.forgetAll();
    this.#cached.delete(log);
    this.#host.counters.logs = this.#logs.size;
    this.#trims.add(log, log.firstIndex, log.endIndex);
    log.isDropped = true;
    this.#host.turn.save(this.#trims);
    this.#host.dropped(log);
  }

  // --- memory ----------------------------------------------------------------------------------------------------

  /** A batch is on disk: blocks in memory beyond the bounds are forgotten. */
  committed(durable: number): void {
    const { counters, limits } = this.#host;
    counters.unsavedBytes -= this.#savingBytes;
    this.#savingBytes = 0;
    this.#forgetCached(limits.logCacheBytes, durable);
  }

  #forgetCached(mostBytes: number, durable: number): void {
    const { counters } = this.#host;
    for (const log of this.#cached) {
      if (counters.logCacheBytes <= mostBytes) break;
      log.forgetRecent(durable, 0);
      if (log.recentBytes === 0) this.#cached.delete(log);
    }
  }
}

/** Sequence numbers that are reserved with one record. */
const RESERVED_SEQUENCES = 65_536;

/** The record that says which sequence numbers may have been given: a restart begins behind them, whatever is damaged. */
class ReservedSequences implements Stored {
  unsaved = false;
  sequence = 0;

  save(batch: StoreBatch): void {
    const writer = new Writer();
    writeU48(writer, this.sequence);
    batch.put("broker", SEQUENCE_KEY, writer.take());
  }
}

/** Ranges of logs that go with the next batch. */
class Trims implements Stored {
  unsaved = false;
  #ranges: { readonly log: Log; readonly from: number; readonly to: number }[] = [];

  add(log: Log, from: number, to: number): void {
    this.#ranges.push({ log, from, to });
  }

  save(batch: StoreBatch): void {
    for (const { log, from, to } of this.#ranges) {
      batch.trim(log.logId, from, to);
      if (log.isDropped) batch.delete("log", String(log.logId));
    }
    this.#ranges = [];
  }
}
