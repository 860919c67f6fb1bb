// A shared subscription: the members of one share name on one filter, each message to one of them. MQTT 5.0 section 4.8.2.
// While a lasting session is among the members the group has a cursor on its filter's log; otherwise it needs no disk.
//
// A QoS 1 message whose member's session ends goes to another member; a QoS 2 message stays with the member that it was
// sent to, 5.0 [MQTT-4.8.2-4], [MQTT-4.8.2-5].

import type { Context } from "../context.ts";
import { DeliveryCounts } from "../delivery-counts.ts";
import { Cursor, type CursorOwner } from "../logs/cursor.ts";
import type { Entry } from "../logs/entry.ts";
import type { Log } from "../logs/log.ts";
import type { Limits } from "../limits.ts";
import type { Message } from "../message.ts";
import { enforceQueueLimit } from "../queue-limit.ts";
import type { StoreBatch } from "../ports/store.ts";
import type { Stored } from "../turn.ts";
import { PAGE_BYTES, readPage } from "./log-backlog.ts";
import type { Pumpable } from "./pump-queue.ts";
import { writeGroup } from "./group-record.ts";
import type { Place } from "./place.ts";
import type { Stretch, StretchGroup } from "./stretch.ts";
import type { Subscriber } from "./subscriber.ts";
import type { Subscription } from "../subscription.ts";

/** Stands for the group's cursor among cursors; groups have one each. */
const GROUP_CURSOR = 0;

/** What the group's cursor wants: everything. Each member's own options decide on its deliveries. */
const GROUP_SUBSCRIPTION: Subscription = {
  topicFilter: "",
  qos: 2,
  noLocal: false,
  retainAsPublished: true,
  retainHandling: 2,
  subscriptionIdentifier: 0,
};

export class SharedGroup implements CursorOwner, Pumpable, StretchGroup, Stored {
  readonly shareName: string;
  /** Without `$share/name/`. */
  readonly topicFilter: string;
  unsaved = false;
  isPumpWanted = false;
  cursor: Cursor | undefined;
  /** What became of messages that no member had; those that a member was given count there. */
  counts: DeliveryCounts = new DeliveryCounts();
  readonly #context: Context;
  readonly #members: Stretch[] = [];
  #turn = 0;
  /** Indexes given to a member and not yet acknowledged; with that member, if a restart may give them to another. */
  readonly #given = new Map<number, Subscriber | undefined>();
  /** Indexes that came back, to be given again. */
  #returned: number[] = [];
  /** Messages that came back, when there is no log. Bounded by what members had in flight or queued. */
  #returnedMessages: Message[] = [];
  #isReading = false;
  #isDissolved = false;
  #isRecordDeleted = false;
  #page: Entry | undefined;
  #pageIndex = -1;

  constructor(context: Context, shareName: string, topicFilter: string) {
    this.#context = context;
    this.shareName = shareName;
    this.topicFilter = topicFilter;
  }

  get key(): string {
    return `$share/${this.shareName}/${this.topicFilter}`;
  }

  get size(): number {
    return this.#members.length;
  }

  /** Whether it has a member for whom messages have to be kept. */
  get hasLastingMember(): boolean {
    return this.#members.some(({ session, subscription }) => session.isLasting && subscription.qos > 0);
  }

  /** Messages that wait for a member. */
  get waiting(): number {
    return this.#returned.length + this.#returnedMessages.length + (this.cursor?.waiting ?? 0);
  }

