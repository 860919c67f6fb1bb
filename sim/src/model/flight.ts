// What one session has in flight towards its client, seen from the client: packet identifiers, DUP, the order of what is
// repeated, Receive Maximum. MQTT 5.0 sections 2.2.1, 3.3.1.1, 4.4, 4.9.

import type { Publish } from "@heirloom/codec";
import type { Report } from "./report.ts";

interface Inbound {
  readonly messageId: number;
  readonly qos: 1 | 2;
  /** Place in the order of first arrival. */
  readonly place: number;
  /** The connection on which PUBLISH or PUBREL came last. */
  connection: number;
  isReleased: boolean;
  /** The client sent the last packet that it owes; the broker may not have it. */
  isAnswered: boolean;
  /** PUBREC was sent on this connection. */
  isCounted: boolean;
}

export class Flight {
  readonly #report: Report;
  readonly #client: string;
  readonly #inbound = new Map<number, Inbound>();
  #connection = 0;
  #isResumed = false;
  #receiveMaximum = 65_535;
  #counted = 0;
  #places = 0;
  /** Place of what was repeated last on this connection. */
  #repeatedPlace = -1;
  #hasNew = false;
  /** Deliveries of QoS 1 and 2, each counted once however often it was repeated. */
  deliveries = 0;

  constructor(report: Report, client: string) {
    this.#report = report;
    this.#client = client;
  }

  /** A connection took the session up. */
  connect(isResumed: boolean, receiveMaximum: number): void {
    this.#connection++;
    this.#isResumed = isResumed;
    this.#receiveMaximum = receiveMaximum;
    this.#counted = 0;
    this.#repeatedPlace = -1;
    this.#hasNew = false;
    for (const inbound of this.#inbound.values()) inbound.isCounted = false;
  }

  /** Nothing is certain any more: it may be another session. */
  doubt(): void {
    for (const inbound of this.#inbound.values()) inbound.isAnswered = true;
  }

  /** The broker cannot go on with deliveries of these messages. */
  forget(messageIds: readonly number[]): void {
    for (const inbound of this.#inbound.values())
      if (messageIds.includes(inbound.messageId)) inbound.isAnswered = true;
  }

  /** Deliveries that the client has not answered to the end. */
  get open(): number[] {
    return [...this.#inbound].filter(([, { isAnswered }]) => !isAnswered).map(([packetId]) => packetId);
  }

  /** PUBLISH of QoS 1 or 2 came. Returns whether it repeats an earlier one. */
  publish(publish: Publish, messageId: number): boolean {
    const { packetId, dup } = publish;
    const qos = publish.qos === 2 ? 2 : 1;
    const before = this.#inbound.get(packetId);
    const what = `PUBLISH ${packetId} (m${messageId}, QoS ${qos}, DUP ${dup ? 1 : 0}) to ${this.#client}`;
    const isSame = before !== undefined && before.messageId === messageId && before.qos === qos;
    if (
      before !== undefined &&
      (!before.isAnswered || (dup && isSame && before.connection !== this.#connection))
    ) {
      this.#repeated(before, what, isSame, dup);
      this.#count(before, what);
      return true;
    }
    if (dup && (!this.#isResumed || this.#hasNew)) this.#report.broken("dup", `${what} is no repetition`);
    if (!dup) this.#began(what);
    this.deliveries++;
    const inbound: Inbound = {
      messageId,
      qos,
      place: this.#places++,
      connection: this.#connection,
      isReleased: false,
      isAnswered: false,
      isCounted: false,
    };
    this.#inbound.delete(packetId);
    this.#inbound.set(packetId, inbound);
    this.#count(inbound, what);
    return false;
  }

  #repeated(before: Inbound, what: string, isSame: boolean, dup: boolean): void {
    const report = this.#report;
    if (before.connection === this.#connection)
      report.broken("packet-id", `${what}, but that identifier is in use`);
    else if (!isSame)
      report.broken("packet-id", `${what}, but it stands for m${before.messageId}, not answered yet`);
    else if (!dup) report.broken("dup", `${what} is a repetition`);
    if (before.isReleased) report.broken("resend", `${what} after PUBREL`);
    before.isAnswered = false;
    this.#repeats(before, what);
  }

  #repeats(before: Inbound, what: string): void {
    before.connection = this.#connection;
    if (before.place < this.#repeatedPlace) this.#report.broken("resend", `${what} is repeated out of order`);
    if (this.#hasNew) this.#report.broken("resend", `${what} is repeated after something new`);
    this.#repeatedPlace = before.place;
  }

  /** The first new PUBLISH of a connection: everything unanswered must have been repeated. 5.0 [MQTT-4.4.0-1]. */
  #began(what: string): void {
    if (this.#hasNew) return;
    this.#hasNew = true;
    for (const [packetId, { isAnswered, connection }] of this.#inbound) {
      if (isAnswered || connection === this.#connection) continue;
      this.#report.broken("resend", `${what} came before ${packetId} was repeated`);
      return;
    }
  }

  #count(inbound: Inbound, what: string): void {
    if (inbound.isCounted) return;
    inbound.isCounted = true;
    this.#counted++;
    if (this.#counted > this.#receiveMaximum) {
      this.#report.broken("receive-maximum", `${what} is number ${this.#counted} of ${this.#receiveMaximum}`);
    }
  }

  /** PUBREL came. */
  pubrel(packetId: number): void {
    const inbound = this.#inbound.get(packetId);
    // A PUBREL for something unknown answers a PUBREC that the broker does not know.
    if (inbound === undefined || inbound.qos !== 2) return;
    if (inbound.connection !== this.#connection && !inbound.isAnswered)
      this.#repeats(inbound, `PUBREL ${packetId} to ${this.#client}`);
    inbound.isReleased = true;
  }

  /** The client sends PUBACK, PUBCOMP, or PUBREC with an error: its last packet. */
  answered(packetId: number): void {
    const inbound = this.#inbound.get(packetId);
    if (inbound === undefined) return;
    inbound.isAnswered = true;
    if (!inbound.isCounted) return;
    inbound.isCounted = false;
    this.#counted--;
  }
}
