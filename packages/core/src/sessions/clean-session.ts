// A clean session: it ends with its connection, so nothing of it is ever on disk. What cannot be sent at once waits in
// memory; a client that cannot keep up is disconnected with 0x97, never thinned out.

import { ReasonCode } from "@heirloom/codec";
import type { Message } from "../message.ts";
import type { Delivery } from "../qos/in-flight.ts";
import type { Place } from "./place.ts";
import { Session } from "./session.ts";
import type { Shared } from "./subscriber.ts";

export class CleanSession extends Session {
  override readonly isLasting = false;

  override offer(message: Message, qos: 1 | 2, retain: boolean, identifiers: readonly number[]): void {
    this.#offer(message, qos, retain, identifiers, undefined);
  }

  override get waiting(): number {
    return this.queue.length;
  }

  override get waitingBytes(): number {
    return this.queue.bytes;
  }

  override passOver(): void {
    // Nothing was kept for it.
  }

  override offerShared(
    message: Message,
    qos: 1 | 2,
    retain: boolean,
    identifiers: readonly number[],
    shared: Shared,
  ): void {
    this.#offer(message, qos, retain, identifiers, shared);
  }

  override sendShared(
    message: Message,
    qos: 1 | 2,
    retain: boolean,
    identifiers: readonly number[],
    place: Place,
  ): void {
    if (this.context.hooks.deliver === undefined) this.#send(message, qos, retain, identifiers, place);
    else this.sendSharedThroughHook(message, qos, retain, identifiers, place);
  }

  override offerRetained(message: Message, qos: 1 | 2, identifiers: readonly number[]): boolean {
    if (!this.hasRoom) return false;
    this.#offer(message, qos, true, identifiers, undefined);
    return true;
  }

  #offer(
    message: Message,
    qos: 1 | 2,
    retain: boolean,
    identifiers: readonly number[],
    shared: Shared | undefined,
  ): void {
    const outlet = this.outlet;
    if (outlet === undefined) return;
    const isNext = this.queue.length === 0 && this.context.hooks.deliver === undefined;
    if (isNext && this.sender.room > 0 && !outlet.isFull) {
      this.#send(message, qos, retain, identifiers, sharedPlace(shared, qos, message));
      return;
    }
    this.enqueue({ message: message.own(), qos, retain, identifiers, shared });
    const { cleanQueueMessages, cleanQueueBytes } = this.context.limits;
    if (this.queue.length > cleanQueueMessages || this.queue.bytes > cleanQueueBytes) {
      outlet.disconnect(
        ReasonCode.QUOTA_EXCEEDED,
        `${this.queue.length} messages (${this.queue.bytes} bytes) wait for this clean session, ` +
          `the limit is ${cleanQueueMessages} (${cleanQueueBytes} bytes)`,
      );
    }
  }

  protected override sendWaiting(): boolean {
    const waiting = this.queue.peek();
    const outlet = this.outlet;
    if (outlet === undefined) return false;
    if (waiting === undefined) return this.#caughtUp();
    if (outlet.isFull || (waiting.qos > 0 && this.sender.room <= 0)) return false;
    const { qos, retain, identifiers, shared } = waiting;
    if (waiting.message.expiresAtMs <= this.context.turn.nowMs) {
      this.queue.shift();
      this.leaveOut("expired");
      return true;
    }
    this.throughHook(waiting.message, qos, (message) => {
      // Until now it waits: if the session ends while the hook is asked, it goes back to its shared group.
      this.queue.shift();
      if (message === undefined) this.leaveOut("droppedRefused");
      else if (qos === 0) this.outlet?.sendQoS0(message, retain, identifiers);
      else this.#send(message, qos, retain, identifiers, sharedPlace(shared, qos, message));
    });
    return true;
  }

  #caughtUp(): boolean {
    if (this.replayNext()) return true;
    this.pumpGroups();
    return false;
  }

  /** Never: what a clean session has in flight ends with its connection. */
  protected override resendNext(): boolean {
    return false;
  }

  #send(message: Message, qos: 1 | 2, retain: boolean, identifiers: readonly number[], place: Place): void {
    const outlet = this.outlet;
    if (outlet === undefined) return;
    const omission = outlet.omission(message, qos, identifiers);
    if (omission !== undefined) {
      this.leaveOut(omission);
      if (place?.group !== undefined) place.group.completed(place);
      return;
    }
    this.counts.taken++;
    outlet.sendPublish(message, qos, this.sender.start(qos, place), false, retain, identifiers);
  }

  protected override released(): void {
    // Nothing to keep: PUBREL is owed only as long as the connection lives.
  }

  protected override forget(delivery: Delivery<Place>): void {
    delivery.ref?.group?.completed(delivery.ref);
  }

  /** What waits when the session ends: messages that came through shared groups go back to them. */
  endQueue(): void {
    for (let waiting = this.queue.shift(); waiting !== undefined; waiting = this.queue.shift()) {
      if (waiting.shared?.group !== undefined) waiting.shared.group.takeBack(waiting.message);
      else if (waiting.qos > 0) this.counts.undelivered(this.context.counters, "discardedWithSession");
    }
  }
}

/** A QoS 1 message from a shared group is kept, so that another member can get it when this one goes. */
function sharedPlace(shared: Shared | undefined, qos: 1 | 2, message: Message): Place {
  if (shared?.group === undefined || qos === 2) return undefined;
  return { stretchId: shared.stretchId, group: shared.group, message: message.own(), cursor: undefined };
}
