// Incoming QoS 2 of one session: packet identifiers received and not yet released.
// Knows neither sockets nor the store; the caller puts what it returns into the turn. Broker and client share it.
// MQTT 5.0 section 4.3.3, 3.1.1 section 4.3.3.

const NONE: Set<number> = new Set();

export class Receiver {
  // Made with the first identifier: most clients never send QoS 2.
  #received: Set<number> = NONE;
  #onThisConnection = 0;

  /** Identifiers received and not released. */
  get packetIds(): ReadonlySet<number> {
    return this.#received;
  }

  /** QoS 2 PUBLISH of this connection that are not released: they count against our Receive Maximum. */
  get openCount(): number {
    return this.#onThisConnection;
  }

  /** A new connection: the peer's quota is fresh. */
  connect(): void {
    this.#onThisConnection = 0;
  }

  /**
   * Notes that PUBLISH `packetId` arrived and its message was taken. One that is refused with an error code is never
   * noted: its identifier stays free, 5.0 [MQTT-4.3.3-9].
   *
   * The identifier has to be in the same batch as the message: written later, a crash in between would let the
   * sender's repetition through as a second message.
   *
   * @returns `"new"`, or `"known"` when the message was taken before and only PUBREC is owed again, 5.0 [MQTT-4.3.3-10].
   */
  received(packetId: number): "new" | "known" {
    if (this.#received.has(packetId)) return "known";
    this.#add(packetId);
    this.#onThisConnection++;
    return "new";
  }

  /** Notes PUBREL. Returns whether the identifier was known, 5.0 [MQTT-4.3.3-11]. */
  released(packetId: number): boolean {
    if (!this.#received.delete(packetId)) return false;
    // Below 0 for one of an earlier connection: 5.0 section 4.9 lets the sender count its PUBCOMP as one more place.
    this.#onThisConnection--;
    return true;
  }

  /** Takes up an identifier from before a restart. */
  restore(packetId: number): void {
    this.#add(packetId);
  }

  clear(): void {
    this.#received = NONE;
    this.#onThisConnection = 0;
  }

  #add(packetId: number): void {
    if (this.#received === NONE) this.#received = new Set();
    this.#received.add(packetId);
  }
}
