// Outgoing QoS 1 and 2 of one session: packet identifiers, what is in flight, and the peer's Receive Maximum.
// Knows neither packets nor sockets nor the store; broker and client share it. `Ref` says what a delivery is to its owner.
//
//   start -> sent --PUBACK--> gone                    QoS 1
//   start -> sent --PUBREC--> released --PUBCOMP--> gone      QoS 2; PUBREC with an error code: gone
//
// MQTT 5.0 sections 4.3, 4.4, 4.9; 3.1.1 sections 4.3, 4.4.

import { type Delivery, InFlight } from "./in-flight.ts";

const LAST_PACKET_ID = 65_535;

const NOTHING = new InFlight<never>();

export class Sender<Ref> {
  // Made with the first delivery: many sessions get QoS 0 only.
  #inFlight: InFlight<Ref> = NOTHING;
  #lastPacketId = 0;
  #receiveMaximum = 0;
  #counted = 0;
  #resending: Iterator<Delivery<Ref>> | undefined;

  /** How many more PUBLISH of QoS 1 or 2 may be sent on this connection now. */
  get room(): number {
    return this.#inFlight.size >= LAST_PACKET_ID ? 0 : this.#receiveMaximum - this.#counted;
  }

  get inFlightCount(): number {
    return this.#inFlight.size;
  }

  /** The packet identifier that was given last; the next one is tried behind it. */
  get lastPacketId(): number {
    return this.#lastPacketId;
  }

  /** What was sent first of all that is in flight. The others follow as `newer`, in the order of first sending. */
  get oldest(): Delivery<Ref> | undefined {
    return this.#inFlight.oldest;
  }

  /** Everything in flight, in the order of first sending. */
  *inFlight(): Generator<Delivery<Ref>> {
    for (let delivery = this.oldest; delivery !== undefined; delivery = delivery.newer) yield delivery;
  }

  /** The QoS of the delivery that has this identifier now. */
  qosOf(packetId: number): 1 | 2 | undefined {
    return this.#inFlight.get(packetId)?.qos;
  }

  /** A new connection: the quota is fresh, 5.0 section 4.9, and everything in flight is to be resent. */
  connect(receiveMaximum: number): void {
    this.#receiveMaximum = receiveMaximum;
    this.#counted = 0;
    for (const delivery of this.inFlight()) delivery.isCounted = false;
    this.#resending = this.#inFlight.size === 0 ? undefined : [...this.inFlight()].values();
  }

  /** The connection ended: nothing more is sent. */
  disconnect(): void {
    this.#receiveMaximum = 0;
    this.#resending = undefined;
  }

  /** Whether something that was in flight at the start of the connection has not been resent yet. */
  get isResending(): boolean {
    return this.#resending !== undefined;
  }

  /**
   * The next delivery to resend, in the original order and with the original identifier (5.0 [MQTT-4.4.0-1]), or
   * `undefined` when all were resent. Call it only while there is room.
   */
  nextResend(): Delivery<Ref> | undefined {
    while (this.#resending !== undefined) {
      const step = this.#resending.next();
      if (step.done === true) {
        this.#resending = undefined;
        return undefined;
      }
      const delivery = step.value;
      if (this.#inFlight.get(delivery.packetId) !== delivery) continue;
      if (!delivery.isReleased) this.#count(delivery);
      return delivery;
    }
    return undefined;
  }

  /**
   * Begins a delivery and returns its packet identifier: the next one that is not in use, 5.0 [MQTT-2.2.1-4].
   * There must be room.
   */
  start(qos: 1 | 2, ref: Ref): number {
    return this.begin(qos, ref).packetId;
  }

  /** The same; returns the delivery. */
  begin(qos: 1 | 2, ref: Ref): Delivery<Ref> {
    let packetId = this.#lastPacketId;
    do packetId = packetId === LAST_PACKET_ID ? 1 : packetId + 1;
    while (this.#inFlight.get(packetId) !== undefined);
    this.#lastPacketId = packetId;
    this.#counted++;
    return this.#add(packetId, qos, ref, false, true);
  }

  /** Takes up a delivery that was in flight before a restart. In the order of first sending. */
  restore(packetId: number, qos: 1 | 2, ref: Ref, isReleased: boolean): void {
    this.#add(packetId, qos, ref, isReleased, false);
  }

  /** Sets the identifier behind which the next is sought; for a restart. */
  restoreLastPacketId(packetId: number): void {
    this.#lastPacketId = packetId;
  }

  /** PUBACK came. Returns the delivery that it ends, or `undefined` when it fits none. */
  puback(packetId: number): Delivery<Ref> | undefined {
    const delivery = this.#inFlight.get(packetId);
    if (delivery === undefined || delivery.qos !== 1) return undefined;
    return this.#end(delivery);
  }

  /**
   * PUBREC came. `"release"`: PUBREL is owed (again); `"ended"`: it had an error code and the delivery is over,
   * 5.0 [MQTT-4.3.3-4]; `"unknown"`: no QoS 2 delivery has this identifier.
   */
  pubrec(
    packetId: number,
    isError: boolean,
  ): { outcome: "release" | "ended"; delivery: Delivery<Ref> } | "unknown" {
    const delivery = this.#inFlight.get(packetId);
    if (delivery === undefined || delivery.qos !== 2) return "unknown";
    if (!isError || delivery.isReleased) {
      delivery.isReleased = true;
      return { outcome: "release", delivery };
    }
    this.#end(delivery);
    return { outcome: "ended", delivery };
  }

  /** PUBCOMP came. It ends a delivery only after PUBREC, 5.0 [MQTT-4.3.3-3]. */
  pubcomp(packetId: number): Delivery<Ref> | undefined {
    const delivery = this.#inFlight.get(packetId);
    if (delivery === undefined || !delivery.isReleased) return undefined;
    return this.#end(delivery);
  }

  /** Whether this very delivery is in flight and its PUBLISH may be sent: no acknowledgement came, not of a mistaken peer either. */
  mayPublish(delivery: Delivery<Ref>): boolean {
    return !delivery.isReleased && this.#inFlight.get(delivery.packetId) === delivery;
  }

  /** Gives up a delivery that can never be completed, for example because its message is damaged. */
  abandon(delivery: Delivery<Ref>): void {
    if (this.#inFlight.get(delivery.packetId) === delivery) this.#end(delivery);
  }

  /** Forgets everything in flight. */
  clear(): void {
    this.#inFlight.clear();
    this.#counted = 0;
    this.#resending = undefined;
  }

  #add(packetId: number, qos: 1 | 2, ref: Ref, isReleased: boolean, isCounted: boolean): Delivery<Ref> {
    const delivery: Delivery<Ref> = {
      packetId,
      qos,
      ref,
      isReleased,
      isCounted,
      older: undefined,
      newer: undefined,
    };
    if (this.#inFlight === NOTHING) this.#inFlight = new InFlight();
    this.#inFlight.add(delivery);
    return delivery;
  }

  #count(delivery: Delivery<Ref>): void {
    delivery.isCounted = true;
    this.#counted++;
  }

  #end(delivery: Delivery<Ref>): Delivery<Ref> {
    this.#inFlight.remove(delivery);
    if (delivery.isCounted) this.#counted--;
    return delivery;
  }
}
