// An application message inside the broker: what was published, without anything that belongs to one packet or one receiver.
// Its payload is a range of someone else's bytes until it has to be kept: then `own()` copies it. MQTT 5.0 section 3.3.

import { copyOf, type QoS } from "@heirloom/codec";

/** No bytes, shared. */
export const NO_BYTES: Uint8Array = new Uint8Array(0);

/** About how many bytes of memory a message takes beside its own. */
export const MESSAGE_BYTES = 64;

/** What an application says of a message; see {@link Message} for the meanings. */
export interface MessageFields {
  readonly topicName: string;
  readonly payload?: Uint8Array;
  readonly qos?: QoS;
  readonly retain?: boolean;
  readonly forwarded?: Uint8Array;
  readonly expiresAtMs?: number;
  readonly publisherId?: string;
}

/** A message. Not changed after it was made, except that `own()` moves its bytes. */
export class Message {
  readonly topicName: string;
  /** The QoS it was published with. */
  readonly qos: QoS;
  /** The RETAIN flag it was published with. */
  readonly retain: boolean;
  /** The payload is `source` from `payloadStart` up to, not including, `payloadEnd`. */
  source: Uint8Array;
  payloadStart: number;
  payloadEnd: number;
  #forwarded: Uint8Array;
  /** The `forwarded` properties are `source` from here up to `payloadStart`; -1 when they stand elsewhere, or there are none. */
  forwardedStart = -1;
  /** Broker time at which it expires; `Infinity` = never. 5.0 section 3.3.2.3.3. */
  readonly expiresAtMs: number;
  /** ClientId of the publisher, for No Local; "" when nobody's session published it. */
  readonly publisherId: string;
  /**
   * The whole QoS 0 PUBLISH that brought it is `source` from here up to `payloadEnd`, and receivers of `frameVersion` can
   * be sent it as it is; -1 when it cannot be.
   */
  frameStart = -1;
  /** 4 stands for 3.1 too. */
  frameVersion: 4 | 5 = 4;
  #owned = false;

  constructor(
    topicName: string,
    qos: QoS,
    retain: boolean,
    source: Uint8Array,
    payloadStart: number,
    payloadEnd: number,
    forwarded: Uint8Array,
    expiresAtMs: number,
    publisherId: string,
  ) {
    this.topicName = topicName;
    this.qos = qos;
    this.retain = retain;
    this.source = source;
    this.payloadStart = payloadStart;
    this.payloadEnd = payloadEnd;
    this.#forwarded = forwarded;
    this.expiresAtMs = expiresAtMs;
    this.publisherId = publisherId;
  }

  /** A message of an application's own: from the fields that it cares about. */
  static of(fields: MessageFields): Message {
    const payload = fields.payload ?? NO_BYTES;
    return new Message(
      fields.topicName,
      fields.qos ?? 0,
      fields.retain ?? false,
      payload,
      0,
      payload.length,
      fields.forwarded ?? NO_BYTES,
      fields.expiresAtMs ?? Infinity,
      fields.publisherId ?? "",
    );
  }

  /** The same message with another QoS and RETAIN flag. Shares the bytes. */
  with(qos: QoS, retain: boolean): Message {
    if (qos === this.qos && retain === this.retain) return this;
    const { topicName, source, payloadStart, payloadEnd, forwarded, expiresAtMs, publisherId } = this;
    return new Message(
      topicName,
      qos,
      retain,
      source,
      payloadStart,
      payloadEnd,
      forwarded,
      expiresAtMs,
      publisherId,
    );
  }

  get payload(): Uint8Array {
    return this.source.subarray(this.payloadStart, this.payloadEnd);
  }

  get payloadLength(): number {
    return this.payloadEnd - this.payloadStart;
  }

  /** The 5.0 properties that are forwarded unaltered, as on the wire, in the publisher's order. A view, made for who asks. */
  get forwarded(): Uint8Array {
    if (this.forwardedStart === -1) return this.#forwarded;
    return this.source.subarray(this.forwardedStart, this.payloadStart);
  }

  get forwardedLength(): number {
    return this.forwardedStart === -1 ? this.#forwarded.length : this.payloadStart - this.forwardedStart;
  }

  /** About how many bytes of memory it holds once it owns its bytes. */
  get heldBytes(): number {
    return this.payloadEnd - this.payloadStart + this.forwardedLength + this.topicName.length + MESSAGE_BYTES;
  }

  /** The same message with bytes of its own. */
  copy(): Message {
    const { topicName, qos, retain, source, payloadStart, payloadEnd, forwarded, expiresAtMs, publisherId } =
      this;
    return new Message(
      topicName,
      qos,
      retain,
      source,
      payloadStart,
      payloadEnd,
      forwarded,
      expiresAtMs,
      publisherId,
    ).own();
  }

  /**
   * Copies payload and properties out of the bytes they came in. Whoever keeps a message beyond the call that
   * brought it must do this: the bytes are a slice of a read buffer that would otherwise stay alive with it.
   */
  own(): this {
    if (this.#owned) return this;
    // Properties that stand in front of the payload come along.
    const isBeside = this.forwardedStart !== -1;
    const start = isBeside ? this.forwardedStart : this.payloadStart;
    this.source = copyOf(this.source, start, this.payloadEnd);
    this.payloadStart -= start;
    this.payloadEnd -= start;
    this.frameStart = -1;
    if (isBeside) this.forwardedStart = 0;
    else this.#forwarded = copyOf(this.#forwarded, 0, this.#forwarded.length);
    this.#owned = true;
    return this;
  }
}

/** Seconds that are left of a message, at least 1, or -1 when it never expires. 5.0 [MQTT-3.3.2-6]. */
export function remainingExpirySeconds(message: Message, nowMs: number): number {
  if (message.expiresAtMs === Infinity) return -1;
  return Math.max(1, Math.ceil((message.expiresAtMs - nowMs) / 1000));
}
