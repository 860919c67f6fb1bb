// A session: what the broker remembers of one client beyond one connection. This file has what clean and lasting sessions
// share; `clean-session.ts` and `lasting-session.ts` say where messages wait. MQTT 5.0 section 4.1, 3.1.1 section 3.1.2.4.

import type { QoS } from "@heirloom/codec";
import type { Context } from "../context.ts";
import { Deadline } from "../deadlines.ts";
import { DeliveryCounts, type Undelivered } from "../delivery-counts.ts";
import type { Message } from "../message.ts";
import type { ClientInfo, DeliverHook } from "../ports/hooks.ts";
import { Receiver } from "../qos/receiver.ts";
import type { Delivery } from "../qos/in-flight.ts";
import { Sender } from "../qos/sender.ts";
import type { Will } from "../wills.ts";
import { MemoryQueue, type WaitingDelivery } from "./memory-queue.ts";
import type { Outlet } from "./outlet.ts";
import type { Place } from "./place.ts";
import type { Pumpable } from "./pump-queue.ts";
import type { Stretch, StretchGroup } from "./stretch.ts";
import type { Matched, Shared, Subscriber } from "./subscriber.ts";

/** More to send than fits into one turn: retained messages for a new subscription. */
export interface Replay {
  readonly topicFilter: string;
  /**
   * Sends or queues some messages: all (`"done"`), there may be more and others should have their turn before (`"later"`),
   * or the session has no room (`"wait"`).
   */
  step(session: Session): "done" | "later" | "wait";
  /** It is not needed any more. */
  close(): void;
}

/** Told what falls due for a session. */
export interface SessionDue {
  expired(session: Session): void;
  willDue(session: Session): void;
}

const NO_GROUPS: Set<never> = new Set<never>();

export abstract class Session implements Pumpable, Subscriber {
  readonly clientId: string;
  abstract readonly isLasting: boolean;
  readonly subscriptions: Map<string, Stretch> = new Map();
  /** Bytes of the topic filters in `subscriptions`. Owned by the subscription table. */
  subscriptionBytes = 0;
  readonly sender: Sender<Place> = new Sender();
  readonly receiver: Receiver = new Receiver();
  readonly replays: Replay[] = [];
  counts: DeliveryCounts = new DeliveryCounts();
  /** Who made it; `undefined` = nobody in particular. */
  account: string | undefined;
  /** Seconds; 0xFFFFFFFF = never. */
  expiryInterval = 0;
  outlet: Outlet | undefined;
  client: ClientInfo | undefined;
  isPumpWanted = false;
  /** QoS 0 deliveries that wait for a delivery hook; in clean sessions also QoS 1 and 2 that wait for room. */
  protected readonly queue: MemoryQueue = new MemoryQueue();
  protected readonly context: Context;
  readonly #due: SessionDue;
  // Made when they are needed: most sessions are clean, have no such times and are in no group.
  #expiry: Deadline | undefined;
  #willDelay: Deadline | undefined;
  #will: Will | undefined;
  #groups: Set<StretchGroup> = NO_GROUPS;
  /** A delivery hook is being waited for. */
  #isHookPending = false;

  constructor(context: Context, clientId: string, due: SessionDue) {
    this.context = context;
    this.clientId = clientId;
    this.#due = due;
  }

