// Deliveries that wait in memory: those of a clean session that cannot be sent yet, and those that wait for a delivery hook.
// A plain first-in-first-out ring that grows; its owner checks the bounds.

import type { QoS } from "@heirloom/codec";
import type { Message } from "../message.ts";
import type { Shared } from "./subscriber.ts";

export interface WaitingDelivery {
  /** Owns its bytes. */
  readonly message: Message;
  /** The QoS of the delivery. */
  readonly qos: QoS;
  readonly retain: boolean;
  readonly identifiers: readonly number[];
  /** The shared subscription that it came through. */
  readonly shared: Shared | undefined;
}

export class MemoryQueue {
  #ring: (WaitingDelivery | undefined)[] = [];
  #head = 0;
  #count = 0;
  #bytes = 0;

  get length(): number {
    return this.#count;
  }

  /** Bytes of memory that the waiting messages would hold if nobody else held them. */
  get bytes(): number {
    return this.#bytes;
  }

  push(delivery: WaitingDelivery): void {
    if (this.#count === this.#ring.length) this.#grow();
    this.#ring[(this.#head + this.#count) % this.#ring.length] = delivery;
    this.#count++;
    this.#bytes += delivery.message.heldBytes;
  }

  peek(): WaitingDelivery | undefined {
    return this.#count === 0 ? undefined : this.#ring[this.#head];
  }

  shift(): WaitingDelivery | undefined {
    if (this.#count === 0) return undefined;
    const delivery = this.#ring[this.#head];
    this.#ring[this.#head] = undefined;
    this.#head = (this.#head + 1) % this.#ring.length;
    this.#count--;
    if (delivery !== undefined) this.#bytes -= delivery.message.heldBytes;
    if (this.#count === 0 && this.#ring.length > 1024) this.clear();
    return delivery;
  }

  clear(): void {
    this.#ring = [];
    this.#head = 0;
    this.#count = 0;
    this.#bytes = 0;
  }

  #grow(): void {
    const ring: (WaitingDelivery | undefined)[] = [];
    for (let place = 0; place < this.#count; place++)
      ring.push(this.#ring[(this.#head + place) % this.#ring.length]);
    ring.length = Math.max(16, this.#count * 2);
    this.#ring = ring;
    this.#head = 0;
  }
}
