// Builds the broker's state from the store at start. Takes time for each session, subscription, log and retained message,
// never for each queued message: those are read when their session comes for them.

import { ByteReader } from "./byte-reader.ts";
import { Block } from "./logs/block.ts";
import { Cursor } from "./logs/cursor.ts";
import { SEQUENCE_KEY } from "./logs/log-table.ts";
import { Log, type LogRecord, readLogRecord } from "./logs/log.ts";
import type { Parts } from "./parts.ts";
import type { LogExtent } from "./ports/store.ts";
import { StoreBatch } from "./ports/store.ts";
import { readGroup } from "./sessions/group-record.ts";
import type { LastingSession } from "./sessions/lasting-session.ts";
import type { Place } from "./sessions/place.ts";
import {
  type DeliveryRecord,
  type DueWill,
  readDelivery,
  readDueWill,
  readReceived,
  readSession,
  readStretch,
  type SessionRecord,
  type StretchRecord,
} from "./sessions/session-records.ts";
import { NEVER_EXPIRES } from "./sessions/session-table.ts";
import type { SharedGroup } from "./sessions/shared-group.ts";
import type { Stretch } from "./sessions/stretch.ts";
import { TIME_KEY } from "./time-mark.ts";
import { parseSharedFilter } from "./topics/index.ts";
import { DUE_WILL_KEYS } from "./will-publisher.ts";

