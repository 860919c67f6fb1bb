// A lasting session: it outlives connections and restarts. Its messages stand in logs; it keeps cursors, what is in flight,
// and what it has received of QoS 2. While it keeps up it is "live": it is handed each message as it is published, and its
// cursors move along. When it falls behind it reads its logs.

import type { Context } from "../context.ts";
import { Cursor, type CursorOwner } from "../logs/cursor.ts";
import type { Log } from "../logs/log.ts";
import type { Entry } from "../logs/entry.ts";
import type { Undelivered } from "../delivery-counts.ts";
import type { Limits } from "../limits.ts";
import type { Message } from "../message.ts";
import { enforceQueueLimit } from "../queue-limit.ts";
import type { Delivery } from "../qos/in-flight.ts";
import { isOwn, optionsAgain, optionsOf } from "./delivery-options.ts";
import { InFlightEntries } from "./in-flight-entries.ts";
import { LogBacklog, type NextEntry } from "./log-backlog.ts";
import type { Outlet } from "./outlet.ts";
import { INBOX, type Place } from "./place.ts";
import { Session, type SessionDue } from "./session.ts";
import { SessionState, type StoredSession } from "./session-state.ts";
import type { SessionRecord } from "./session-records.ts";
import type { Stretch } from "./stretch.ts";
import type { Matched } from "./subscriber.ts";
import type { Subscription } from "../subscription.ts";
import type { ClientInfo } from "../ports/hooks.ts";

/** Messages in a session's own log above which a replay of retained messages waits. */
const INBOX_AHEAD = 1_000;

/** How a session reads its own log: everything, as it was put there. */
const INBOX_SUBSCRIPTION: Subscription = {
  topicFilter: "",
  qos: 2,
  noLocal: false,
  retainAsPublished: true,
  retainHandling: 0,
  subscriptionIdentifier: 0,
};

export class LastingSession extends Session implements CursorOwner, StoredSession {
  override readonly isLasting = true;
  /** Number that stands for the session in keys; given once, never used again. */
  readonly sessionId: number;
  readonly backlog: LogBacklog;
  /** All stretches, also those that ended and are still being read, by number. */
  readonly stretches: Map<number, Stretch> = new Map();
  /** What of it is on disk. */
  readonly state: SessionState;
  /** Its own log, for what was put there for it alone: retained messages, and what came back to a shared group. */
  inbox: Cursor | undefined;
  #lastStretchId = 0;
  #isLive = false;
  readonly #inFlight: InFlightEntries;
  /** The delivery that is to be resent next and whose message is being read. */
  #held: Delivery<Place> | undefined;

  constructor(context: Context, clientId: string, sessionId: number, due: SessionDue) {
    super(context, clientId, due);
    this.sessionId = sessionId;
    this.backlog = new LogBacklog(context, () => {
      // What was read for a connection that is gone is not kept.
      if (this.outlet === undefined) this.backlog.dropPages();
      else context.pumps.add(this);
    });
    this.#inFlight = new InFlightEntries(context, this);
    this.state = new SessionState(context.turn, this);
  }

  override connect(outlet: Outlet, client: ClientInfo, receiveMaximum: number): void {
    this.#isLive = false;
    this.#held = undefined;
    this.enforceLimit(this.context.limits);
    super.connect(outlet, client, receiveMaximum);
  }

  override disconnect(): void {
    super.disconnect();
    this.#isLive = false;
    this.#inFlight.drop();
    this.queue.clear();
    this.backlog.dropPages();
  }

  // --- StoredSession ---------------------------------------------------------------------------------------------

  record(): SessionRecord {
    const { sessionId, expiryInterval, account, will } = this;
    return {
      sessionId,
      expiryInterval,
      endsAtMs: this.expiry.atMs,
      isConnected: this.outlet !== undefined,
      account,
      will,
      willDueAtMs: this.willDelay.atMs,
    };
  }

  isOpen(stretch: Stretch): boolean {
    return this.subscriptions.get(stretch.subscription.topicFilter) === stretch;
  }

  // --- stretches -------------------------------------------------------------------------------------------------

  /** A number for a new stretch. */
  nextStretchId(): number {
    return ++this.#lastStretchId;
  }

  /** Stretch numbers up to this one are on disk, perhaps of stretches that are gone: none of them is given again. */
  restoreStretchId(stretchId: number): void {
    this.#lastStretchId = Math.max(this.#lastStretchId, stretchId);
  }

