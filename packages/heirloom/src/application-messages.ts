// What an application publishes and receives in the broker's own process, in its terms; the core has its own.

import {
  readForwardedProperties,
  reasonCodeName,
  UsageError,
  writeForwardedProperties,
  type ForwardedProperties,
  type QoS,
} from "@heirloom/codec";
import { checkTopicFilter, checkTopicName, parseSharedFilter } from "@heirloom/core";
import type { Message, MessageFields, Subscription } from "@heirloom/core";

/** How a message is published, with the properties of MQTT 5.0 section 3.3.2.3. */
export interface PublishOptions extends ForwardedProperties {
  /** Default 0. */
  readonly qos?: QoS;
  /** Default false. */
  readonly retain?: boolean;
  /** Seconds, 0 to 4,294,967,295. Default: it never expires. */
  readonly messageExpiryInterval?: number;
}

/** How the application subscribes. MQTT 5.0 section 3.8.3.1. */
export interface SubscribeOptions {
  /** The highest QoS of what is delivered. Default 0. */
  readonly qos?: QoS;
  /** Whether retained messages come first: 0 (default) = yes, 2 = no. */
  readonly retainHandling?: 0 | 2;
  /**
   * Called when the listener throws or rejects, or when the subscription ends because the listener cannot keep up.
   * Default: an uncaught exception.
   */
  readonly onError?: (error: unknown) => void;
}

/** A message as the application gets it. */
export interface ReceivedMessage {
  readonly topicName: string;
  readonly payload: Buffer;
  /** The QoS of this delivery: 0, 1 or 2. */
  readonly qos: number;
  /** Whether it is a retained message that was there before the subscription. */
  readonly retain: boolean;
  /** Decoded when it is asked for. */
  readonly properties: ForwardedProperties;
}

/** The broker refused a message of the application: there is no room for it. */
export class PublishRefusedError extends Error {
  readonly code = "PUBLISH_REFUSED";
  /** The reason code that a client would have got, such as 0x97. MQTT 5.0 section 3.4.2.1. */
  readonly reasonCode: number;

  constructor(reasonCode: number) {
    super(`the message was refused: ${reasonCodeName(reasonCode)}`);
    this.name = "PublishRefusedError";
    this.reasonCode = reasonCode;
  }
}

/** The largest Message Expiry Interval. MQTT 5.0 section 3.3.2.3.3. */
const LONGEST_EXPIRY_SECONDS = 0xffff_ffff;

/** @throws UsageError for a topic name, a QoS or a property that is none. */
export function messageFields(
  topicName: string,
  payload: string | Uint8Array,
  options: PublishOptions,
  topicLevels: number,
  nowMs: number,
): MessageFields {
  const { qos = 0, retain = false, messageExpiryInterval, ...properties } = options;
  const fault = checkTopicName(topicName, topicLevels);
  if (fault !== undefined) throw new UsageError(fault);
  checkQoS(qos);
  return {
    topicName,
    payload: typeof payload === "string" ? Buffer.from(payload) : payload,
    qos,
    retain,
    forwarded: writeForwardedProperties(properties),
    ...(messageExpiryInterval === undefined ? {} : { expiresAtMs: nowMs + expiryMs(messageExpiryInterval) }),
  };
}

/** @throws UsageError for a topic filter or a QoS that is none. */
export function subscriptionOf(
  topicFilter: string,
  options: SubscribeOptions,
  topicLevels: number,
): Subscription {
  const { qos = 0, retainHandling = 0 } = options;
  const fault = checkTopicFilter(topicFilter, topicLevels);
  if (fault !== undefined) throw new UsageError(fault);
  if (parseSharedFilter(topicFilter) === "invalid")
    throw new UsageError("the shared topic filter names no group or filter");
  checkQoS(qos);
  return {
    topicFilter,
    qos,
    noLocal: false,
    retainAsPublished: false,
    retainHandling,
    subscriptionIdentifier: 0,
  };
}

/** A message of the core, as the application gets it. */
export function receivedMessage(message: Message, qos: number, retain: boolean): ReceivedMessage {
  const { payload, forwarded } = message;
  return {
    topicName: message.topicName,
    payload: Buffer.from(payload.buffer, payload.byteOffset, payload.length),
    qos,
    retain,
    get properties() {
      return readForwardedProperties(forwarded);
    },
  };
}

function checkQoS(qos: number): void {
  if (qos !== 0 && qos !== 1 && qos !== 2)
    throw new UsageError(`seen QoS ${String(qos)}, expected 0, 1 or 2`);
}

function expiryMs(seconds: number): number {
  if (Number.isInteger(seconds) && seconds >= 0 && seconds <= LONGEST_EXPIRY_SECONDS) return seconds * 1_000;
  throw new UsageError(
    `messageExpiryInterval: seen ${String(seconds)}, expected seconds from 0 to ${LONGEST_EXPIRY_SECONDS}`,
  );
}