  /** When the session ends; set while no connection holds it. */
  get expiry(): Deadline {
    return (this.#expiry ??= new Deadline(() => this.#due.expired(this)));
  }

  get will(): Will | undefined {
    return this.#will;
  }

  set will(will: Will | undefined) {
    this.context.counters.willBytes += (will?.message.heldBytes ?? 0) - (this.#will?.message.heldBytes ?? 0);
    this.#will = will;
  }

  /** When the will is due; set while no connection holds the session. */
  get willDelay(): Deadline {
    return (this.#willDelay ??= new Deadline(() => this.#due.willDue(this)));
  }

  /** Becomes a member of a shared group. */
  joinGroup(group: StretchGroup): void {
    if (this.#groups === NO_GROUPS) this.#groups = new Set();
    this.#groups.add(group);
  }

  /** Is a member no more. */
  leaveGroup(group: StretchGroup): void {
    this.#groups.delete(group);
  }

  /** A connection takes the session up. */
  connect(outlet: Outlet, client: ClientInfo, receiveMaximum: number): void {
    this.outlet = outlet;
    this.client = client;
    this.sender.connect(Math.min(receiveMaximum, this.context.limits.sendMaximum));
    this.receiver.connect();
    this.context.pumps.add(this);
  }

  /** The connection is gone. */
  disconnect(): void {
    this.outlet = undefined;
    this.#isHookPending = false;
    this.sender.disconnect();
    for (const replay of this.replays) replay.close();
    this.replays.length = 0;
  }

  abstract offer(
    message: Message,
    qos: 1 | 2,
    retain: boolean,
    identifiers: readonly number[],
    matched: readonly Matched[],
  ): void;

  /** Stretches of subscriptions that were replaced or ended, and are still to be read. */
  endedStretches(): number {
    return 0;
  }

  /** Messages and bytes that wait, not counting what is in flight. */
  abstract get waiting(): number;
  abstract get waitingBytes(): number;

  /** Counts messages that do not wait any more and are not sent. */
  leaveOut(why: Undelivered, count = 1): void {
    this.counts.taken += count;
    this.counts.undelivered(this.context.counters, why, count);
  }

  abstract passOver(matched: readonly Matched[]): void;

  abstract offerShared(
    message: Message,
    qos: 1 | 2,
    retain: boolean,
    identifiers: readonly number[],
    shared: Shared,
  ): void;

  abstract sendShared(
    message: Message,
    qos: 1 | 2,
    retain: boolean,
    identifiers: readonly number[],
    place: Place,
  ): void;

  /** Takes a retained message for a new subscription. Returns false when it should come again later. */
  abstract offerRetained(message: Message, qos: 1 | 2, identifiers: readonly number[]): boolean;

  get hasRoom(): boolean {
    if (this.outlet === undefined || this.#isHookPending) return false;
    return this.sender.room > 0 && !this.outlet.isFull && !this.sender.isResending;
  }

  offerQoS0(message: Message, retain: boolean, identifiers: readonly number[]): void {
    if (this.outlet === undefined) return;
    if (this.context.hooks.deliver === undefined) {
      this.outlet.sendQoS0(message, retain, identifiers);
    } else if (this.#hasRoomForQoS0(message)) {
      this.enqueue({ message: message.own(), qos: 0, retain, identifiers, shared: undefined });
    } else {
      this.context.counters.droppedQoS0++;
    }
  }

  /** Whether one more may wait for the delivery hook: within the bounds of the queue, and of what waits for a socket. */
  #hasRoomForQoS0(message: Message): boolean {
    const { outputBytes, cleanQueueMessages, cleanQueueBytes } = this.context.limits;
    const { length, bytes } = this.queue;
    return bytes < outputBytes && length < cleanQueueMessages && bytes + message.heldBytes <= cleanQueueBytes;
  }

  /** Sends as much as window and socket take: first what is to be resent, then what waits. */
  pump(): void {
    while (this.outlet !== undefined && !this.#isHookPending) {
      if (this.sender.isResending) {
        if (this.outlet.isFull || !this.resendNext()) return;
      } else if (!this.sendWaiting()) {
        return;
      }
    }
  }

  /** Resends one delivery. Returns false when it has to wait. */
  protected abstract resendNext(): boolean;

  /** Sends one waiting delivery. Returns false when there is none or it has to wait. */
  protected abstract sendWaiting(): boolean;

  /** Retained messages are to be sent for a subscription; a replay for the same filter that is under way begins anew. */
  replay(replay: Replay): void {
    this.cancelReplay(replay.topicFilter);
    this.replays.push(replay);
    this.context.pumps.add(this);
  }

  /** The subscription of a replay ended. */
  cancelReplay(topicFilter: string): void {
    const place = this.replays.findIndex((replay) => replay.topicFilter === topicFilter);
    if (place !== -1) this.replays.splice(place, 1)[0]?.close();
  }

  /** Lets a replay go on. Returns false when there is none, or it has to wait. */
  protected replayNext(): boolean {
    const replay = this.replays[0];
    if (replay === undefined || !this.context.pumps.mayReplay(this)) return false;
    const outcome = replay.step(this);
    if (outcome === "done") this.#endReplay();
    else if (outcome === "later") this.context.pumps.add(this);
    return outcome === "done";
  }

  #endReplay(): void {
    // `shift` would leave each session with room for 16 replays.
    if (this.replays.length === 1) this.replays.length = 0;
    else this.replays.shift();
  }

  protected enqueue(delivery: WaitingDelivery): void {
    this.queue.push(delivery);
    this.context.pumps.add(this);
  }

  /**
   * Asks the delivery hook, if there is one, and then sends. The hook may take its time: the session waits, and keeps
   * the order.
   */
  protected throughHook(message: Message, qos: QoS, send: (message: Message | undefined) => void): void {
    const hook = this.context.hooks.deliver;
    if (hook === undefined || this.client === undefined) {
      send(message);
      return;
    }
    const outlet = this.outlet;
    const answered = (answer: Message | boolean | undefined | void): void => {
      if (this.outlet !== outlet) return;
      send(answer === false ? undefined : answer instanceof Object ? answer : message);
    };
    let answer: ReturnType<DeliverHook>;
    try {
      answer = hook(message, qos, this.client);
    } catch {
      answer = false;
    }
    if (!(answer instanceof Promise)) {
      answered(answer);
      return;
    }
    this.#isHookPending = true;
    const finish = (result: Message | boolean | undefined | void): void => {
      // The session has another connection by now, or none, and asks again there.
      if (this.outlet !== outlet) return;
      this.#isHookPending = false;
      answered(result);
      this.context.pumps.add(this);
    };
    answer.then(finish, () => finish(false));
  }

  /**
   * Sends a message from a shared group, asking the delivery hook. It is in flight before that: the group has given it
   * away, so it must be on record here.
   */
  protected sendSharedThroughHook(
    message: Message,
    qos: 1 | 2,
    retain: boolean,
    identifiers: readonly number[],
    place: Place,
  ): void {
    const delivery = this.sender.begin(qos, place);
    this.counts.taken++;
    this.throughHook(message, qos, (changed) => {
      const { outlet } = this;
      const { counters, turn } = this.context;
      if (outlet === undefined || !this.sender.mayPublish(delivery)) return;
      const omission = changed === undefined ? "droppedRefused" : outlet.omission(changed, qos, identifiers);
      if (changed !== undefined && omission === undefined) {
        if (this.isLasting) outlet.waitFor(turn.batch());
        outlet.sendPublish(changed, qos, delivery.packetId, false, retain, identifiers);
        return;
      }
      if (omission !== undefined) this.counts.undelivered(counters, omission);
      this.sender.abandon(delivery);
      this.forget(delivery);
    });
  }

  /** Lets the shared groups that it is a member of use the room it has. */
  protected pumpGroups(): void {
    for (const group of this.#groups) group.pump();
  }

  /** PUBACK came. */
  puback(packetId: number, isError: boolean): boolean {
    const delivery = this.sender.puback(packetId);
    if (delivery !== undefined) this.#completed(delivery, isError);
    return delivery !== undefined;
  }

  /** PUBREC came. Returns whether the identifier was known. */
  pubrec(packetId: number, isError: boolean): boolean {
    const result = this.sender.pubrec(packetId, isError);
    if (result === "unknown") return false;
    if (result.outcome === "ended") {
      this.#completed(result.delivery, true);
    } else {
      this.released(result.delivery);
      this.outlet?.sendPubrel(packetId);
    }
    return true;
  }

  /** PUBCOMP came. Returns whether it ended a delivery. */
  pubcomp(packetId: number): boolean {
    const delivery = this.sender.pubcomp(packetId);
    if (delivery !== undefined) this.#completed(delivery, false);
    return delivery !== undefined;
  }

  /** PUBREC is about to be answered with PUBREL. */
  protected abstract released(delivery: Delivery<Place>): void;

  #completed(delivery: Delivery<Place>, isError: boolean): void {
    const { counters } = this.context;
    if (isError) {
      this.counts.undelivered(counters, "droppedRefused");
    } else {
      this.counts.delivered++;
      counters.delivered++;
    }
    this.forget(delivery);
    this.context.pumps.add(this);
  }

  /** A delivery is over: its place is not needed any more. */
  protected abstract forget(delivery: Delivery<Place>): void;
}