  addStretch(stretch: Stretch): void {
    this.restoreStretchId(stretch.stretchId);
    this.stretches.set(stretch.stretchId, stretch);
    if (stretch.cursor !== undefined) this.backlog.add(stretch.cursor);
    this.#isLive = false;
    if (this.outlet !== undefined) this.context.pumps.add(this);
  }

  /** The subscription of a stretch ended. It goes when everything before that was read and acknowledged. */
  endStretch(stretch: Stretch, sequence: number): void {
    stretch.cursor?.close(sequence);
    this.state.stretchChanged(stretch.stretchId);
    this.retireIfDone(stretch);
  }

  /** Forgets a stretch whose subscription has ended when it was read and acknowledged to its end. */
  retireIfDone(stretch: Stretch): void {
    const { cursor, stretchId } = stretch;
    if (stretchId === INBOX || this.isOpen(stretch)) return;
    if ((cursor !== undefined && cursor.unread !== Infinity) || this.#isInFlight(stretchId)) return;
    this.stretches.delete(stretchId);
    this.state.stretchChanged(stretchId);
    if (cursor === undefined) return;
    this.backlog.remove(cursor);
    cursor.log.cursors.delete(cursor);
    this.context.logs.touch(cursor.log);
  }

  #isInFlight(stretchId: number): boolean {
    for (const delivery of this.sender.inFlight()) if (delivery.ref?.stretchId === stretchId) return true;
    return false;
  }

  /** The session is over: its cursors go, and everything of it on disk. Its subscriptions have ended before. */
  end(): void {
    for (const { cursor, stretchId } of this.stretches.values()) {
      this.state.stretchChanged(stretchId);
      if (cursor === undefined) continue;
      cursor.log.cursors.delete(cursor);
      this.context.logs.touch(cursor.log);
    }
    this.stretches.clear();
    this.state.ended();
  }

  // --- CursorOwner -----------------------------------------------------------------------------------------------

  get hasInFlight(): boolean {
    return this.sender.inFlightCount > 0;
  }

  lowestInFlight(log: Log): number {
    let lowest = Infinity;
    for (const { ref } of this.sender.inFlight()) {
      if (ref?.cursor !== undefined && ref.cursor.log === log) lowest = Math.min(lowest, ref.index);
    }
    return lowest;
  }

  enforceLimit(limits: Limits): boolean {
    return enforceQueueLimit(limits, this.backlog.cursors.values());
  }

  missing(_cursor: Cursor, messages: number): void {
    this.leaveOut("damagedEntries", messages);
    this.state.deliveryChanged();
  }

  discarded(cursor: Cursor, messages: number): void {
    this.leaveOut("discardedAtLimit", messages);
    this.context.observer.event("discarded", { clientId: this.clientId, messages });
    this.state.deliveryChanged();
    const stretch = this.stretches.get(cursor.cursorId);
    if (stretch !== undefined) this.retireIfDone(stretch);
  }

  override endedStretches(): number {
    return this.stretches.size - this.subscriptions.size - (this.inbox === undefined ? 0 : 1);
  }

  override get waiting(): number {
    return this.backlog.waiting + this.queue.length;
  }

  override get waitingBytes(): number {
    return this.backlog.waitingBytes + this.queue.bytes;
  }

  // --- messages as they are published ----------------------------------------------------------------------------

  override offer(
    message: Message,
    qos: 1 | 2,
    retain: boolean,
    identifiers: readonly number[],
    matched: readonly Matched[],
  ): void {
    const outlet = this.outlet;
    if (!this.#isLive || outlet === undefined || this.sender.room <= 0 || outlet.isFull) {
      if (this.context.hooks.deliver !== undefined) this.context.pumps.add(this);
      this.#isLive = false;
      return;
    }
    if (this.context.hooks.deliver !== undefined) {
      this.#isLive = false;
      this.context.pumps.add(this);
      return;
    }
    let place: Place;
    for (const { cursor } of matched) {
      if (cursor === undefined) continue;
      cursor.moveToEnd();
      place ??= { stretchId: cursor.cursorId, cursor, index: cursor.next - 1, group: undefined };
    }
    this.#send(message, qos, retain, identifiers, place);
  }