  /** Indexes that a restart has to give again: those of clean sessions, which do not survive it, and those that came back. */
  get openIndexes(): number[] {
    const open = [...this.#returned];
    for (const [index, session] of this.#given) if (session?.isLasting === false) open.push(index);
    return open;
  }

  // --- members ---------------------------------------------------------------------------------------------------

  add(stretch: Stretch): void {
    this.#members.push(stretch);
    this.#context.pumps.add(this);
  }

  remove(stretch: Stretch): void {
    const place = this.#members.indexOf(stretch);
    if (place !== -1) this.#members.splice(place, 1);
    this.#context.pumps.add(this);
  }

  /** Begins to keep messages in the log: a lasting session joined. */
  openCursor(log: Log, sequence: number): void {
    if (this.cursor !== undefined) return;
    this.cursor = new Cursor(
      GROUP_CURSOR,
      this,
      log,
      GROUP_SUBSCRIPTION,
      log.endIndex,
      log.totalBytes,
      sequence,
    );
    this.#context.turn.save(this);
  }

  /** Takes up the cursor after a restart. */
  restore(
    log: Log,
    next: number,
    nextBytes: number,
    fromSequence: number,
    openIndexes: readonly number[],
  ): void {
    this.cursor = new Cursor(GROUP_CURSOR, this, log, GROUP_SUBSCRIPTION, next, nextBytes, fromSequence);
    this.#returned = [...openIndexes].sort((a, b) => a - b);
  }

  /** A member took this entry up again after a restart. */
  restoreGiven(index: number, session: Subscriber): void {
    this.#given.set(index, session);
    this.#returned = this.#returned.filter((returned) => returned !== index);
  }

  /** The last member left. What waited is discarded; what members have in flight stays theirs until they are done. */
  dissolve(): void {
    const cursor = this.cursor;
    this.#isDissolved = true;
    this.#discarded(this.#returned.length + this.#returnedMessages.length + (cursor?.waiting ?? 0));
    this.#returned = [];
    this.#returnedMessages = [];
    this.#context.ended.add(this.counts);
    this.counts = this.#context.ended;
    if (cursor === undefined) return;
    cursor.moveToEnd();
    cursor.close(cursor.fromSequence);
    this.#context.turn.save(this);
    this.#retire(cursor);
  }

  #discarded(count: number): void {
    this.counts.undelivered(this.#context.counters, "discardedWithSession", count);
  }

  #retire(cursor: Cursor): void {
    if (this.size > 0 || cursor.unread !== Infinity || this.hasInFlight) return;
    cursor.log.cursors.delete(cursor);
    this.#context.logs.touch(cursor.log);
  }

  // --- messages --------------------------------------------------------------------------------------------------

  /**
   * A message was published. If the group has a log, it is the newest entry there. With a `batch`, nobody is sent it
   * before that batch is on disk.
   */
  offer(message: Message, batch: number): void {
    const cursor = this.cursor;
    if (message.qos === 0) {
      this.#offerQoS0(message);
    } else if (cursor === undefined) {
      this.#offerClean(message, batch);
    } else if (cursor.waiting === 1 && this.#returned.length === 0 && !this.#isReading) {
      const member = this.#nextMember(message, true);
      if (member === undefined) return;
      cursor.moveToEnd();
      this.#give(member, message, cursor, cursor.next - 1);
    } else {
      this.#context.pumps.add(this);
    }
  }

  #offerQoS0(message: Message): void {
    const member = this.#nextMember(message, false);
    if (member === undefined) return;
    const { retainAsPublished } = member.subscription;
    member.session.offerQoS0(message, retainAsPublished && message.retain, identifiersOf(member));
  }

