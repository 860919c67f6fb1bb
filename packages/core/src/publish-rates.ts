// How fast a client may send: packets of any kind, messages, and their bytes; for each client, and for a whole listener.
// MQTT 5.0 section 4.13, reason code 0x96.

import { type Packet, PacketType } from "@heirloom/codec";
import type { Limits, Listener } from "./limits.ts";
import { RateLimit } from "./rate-limit.ts";

/** The rates of a listener, which all its clients share. */
export interface SharedRates {
  readonly messages: RateLimit | undefined;
  readonly bytes: RateLimit | undefined;
}

/** The rates that hold for one connection. */
export class Rates {
  readonly #packets: RateLimit | undefined;
  readonly #messages: RateLimit | undefined;
  readonly #bytes: RateLimit | undefined;
  readonly #shared: SharedRates;

  private constructor(limits: Limits, listener: Listener, shared: SharedRates, nowMs: number) {
    this.#packets = rate(limits.packetRate, nowMs);
    this.#messages = rate(listener.publishRate ?? limits.publishRate, nowMs);
    this.#bytes = rate(listener.publishByteRate ?? limits.publishByteRate, nowMs);
    this.#shared = shared;
  }

  /** The rates of a new connection, or `undefined` when it has none. */
  static of(limits: Limits, listener: Listener, shared: SharedRates, nowMs: number): Rates | undefined {
    const rates = new Rates(limits, listener, shared, nowMs);
    const all = [rates.#packets, rates.#messages, rates.#bytes, shared.messages, shared.bytes];
    return all.some((one) => one !== undefined) ? rates : undefined;
  }

  /** What all connections of a listener share. */
  static shared(listener: Listener, nowMs: number): SharedRates {
    return {
      messages: rate(listener.totalPublishRate ?? 0, nowMs),
      bytes: rate(listener.totalPublishByteRate ?? 0, nowMs),
    };
  }

  /** Counts a packet that came. Returns for how many milliseconds nothing more should come; 0 = it is within its rates. */
  take(packet: Packet, nowMs: number): number {
    const packetsMs = this.#packets?.take(1, nowMs) ?? 0;
    if (packet.type !== PacketType.PUBLISH) return packetsMs;
    const bytes = packet.topicName.length + packet.payloadLength;
    return Math.max(
      packetsMs,
      this.#messages?.take(1, nowMs) ?? 0,
      this.#bytes?.take(bytes, nowMs) ?? 0,
      this.#shared.messages?.take(1, nowMs) ?? 0,
      this.#shared.bytes?.take(bytes, nowMs) ?? 0,
    );
  }
}

/** 0 = no limit. */
function rate(perSecond: number, nowMs: number): RateLimit | undefined {
  return perSecond === 0 ? undefined : new RateLimit(perSecond, nowMs);
}