  override passOver(matched: readonly Matched[]): void {
    if (!this.#isLive) return;
    for (const { cursor } of matched) cursor?.moveToEnd();
    this.state.deliveryChanged();
  }

  /** A message from the time when its group had clean members only and no log: it waits in the session's own log. */
  override offerShared(message: Message, qos: 1 | 2, retain: boolean, identifiers: readonly number[]): void {
    this.inbox ??= this.#openInbox();
    this.context.logs.append(this.inbox.log, message.with(qos, retain), identifiers);
    this.context.pumps.add(this);
  }

  override sendShared(
    message: Message,
    qos: 1 | 2,
    retain: boolean,
    identifiers: readonly number[],
    place: Place,
  ): void {
    if (this.context.hooks.deliver === undefined) {
      this.#send(message, qos, retain, identifiers, place);
      return;
    }
    this.state.deliveryChanged();
    this.sendSharedThroughHook(message, qos, retain, identifiers, place);
  }

  override offerRetained(message: Message, qos: 1 | 2, identifiers: readonly number[]): boolean {
    const { counters, limits, pumps } = this.context;
    if (counters.unsavedBytes > limits.unsavedBytes) {
      pumps.hold(this);
      return false;
    }
    this.inbox ??= this.#openInbox();
    if (this.inbox.waiting >= INBOX_AHEAD) return false;
    this.context.logs.append(this.inbox.log, message.with(qos, true), identifiers);
    return true;
  }

  #openInbox(): Cursor {
    const { logs } = this.context;
    const cursor = new Cursor(INBOX, this, logs.create(""), INBOX_SUBSCRIPTION, 0, 0, logs.nextSequence);
    this.addStretch({
      stretchId: INBOX,
      session: this,
      subscription: INBOX_SUBSCRIPTION,
      cursor,
      group: undefined,
    });
    this.state.stretchChanged(INBOX);
    return cursor;
  }

  // --- what waits in logs ----------------------------------------------------------------------------------------

  override pump(): void {
    this.backlog.begin();
    super.pump();
  }

  protected override sendWaiting(): boolean {
    const outlet = this.outlet;
    if (outlet === undefined || outlet.isFull) return false;
    if (this.queue.length > 0) return this.#sendQueuedQoS0();
    if (this.sender.room <= 0) return false;
    const next = this.backlog.next();
    if (next === "reading") return false;
    if (next === undefined) return this.#caughtUp();
    this.#sendNext(next, outlet);
    return true;
  }

