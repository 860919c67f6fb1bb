// Which parts of a lasting session have to be written, and when they are on disk. The forms of the records are in
// `session-records.ts`; what has to be on disk before what is sent stands in `turn.ts`.
//
// Where a cursor stands is in one of two records: its own, the stretch's, has the whole of it; the delivery record, which is written
// anyway as the cursor moves, has the place alone. The invariant, in every batch: the place in the delivery record is the
// cursor's, and where it names none, the one in its own record is. It holds because
//
//   - each delivery record is written whole and names every cursor whose `next` is not `recordNext`, the place that its own record
//     has. If these are too many, they get their own records in the same batch, and it names none of them;
//   - when a stretch's own record is written for another reason, `recordNext` becomes `next`, and the delivery record may go on naming
//     the cursor. That entry is stale and harmless, because it says the same place: whatever moves a cursor calls
//     `deliveryChanged`, so that an entry with another place is replaced in the same batch;
//   - an entry of a stretch that is gone says nothing of another: a restart gives no number of a stretch again that any record names
//     (`restoreStretchId`).

import type { StoreBatch } from "../ports/store.ts";
import type { Stored, Turn } from "../turn.ts";
import type { Cursor } from "../logs/cursor.ts";
import type { Receiver } from "../qos/receiver.ts";
import type { Sender } from "../qos/sender.ts";
import type { Place } from "./place.ts";
import {
  type SessionRecord,
  writeDelivery,
  writeReceived,
  writeSession,
  writeStretch,
} from "./session-records.ts";
import type { Stretch } from "./stretch.ts";

/** More moved cursors than this are written to their own records instead of the delivery record. */
const MOVED_IN_DELIVERY = 16;

/** A lasting session, as far as it is stored. */
export interface StoredSession {
  readonly clientId: string;
  readonly sessionId: number;
  readonly sender: Sender<Place>;
  readonly receiver: Receiver;
  readonly stretches: ReadonlyMap<number, Stretch>;
  readonly backlog: { readonly cursors: ReadonlyMap<number, Cursor> };
  /** The session itself, as it is now. */
  record(): SessionRecord;
  /** Whether the subscription of a stretch stands. */
  isOpen(stretch: Stretch): boolean;
}

export class SessionState implements Stored {
  unsaved = false;
  readonly #turn: Turn;
  readonly #session: StoredSession;
  #isRecordChanged = false;
  #isReceivedChanged = false;
  #isDeliveryChanged = false;
  #changedStretches = new Set<number>();
  #deliveryBatch = 0;
  #receivedBatch = 0;
  #isEnded = false;
  #isDeleted = false;

  constructor(turn: Turn, session: StoredSession) {
    this.#turn = turn;
    this.#session = session;
  }

  /** The session itself, its expiry or its will changed. */
  recordChanged(): void {
    this.#isRecordChanged = true;
    this.#turn.save(this);
  }

  /** A stretch was added, ended or removed. */
  stretchChanged(stretchId: number): void {
    this.#changedStretches.add(stretchId);
    this.#turn.save(this);
  }

  /** Something in flight, or a cursor, changed. */
  deliveryChanged(): void {
    this.#isDeliveryChanged = true;
    this.#turn.save(this);
  }

  /** A QoS 2 packet identifier was received or released. */
  receivedChanged(): void {
    this.#isReceivedChanged = true;
    this.#turn.save(this);
  }

  /** The session is over: everything of it is deleted with the next batch. */
  ended(): void {
    this.#isEnded = true;
    this.#turn.save(this);
  }

  /** The batch that has what is in flight as it is now. */
  deliveryBatch(): number {
    return this.#isDeliveryChanged ? this.#turn.batch() : this.#deliveryBatch;
  }

  /** The batch that has what was received as it is now. */
  receivedBatch(): number {
    return this.#isReceivedChanged ? this.#turn.batch() : this.#receivedBatch;
  }

  save(batch: StoreBatch, batchNumber: number): void {
    const session = this.#session;
    const key = String(session.sessionId);
    if (this.#isEnded) {
      this.#delete(batch, key);
      return;
    }
    if (this.#isRecordChanged) batch.put("session", session.clientId, writeSession(session.record()));
    if (this.#isReceivedChanged) {
      this.#receivedBatch = batchNumber;
      if (session.receiver.packetIds.size === 0) batch.delete("received", key);
      else batch.put("received", key, writeReceived(session.receiver.packetIds));
    }
    if (this.#isDeliveryChanged) {
      this.#deliveryBatch = batchNumber;
      this.#writeDelivery(batch, key);
    }
    for (const stretchId of this.#changedStretches) this.#writeStretch(batch, stretchId);
    this.#changedStretches.clear();
    this.#isRecordChanged = this.#isReceivedChanged = this.#isDeliveryChanged = false;
  }

  #writeDelivery(batch: StoreBatch, key: string): void {
    const moved = [];
    for (const cursor of this.#session.backlog.cursors.values())
      if (cursor.next !== cursor.recordNext) moved.push(cursor);
    if (moved.length > MOVED_IN_DELIVERY) {
      for (const cursor of moved) this.#changedStretches.add(cursor.cursorId);
      moved.length = 0;
    }
    batch.put("delivery", key, writeDelivery(this.#session.sender, moved));
  }

  #writeStretch(batch: StoreBatch, stretchId: number): void {
    const key = `${this.#session.sessionId}/${stretchId}`;
    const stretch = this.#session.stretches.get(stretchId);
    if (stretch === undefined) {
      batch.delete("subscription", key);
      return;
    }
    if (stretch.cursor !== undefined) stretch.cursor.recordNext = stretch.cursor.next;
    batch.put("subscription", key, writeStretch(stretch, this.#session.isOpen(stretch)));
  }

  /** Once only: another session may have the ClientId by the time the last read for this one ends. */
  #delete(batch: StoreBatch, key: string): void {
    if (this.#isDeleted) return;
    this.#isDeleted = true;
    batch.delete("session", this.#session.clientId);
    batch.delete("delivery", key);
    batch.delete("received", key);
    for (const stretchId of this.#session.stretches.keys()) this.#changedStretches.add(stretchId);
    for (const stretchId of this.#changedStretches) batch.delete("subscription", `${key}/${stretchId}`);
  }
}