  #offerClean(message: Message, batch: number): void {
    const member = this.#nextMember(message, true) ?? this.#nextMember(message, false);
    if (member === undefined) {
      // Members that are away without a log have QoS 0: nothing is kept for them.
      this.#context.counters.droppedQoS0++;
      return;
    }
    const retain = member.subscription.retainAsPublished && message.retain;
    if (batch !== 0) member.session.outlet?.waitFor(batch);
    if (member.subscription.qos === 0) member.session.offerQoS0(message, retain, identifiersOf(member));
    else member.session.offerShared(message, lower(message, member), retain, identifiersOf(member), member);
  }

  /**
   * The next connected member in turn that may see the message; with `withRoom` one that can take QoS 1 or 2 now. If no
   * connected member may see it, any of them: there it is left out and counted.
   */
  #nextMember(message: Message, withRoom: boolean): Stretch | undefined {
    const members = this.#members;
    let stranger: Stretch | undefined;
    let isWaited = false;
    for (const _ of members) {
      this.#turn = (this.#turn + 1) % members.length;
      const member = members[this.#turn];
      if (member?.session.outlet === undefined) continue;
      const isReady = !withRoom || member.session.hasRoom;
      const isAllowed = member.session.outlet.mayReceive(message.topicName);
      if (isReady && isAllowed) return member;
      if (isAllowed) isWaited = true;
      else if (isReady) stranger ??= member;
    }
    return isWaited ? undefined : stranger;
  }

  #give(member: Stretch, message: Message, cursor: Cursor, index: number): void {
    const { session, subscription, stretchId } = member;
    const retain = subscription.retainAsPublished && message.retain;
    this.#context.turn.save(this);
    this.#context.logs.touch(cursor.log);
    if (subscription.qos === 0) {
      // At most once: a crash that forgets that the group gave it would give it again.
      session.outlet?.waitFor(this.#context.turn.batch());
      session.offerQoS0(message, retain, identifiersOf(member));
      return;
    }
    const place: Place = { stretchId, cursor, index, group: this };
    const qos = lower(message, member);
    // 5.0 [MQTT-4.8.2-5]: once it is with a clean session, no other member may get a QoS 2 message, also after a crash.
    const isBound = qos === 2 && !session.isLasting;
    if (isBound) session.outlet?.waitFor(this.#context.turn.batch());
    this.#given.set(index, isBound ? undefined : session);
    session.sendShared(message, qos, retain, identifiersOf(member), place);
  }

  /** Gives what waits to members with room. */
  pump(): void {
    while (this.#returnedMessages.length > 0 && this.#members.some(isConnected)) {
      const message = this.#returnedMessages.shift();
      if (message === undefined) continue;
      if (message.expiresAtMs > this.#context.turn.nowMs) this.#offerClean(message, 0);
      else this.counts.undelivered(this.#context.counters, "expired");
    }
    const cursor = this.cursor;
    if (cursor === undefined) return;
    for (;;) {
      const returned = this.#returned[0];
      if (returned === undefined && cursor.waiting === 0) return;
      if (!this.#members.some(hasRoom)) return;
      const isGiven = returned === undefined ? this.#giveNext(cursor) : this.#giveReturned(cursor, returned);
      if (!isGiven) return;
    }
  }

  #giveNext(cursor: Cursor): boolean {
    const entry = cursor.head();
    if (entry === "absent") {
      readPage(this.#context, cursor, PAGE_BYTES, () => this.#context.pumps.add(this));
      return false;
    }
    const member = this.#nextMember(entry.message, true);
    if (member === undefined) return false;
    const index = cursor.next;
    cursor.advance(entry.bytes);
    this.#giveEntry(member, entry, cursor, index);
    return true;
  }

  #giveReturned(cursor: Cursor, index: number): boolean {
    const entry = cursor.log.recent(index) ?? (this.#pageIndex === index ? this.#page : undefined);
    if (entry === undefined && this.#pageIndex !== index) {
      this.#readReturned(cursor, index);
      return false;
    }
    const member = entry === undefined ? undefined : this.#nextMember(entry.message, true);
    if (entry !== undefined && member === undefined) return false;
    this.#returned.shift();
    if (entry === undefined) this.counts.undelivered(this.#context.counters, "damagedEntries");
    else if (member !== undefined) this.#giveEntry(member, entry, cursor, index);
    return true;
  }

  #giveEntry(member: Stretch, entry: Entry, cursor: Cursor, index: number): void {
    if (entry.message.expiresAtMs <= this.#context.turn.nowMs) {
      this.counts.undelivered(this.#context.counters, "expired");
      this.#context.turn.save(this);
    } else {
      this.#give(member, entry.message, cursor, index);
    }
  }

  #readReturned(cursor: Cursor, index: number): void {
    if (this.#isReading) return;
    this.#isReading = true;
    this.#context.logs.readBlocks(cursor.log, index, 1).then(
      (blocks) => {
        this.#isReading = false;
        const block = blocks.find((candidate) => candidate.firstIndex <= index && index < candidate.endIndex);
        this.#page = block?.entry(index);
        this.#pageIndex = index;
        this.#context.pumps.add(this);
      },
      (error: unknown) => this.#context.logs.readFailed(error),
    );
  }

  // --- what members had ------------------------------------------------------------------------------------------

  /** A member acknowledged, or refused, what it was given. */
  completed(place: NonNullable<Place>): void {
    if (place.cursor === undefined) return;
    if (this.#given.get(place.index)?.isLasting === false) this.#context.turn.save(this);
    this.#given.delete(place.index);
    this.#context.logs.touch(place.cursor.log);
    this.#retire(place.cursor);
  }

  /** A member's session ended with this in flight. */
  ended(place: NonNullable<Place>, qos: 1 | 2): void {
    const goesOn = qos === 1 && !this.#isDissolved;
    if (!goesOn) this.#discarded(1);
    if (place.cursor !== undefined) {
      this.#given.delete(place.index);
      if (goesOn) this.#returned.push(place.index);
      this.#context.turn.save(this);
      this.#context.logs.touch(place.cursor.log);
      this.#retire(place.cursor);
    } else if (goesOn) {
      this.#returnedMessages.push(place.message);
    }
    this.#context.pumps.add(this);
  }

  /** A message that a member had not been sent yet. */
  takeBack(message: Message): void {
    if (this.#isDissolved) {
      this.#discarded(1);
      return;
    }
    this.#returnedMessages.push(message);
    this.#context.pumps.add(this);
  }

  // --- CursorOwner, Stored ---------------------------------------------------------------------------------------

  get hasInFlight(): boolean {
    return this.#given.size > 0 || this.#returned.length > 0;
  }

  lowestInFlight(): number {
    let lowest = Infinity;
    for (const index of this.#given.keys()) if (index < lowest) lowest = index;
    for (const index of this.#returned) if (index < lowest) lowest = index;
    return lowest;
  }

  enforceLimit(limits: Limits): boolean {
    return this.cursor !== undefined && enforceQueueLimit(limits, [this.cursor]);
  }

  missing(_cursor: Cursor, messages: number): void {
    this.counts.undelivered(this.#context.counters, "damagedEntries", messages);
    this.#context.turn.save(this);
  }

  discarded(_cursor: Cursor, messages: number): void {
    this.counts.undelivered(this.#context.counters, "discardedAtLimit", messages);
    this.#context.observer.event("discarded", { clientId: this.key, messages });
    this.#context.turn.save(this);
  }

  save(batch: StoreBatch): void {
    if (this.cursor === undefined || this.#isRecordDeleted) return;
    if (this.#isDissolved) {
      // Once only: another group may have this key by the time the last message in flight is acknowledged.
      this.#isRecordDeleted = true;
      batch.delete("group", this.key);
    } else {
      batch.put("group", this.key, writeGroup(this.cursor, this.openIndexes));
    }
  }
}

function lower(message: Message, member: Stretch): 1 | 2 {
  return Math.min(message.qos, member.subscription.qos) === 2 ? 2 : 1;
}

function identifiersOf(member: Stretch): readonly number[] {
  const { subscriptionIdentifier } = member.subscription;
  return subscriptionIdentifier === 0 ? [] : [subscriptionIdentifier];
}

function hasRoom(member: Stretch): boolean {
  return member.session.hasRoom;
}

function isConnected(member: Stretch): boolean {
  return member.session.outlet !== undefined;
}