  #caughtUp(): boolean {
    if (this.replayNext()) {
      this.backlog.begin();
      return true;
    }
    // What was published since would overtake retained messages that wait in the session's own log.
    this.#isLive = this.inbox === undefined || this.inbox.waiting === 0;
    this.pumpGroups();
    return false;
  }

  #sendQueuedQoS0(): boolean {
    const waiting = this.queue.shift();
    if (waiting === undefined) return false;
    // 5.0 [MQTT-3.3.2-5]: the hook may have kept those before it waiting for long.
    if (waiting.message.expiresAtMs <= this.context.turn.nowMs) {
      this.leaveOut("expired");
      return true;
    }
    this.throughHook(waiting.message, 0, (message) => {
      if (message === undefined) this.leaveOut("droppedRefused");
      else this.outlet?.sendQoS0(message, waiting.retain, waiting.identifiers);
    });
    return true;
  }

  #sendNext(next: NextEntry, outlet: Outlet): void {
    const { entry } = next;
    const { message } = entry;
    const wanting = next.cursors.filter((cursor) => !isOwn(this, cursor, entry));
    const first = wanting[0];
    const isExpired = message.expiresAtMs <= this.context.turn.nowMs;
    if (first === undefined || isExpired) {
      if (first !== undefined) this.leaveOut("expired");
      this.#advance(next);
      return;
    }
    const granted = Math.max(...wanting.map((cursor) => cursor.subscription.qos));
    const qos = Math.min(message.qos, granted) === 2 ? 2 : 1;
    const { retain, identifiers } = optionsOf(this, entry, first, wanting);
    const omission = outlet.omission(message, qos, identifiers);
    if (omission !== undefined) {
      this.leaveOut(omission);
      this.#advance(next);
      return;
    }
    const index = first.next;
    this.throughHook(message, qos, (changed) => {
      // Discarded at the queue's limit while the hook took its time.
      if (first.next !== index) return;
      this.backlog.advance(next);
      const place = { stretchId: first.cursorId, cursor: first, index, group: undefined };
      if (changed === undefined) this.leaveOut("droppedRefused");
      else this.#send(changed, qos, retain, identifiers, place);
      // Only now: a stretch that was read to its end stays as long as this is in flight from it.
      this.#advanced(next);
    });
  }

  #advance(next: NextEntry): void {
    this.backlog.advance(next);
    this.#advanced(next);
  }

  #advanced(next: NextEntry): void {
    this.state.deliveryChanged();
    for (const cursor of next.cursors) this.#cursorMoved(cursor);
  }

  #cursorMoved(cursor: Cursor): void {
    this.context.logs.touch(cursor.log);
    if (cursor.end === Infinity) return;
    const stretch = this.stretches.get(cursor.cursorId);
    if (stretch !== undefined) this.retireIfDone(stretch);
  }

  #send(message: Message, qos: 1 | 2, retain: boolean, identifiers: readonly number[], place: Place): void {
    const outlet = this.outlet;
    if (outlet === undefined) return;
    this.state.deliveryChanged();
    const omission = outlet.omission(message, qos, identifiers);
    if (omission !== undefined) {
      this.leaveOut(omission);
      if (place?.group !== undefined) place.group.completed(place);
      return;
    }
    this.counts.taken++;
    const packetId = this.sender.start(qos, place);
    outlet.waitFor(this.context.turn.batch());
    outlet.sendPublish(message, qos, packetId, false, retain, identifiers);
  }

  // --- what was in flight when the connection was lost -----------------------------------------------------------

  protected override resendNext(): boolean {
    const outlet = this.outlet;
    // One that is held has its place of the Receive Maximum already.
    if (this.#held === undefined && this.sender.room <= 0) return false;
    const delivery = this.#held ?? this.sender.nextResend();
    if (delivery === undefined || outlet === undefined) return true;
    this.#held = undefined;
    outlet.waitFor(this.state.deliveryBatch());
    if (delivery.isReleased) {
      outlet.sendPubrel(delivery.packetId);
      return true;
    }
    const entry = this.#inFlight.at(delivery.ref);
    if (entry === "reading") {
      this.#held = delivery;
      return false;
    }
    if (entry === undefined) {
      this.#lost(delivery);
      return true;
    }
    this.#resend(delivery, entry, outlet);
    return true;
  }

  #resend(delivery: Delivery<Place>, entry: Entry, outlet: Outlet): void {
    const { message } = entry;
    const { retain, identifiers } = optionsAgain(this, entry, delivery.ref);
    const omission = outlet.omission(message, delivery.qos, identifiers);
    if (omission !== undefined) {
      this.#abandon(delivery, omission);
      return;
    }
    this.throughHook(message, delivery.qos, (changed) => {
      // Acknowledged on this connection while the hook took its time: its identifier may be free by now.
      if (!this.sender.mayPublish(delivery)) return;
      if (changed === undefined) this.#abandon(delivery, "droppedRefused");
      else this.outlet?.sendPublish(changed, delivery.qos, delivery.packetId, true, retain, identifiers);
    });
  }

  /** Its message is not readable any more. It was acknowledged: that is counted and reported. */
  #lost(delivery: Delivery<Place>): void {
    this.context.observer.event("damaged", {
      place: `a message in flight for client ${JSON.stringify(this.clientId)}, packet identifier ${delivery.packetId}`,
      reason: "not readable from the store, expected until it is acknowledged",
    });
    this.#abandon(delivery, "damagedEntries");
  }

  #abandon(delivery: Delivery<Place>, why: Undelivered): void {
    this.sender.abandon(delivery);
    this.counts.undelivered(this.context.counters, why);
    this.forget(delivery);
  }

  // --- acknowledgements ------------------------------------------------------------------------------------------

  protected override released(): void {
    this.state.deliveryChanged();
    this.outlet?.waitFor(this.context.turn.batch());
  }

  protected override forget(delivery: Delivery<Place>): void {
    this.state.deliveryChanged();
    const place = delivery.ref;
    if (place === undefined) return;
    place.group?.completed(place);
    if (place.group !== undefined) {
      const stretch = this.stretches.get(place.stretchId);
      if (stretch !== undefined) this.retireIfDone(stretch);
    } else if (place.cursor !== undefined) {
      this.#cursorMoved(place.cursor);
    }
  }
}