export class Recovery {
  readonly #parts: Parts;
  readonly #sessions = new Map<number, LastingSession>();
  readonly #records = new Map<LastingSession, SessionRecord>();
  readonly #logsByFilter = new Map<string, Log>();
  /** Logs that are stored, of which no record was found yet. */
  readonly #extents = new Map<number, LogExtent>();
  readonly #groups = new Set<SharedGroup>();
  readonly #dueWills: (readonly [key: string, due: DueWill])[] = [];

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Reads everything. What cannot be understood is reported and left out. */
  async run(): Promise<void> {
    await this.#each("broker", (key, value) => {
      const { logs, turn } = this.#parts.context;
      if (key === SEQUENCE_KEY) logs.restoreSequence(new ByteReader(value).u48());
      else if (key === TIME_KEY) turn.restoreTime(new ByteReader(value).u48());
      else if (key.startsWith(DUE_WILL_KEYS)) this.#dueWills.push([key, readDueWill(value)]);
    });
    await this.#loadLogs();
    await this.#each("session", (clientId, value) => this.#session(clientId, value));
    await this.#each("group", (key, value) => this.#group(key, value));
    await this.#each("subscription", (key, value) => this.#subscription(key, value));
    await this.#dropLeftOver();
    await this.#each("delivery", (key, value) => this.#delivery(key, value));
    await this.#each("received", (key, value) => this.#received(key, value));
    await this.#each("retained", (_topicName, value) => this.#parts.retained.restore(value));
    this.#settle();
  }

  async #each(
    table: Parameters<Parts["context"]["store"]["load"]>[0],
    take: (key: string, value: Uint8Array) => void,
  ): Promise<void> {
    const { store, observer } = this.#parts.context;
    for await (const records of store.load(table)) {
      for (const [key, value] of records) {
        try {
          take(key, value);
        } catch (error) {
          const reason = error instanceof Error ? error.message : String(error);
          observer.event("damaged", { place: `${table} record ${JSON.stringify(key)}`, reason });
        }
      }
    }
  }

  // --- logs ------------------------------------------------------------------------------------------------------

  async #loadLogs(): Promise<void> {
    for (const extent of await this.#parts.context.store.loadLogs()) this.#extents.set(extent.logId, extent);
    await this.#each("log", (key, value) => this.#restoreLog(Number(key), readLogRecord(value)));
  }

  #restoreLog(logId: number, record: LogRecord): Log {
    const log = this.#log(logId, record, this.#extents.get(logId));
    this.#extents.delete(logId);
    this.#parts.context.logs.restore(log);
    if (log.topicFilter !== "") this.#logsByFilter.set(log.topicFilter, log);
    return log;
  }

  /** The log that a cursor at `next` reads. If the log's own record is damaged, this says what stood there. */
  #logOf(logId: number, topicFilter: string, next: number, nextBytes: number): Log {
    const { logs } = this.#parts.context;
    const known = logs.get(logId);
    if (known !== undefined) return known;
    const record = { topicFilter, firstIndex: next, endIndex: next, totalBytes: nextBytes };
    const log = this.#restoreLog(logId, record);
    log.recordUnsaved = true;
    logs.save(log);
    return log;
  }

  #log(logId: number, record: LogRecord, extent: LogExtent | undefined): Log {
    const { logs } = this.#parts.context;
    let { firstIndex, endIndex, totalBytes } = record;
    if (extent !== undefined) {
      firstIndex = Math.min(extent.firstIndex, endIndex);
      endIndex = Math.max(endIndex, extent.lastBlock.lastIndex + 1);
      if (!("damaged" in extent.lastBlock)) {
        const block = Block.read(extent.lastBlock);
        totalBytes = Math.max(totalBytes, block.bytesAfter);
        logs.restoreSequence(block.entry(block.endIndex - 1).sequence);
      }
    }
    return new Log(logs, logId, record.topicFilter, firstIndex, endIndex, totalBytes);
  }

  /** Blocks of logs that were dropped before the crash and not yet deleted. */
  async #dropLeftOver(): Promise<void> {
    if (this.#extents.size === 0) return;
    const batch = new StoreBatch();
    for (const { logId, firstIndex, lastBlock } of this.#extents.values()) {
      this.#parts.context.logs.restoreLogId(logId);
      batch.trim(logId, firstIndex, lastBlock.lastIndex + 1);
    }
    await this.#parts.context.store.commit(batch);
  }

  // --- sessions --------------------------------------------------------------------------------------------------

  #session(clientId: string, value: Uint8Array): void {
    const record = readSession(value);
    const session = this.#parts.sessions.restore(clientId, record.account, record.sessionId);
    session.expiryInterval = record.expiryInterval;
    session.will = record.will;
    this.#sessions.set(record.sessionId, session);
    this.#records.set(session, record);
  }

  #sessionOf(key: string): LastingSession {
    const sessionId = Number.parseInt(key, 10);
    const session = this.#sessions.get(sessionId);
    if (session !== undefined) return session;
    // Its own record is damaged. Another session with this number would have what is left of it after the next start.
    if (sessionId > 0) this.#parts.sessions.restoreLastSessionId(sessionId);
    throw new RangeError("no session has this number");
  }

  #group(key: string, value: Uint8Array): void {
    const shared = parseSharedFilter(key);
    if (shared === undefined || shared === "invalid") throw new RangeError("not a shared subscription");
    const { logId, next, nextBytes, fromSequence, openIndexes } = readGroup(value);
    const log = this.#logOf(logId, shared.topicFilter, next, nextBytes);
    const group = this.#parts.subscriptions.group(shared.shareName, shared.topicFilter);
    group.restore(log, next, nextBytes, fromSequence, openIndexes);
    this.#parts.subscriptions.restoreLog(log.topicFilter, log);
    this.#reaches(log, next);
    this.#groups.add(group);
  }

  #subscription(key: string, value: Uint8Array): void {
    const session = this.#sessionOf(key);
    const stretchId = Number(key.slice(key.indexOf("/") + 1));
    const record = readStretch(value);
    const stretch: Stretch = {
      stretchId,
      session,
      subscription: record.subscription,
      cursor: this.#cursor(session, stretchId, record),
      group: this.#groupOf(record.subscription.topicFilter),
    };
    if (record.isOpen) this.#parts.subscriptions.restore(session, stretch);
    session.addStretch(stretch);
    if (stretchId === 0) session.inbox = stretch.cursor;
  }

  #groupOf(topicFilter: string): SharedGroup | undefined {
    const shared = parseSharedFilter(topicFilter);
    if (shared === undefined || shared === "invalid") return undefined;
    const group = this.#parts.subscriptions.group(shared.shareName, shared.topicFilter);
    this.#groups.add(group);
    return group;
  }

  #cursor(
    session: LastingSession,
    stretchId: number,
    { cursor, subscription }: StretchRecord,
  ): Cursor | undefined {
    if (cursor === undefined) return undefined;
    const { logs } = this.#parts.context;
    const { next, nextBytes, fromSequence, end, untilSequence } = cursor;
    const log = this.#logOf(cursor.logId, subscription.topicFilter, next, nextBytes);
    const restored = new Cursor(stretchId, session, log, subscription, next, nextBytes, fromSequence);
    restored.end = end;
    restored.untilSequence = untilSequence;
    restored.recordNext = next;
    if (subscription.noLocal) logs.keepsPublisher = true;
    logs.restoreSequence(fromSequence - 1);
    if (log.topicFilter !== "") this.#parts.subscriptions.restoreLog(log.topicFilter, log);
    this.#reaches(log, next);
    return restored;
  }

  /** Indexes below `index` were in use, even if their blocks are gone: they are not given again. */
  #reaches(log: Log, index: number): void {
    log.endIndex = Math.max(log.endIndex, index);
  }

  // --- what was in flight ----------------------------------------------------------------------------------------

  #delivery(key: string, value: Uint8Array): void {
    const session = this.#sessionOf(key);
    const record = readDelivery(value);
    session.sender.restoreLastPacketId(record.lastPacketId);
    for (const { stretchId, next, nextBytes } of record.moved) {
      // The stretch may be gone since: another one with its number would be taken to have been read up to there.
      session.restoreStretchId(stretchId);
      const cursor = session.stretches.get(stretchId)?.cursor;
      if (cursor === undefined) continue;
      cursor.next = next;
      cursor.nextBytes = nextBytes;
      this.#reaches(cursor.log, next);
    }
    // What cannot be taken up, because the record of its subscription is damaged, does not take the rest along.
    const faults: unknown[] = [];
    for (const run of record.runs) {
      try {
        this.#run(session, run);
      } catch (error) {
        faults.push(error);
      }
    }
    if (faults.length > 0) throw faults[0];
  }

  #run(session: LastingSession, run: DeliveryRecord["runs"][number]): void {
    const stretch = session.stretches.get(run.stretchId);
    if (stretch === undefined) throw new RangeError(`there is no subscription ${run.stretchId}`);
    const group = this.#groupOf(stretch.subscription.topicFilter);
    const cursor = stretch.cursor ?? this.#groupCursor(group);
    if (cursor === undefined) throw new RangeError(`there is no log for subscription ${run.stretchId}`);
    session.counts.taken += run.count;
    for (let count = 0; count < run.count; count++) {
      const index = run.index + count;
      const place: Place = { stretchId: run.stretchId, cursor, index, group };
      session.sender.restore(run.packetId + count, run.qos, place, run.isReleased);
      group?.restoreGiven(index, session);
      this.#reaches(cursor.log, index + 1);
    }
  }

  /** The group's cursor; a group that lost its last member has none on disk, but its log may still be needed. */
  #groupCursor(group: SharedGroup | undefined): Cursor | undefined {
    if (group === undefined || group.cursor !== undefined) return group?.cursor;
    const log = this.#logsByFilter.get(group.topicFilter);
    if (log === undefined) return undefined;
    group.restore(log, log.endIndex, log.totalBytes, this.#parts.context.logs.nextSequence, []);
    this.#parts.context.turn.save(group);
    // A subscription that is made anew reads this log too: what is in flight is found in the log of its filter.
    this.#parts.subscriptions.restoreLog(log.topicFilter, log);
    return group.cursor;
  }

  #received(key: string, value: Uint8Array): void {
    const { receiver } = this.#sessionOf(key);
    for (const packetId of readReceived(value)) receiver.restore(packetId);
  }

  // --- the end ---------------------------------------------------------------------------------------------------

  /** A session that was connected lost its connection in the crash: its will and its expiry begin now. */
  #settle(): void {
    const { context, subscriptions, sessions, wills } = this.#parts;
    const { deadlines, turn, logs } = context;
    for (const [key, due] of this.#dueWills) wills.restore(key, due);
    for (const [session, record] of this.#records) {
      for (const stretch of [...session.stretches.values()]) session.retireIfDone(stretch);
      if (record.isConnected) {
        sessions.disconnected(session, "abnormal");
        continue;
      }
      if (session.will !== undefined) deadlines.set(session.willDelay, record.willDueAtMs);
      if (session.expiryInterval !== NEVER_EXPIRES) deadlines.set(session.expiry, record.endsAtMs);
      if (record.endsAtMs === Infinity && session.expiryInterval !== NEVER_EXPIRES) {
        deadlines.set(session.expiry, turn.nowMs + session.expiryInterval * 1000);
      }
    }
    for (const group of this.#groups) {
      subscriptions.dissolveIfEmpty(group);
      subscriptions.keepFor(group);
    }
    for (const log of logs.all()) logs.touch(log);
  }
}
