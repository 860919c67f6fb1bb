// What is in flight of one session: found by its packet identifier, walked in the order of first sending. Knows no rules of MQTT.
//
// Not a Map: one that is filled and emptied all the time allocates a new table every few entries, and the old tables keep
// deliveries alive that ended long ago, until the next full collection. That was a fifth of all CPU of a busy broker.
//
//   slots   | -   | 7 | -   | 9 |  ...    by packet identifier, at most half full, linear probing
//   chain   oldest <-> ... <-> newest     by first sending

/** One delivery of QoS 1 or 2. `Ref` says what it is to its owner. */
export interface Delivery<Ref> {
  readonly packetId: number;
  readonly qos: 1 | 2;
  readonly ref: Ref;
  /** Whether PUBREC came, so that PUBREL is what is owed. */
  isReleased: boolean;
  /** Whether it takes a place of the Receive Maximum on this connection. */
  isCounted: boolean;
  /** Its neighbours in the order of first sending. Owned by {@link InFlight}. */
  older: Delivery<Ref> | undefined;
  newer: Delivery<Ref> | undefined;
}

/** Slots at first, as a power of two; many sessions never have more than a few deliveries in flight. */
const FIRST_BITS = 3;
/** With more slots than this they are given back when nothing is in flight any more. */
const KEPT_BITS = 8;
/** Identifiers that follow each other are spread evenly: 2 to the power of 32, divided by the golden ratio. */
const SPREAD = 0x9e3779b1;

const NO_SLOTS: readonly undefined[] = [];

export class InFlight<Ref> {
  #slots: (Delivery<Ref> | undefined)[] = NO_SLOTS as (Delivery<Ref> | undefined)[];
  #bits = FIRST_BITS;
  #size = 0;
  #oldest: Delivery<Ref> | undefined;
  #newest: Delivery<Ref> | undefined;

  get size(): number {
    return this.#size;
  }

  /** The delivery that was sent first; `newer` of each leads to the next. */
  get oldest(): Delivery<Ref> | undefined {
    return this.#oldest;
  }

  get(packetId: number): Delivery<Ref> | undefined {
    const slots = this.#slots;
    if (this.#size === 0) return undefined;
    for (let slot = this.#home(packetId); ; slot = (slot + 1) & (slots.length - 1)) {
      const delivery = slots[slot];
      if (delivery === undefined || delivery.packetId === packetId) return delivery;
    }
  }

  /** Adds a delivery as the newest. Its packet identifier must be free. */
  add(delivery: Delivery<Ref>): void {
    if (this.#slots.length <= 2 * this.#size) this.#grow();
    this.#put(delivery);
    this.#size++;
    delivery.older = this.#newest;
    if (this.#newest === undefined) this.#oldest = delivery;
    else this.#newest.newer = delivery;
    this.#newest = delivery;
  }

  /** Takes out a delivery that is in here. */
  remove(delivery: Delivery<Ref>): void {
    this.#free(delivery);
    this.#size--;
    const { older, newer } = delivery;
    if (older === undefined) this.#oldest = newer;
    else older.newer = newer;
    if (newer === undefined) this.#newest = older;
    else newer.older = older;
    // One that is over must not keep its neighbours alive.
    delivery.older = delivery.newer = undefined;
    if (this.#size === 0 && this.#bits > KEPT_BITS) this.clear();
  }

  clear(): void {
    this.#slots = NO_SLOTS as (Delivery<Ref> | undefined)[];
    this.#bits = FIRST_BITS;
    this.#size = 0;
    this.#oldest = this.#newest = undefined;
  }

  #home(packetId: number): number {
    return Math.imul(packetId, SPREAD) >>> (32 - this.#bits);
  }

  #put(delivery: Delivery<Ref>): void {
    const slots = this.#slots;
    let slot = this.#home(delivery.packetId);
    while (slots[slot] !== undefined) slot = (slot + 1) & (slots.length - 1);
    slots[slot] = delivery;
  }

  // What was pushed on by the one that goes moves back, so that a search may end at a free slot.
  #free(delivery: Delivery<Ref>): void {
    const slots = this.#slots;
    const last = slots.length - 1;
    let free = this.#home(delivery.packetId);
    while (slots[free] !== delivery) free = (free + 1) & last;
    for (let slot = (free + 1) & last; ; slot = (slot + 1) & last) {
      const other = slots[slot];
      if (other === undefined) break;
      const pushedBy = (slot - this.#home(other.packetId)) & last;
      if (pushedBy < ((slot - free) & last)) continue;
      slots[free] = other;
      free = slot;
    }
    slots[free] = undefined;
  }

  #grow(): void {
    if (this.#slots.length > 0) this.#bits++;
    this.#slots = new Array<Delivery<Ref> | undefined>(2 ** this.#bits).fill(undefined);
    for (let delivery = this.#oldest; delivery !== undefined; delivery = delivery.newer) this.#put(delivery);
  }
}
