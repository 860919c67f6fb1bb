// One message as the model sees it: when it was sent, when it was acknowledged, and so when the broker may have accepted it.

import { type QoS, writeForwardedProperties } from "@heirloom/codec";
import type { Link } from "../network.ts";
import type { ClockModel, Range } from "./clock.ts";

export interface MessageInit {
  readonly id: number;
  readonly publisher: string;
  readonly topicName: string;
  readonly qos: QoS;
  readonly retain: boolean;
  /** A payload of zero bytes: deletes the retained message of its topic. */
  readonly isEmpty: boolean;
  /** Seconds, -1 = none. */
  readonly expiryInterval: number;
  /** Bytes of its payload, about. */
  readonly size: number;
  readonly isWill: boolean;
  /** The application's hook refuses it. */
  readonly isForbidden: boolean;
  /** Whether its publisher speaks a version that has properties. */
  readonly hasProperties: boolean;
}

export class MessageModel implements MessageInit {
  readonly id: number;
  readonly publisher: string;
  readonly topicName: string;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly isEmpty: boolean;
  readonly expiryInterval: number;
  readonly size: number;
  readonly isWill: boolean;
  readonly isForbidden: boolean;
  readonly hasProperties: boolean;
  /** How often it went out. */
  transmissions = 0;
  firstSentMs: number = Infinity;
  /** When its publisher learned that it was accepted. */
  acceptedMs: number | undefined;
  /** For QoS 0: when its publisher learned that the broker had read it, by the acknowledgement of a later message. */
  handledMs: number | undefined;
  /** Nothing sent later can be accepted: the publisher gave up, or its connection ended. */
  closedMs: number = Infinity;
  /** A block with it was damaged on disk. */
  isDamaged = false;
  wasRefused = false;
  /** How often its publisher's session may have been replaced without the publisher knowing; then it may be taken anew. */
  doubts = 0;
  /** The connection on which a QoS 0 message went out. */
  link: Link | undefined;
  readonly #clock: ClockModel;

  constructor(init: MessageInit, clock: ClockModel) {
    this.#clock = clock;
    this.id = init.id;
    this.publisher = init.publisher;
    this.topicName = init.topicName;
    this.qos = init.qos;
    this.retain = init.retain;
    this.isEmpty = init.isEmpty;
    this.expiryInterval = init.expiryInterval;
    this.size = init.size;
    this.isWill = init.isWill;
    this.isForbidden = init.isForbidden;
    this.hasProperties = init.hasProperties;
  }

  sent(nowMs: number): void {
    this.transmissions++;
    this.firstSentMs = Math.min(this.firstSentMs, nowMs);
  }

  /** The latest time at which the broker may have accepted it. */
  get lastMs(): number {
    return this.acceptedMs ?? this.handledMs ?? Math.min(this.closedMs, this.link?.endedMs ?? Infinity);
  }

  /** When it expires at the earliest and at the latest; `Infinity` = never. */
  get expiresFromMs(): number {
    return this.#expires.fromMs;
  }

  get expiresUntilMs(): number {
    return this.#expires.untilMs;
  }

  get #expires(): Range {
    const delayMs = this.expiryInterval === -1 ? Infinity : this.expiryInterval * 1000;
    return this.#clock.due({ fromMs: this.firstSentMs, untilMs: this.lastMs }, delayMs);
  }

  /** How often the broker may have accepted it. */
  get mostAcceptances(): number {
    return this.qos === 1 ? this.transmissions : Math.min(1 + this.doubts, this.transmissions);
  }

  /** Whether it was refused each time that it was sent. */
  get isRefusedOnly(): boolean {
    return this.wasRefused && this.acceptedMs === undefined && this.transmissions === 1;
  }

  get payload(): Uint8Array {
    return this.isEmpty ? NO_BYTES : payloadOf(this.id, this.size);
  }

  /** The properties that are handed on as they came. */
  get forwarded(): Uint8Array {
    return this.hasProperties ? forwardedOf(this.id) : NO_BYTES;
  }

  get text(): string {
    const flags = `${this.retain ? " retain" : ""}${this.isWill ? " will" : ""}`;
    return `m${this.id} (${this.publisher} -> ${this.topicName}, QoS ${this.qos}${flags})`;
  }
}

const decoder = new TextDecoder();

const NO_BYTES = new Uint8Array(0);
const FIRST_LETTER = 97;
const LETTERS = 26;

/** The payload that carries a message's number. What follows is not the same in all, so that none passes for another. */
export function payloadOf(id: number, size: number): Uint8Array {
  const filling = String.fromCharCode(FIRST_LETTER + (id % LETTERS));
  return new TextEncoder().encode(`m${id} `.padEnd(size, filling));
}

/** Some messages have properties of their own, some the same as others, some none. */
function forwardedOf(id: number): Uint8Array {
  if (id % 3 === 0) return OFTEN;
  if (id % 3 === 1) return NO_BYTES;
  return writeForwardedProperties({
    contentType: "m",
    userProperties: [
      ["n", `${id}`],
      ["n", ""],
    ],
  });
}

const OFTEN = writeForwardedProperties({
  payloadFormatIndicator: 1,
  responseTopic: "r",
  correlationData: new Uint8Array([0, 1]),
});

/** The number that a payload carries, 0 when it is empty. */
export function idOf(payload: Uint8Array): number {
  if (payload.length === 0) return 0;
  return Number.parseInt(decoder.decode(payload.subarray(1, 12)), 10);
}
