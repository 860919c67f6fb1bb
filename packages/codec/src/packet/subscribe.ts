// SUBSCRIBE - MQTT 5.0 section 3.8, 3.1.1 section 3.8.
//
//   82 | remaining length | packet id | properties (5.0) | (topic filter | options) ...
//
//   options: 0 0 | retain handling (2) | retain as published | no local | qos (2); before 5.0 only the qos
import { MalformedPacketError, ProtocolError, UsageError } from "../errors.ts";
import { readProperties, writeProperties } from "../properties.ts";
import type { Properties } from "../properties.ts";
import { hex, PacketType } from "../protocol.ts";
import type { ProtocolVersion, QoS } from "../protocol.ts";
import type { Reader } from "../reader.ts";
import type { Writer } from "../writer.ts";

export type SubscribeProperties = Pick<Properties, "subscriptionIdentifier" | "userProperties">;

/** When SUBSCRIBE brings retained messages: 0 always, 1 only if the subscription is new, 2 never. */
export type RetainHandling = 0 | 1 | 2;

export interface Subscription {
  topicFilter: string;
  qos: QoS;
  noLocal: boolean;
  retainAsPublished: boolean;
  retainHandling: RetainHandling;
}

export interface Subscribe {
  type: typeof PacketType.SUBSCRIBE;
  packetId: number;
  /** At least one. */
  subscriptions: Subscription[];
  properties: SubscribeProperties;
}

const NO_LOCAL = 0x04;
const RETAIN_AS_PUBLISHED = 0x08;

/** Reads the body. Topic filters are checked as UTF-8 and against emptiness; their wildcards are the caller's matter. */
export function readSubscribe(reader: Reader, version: ProtocolVersion): Subscribe {
  const packetId = reader.packetId();
  const properties = version === 5 ? readProperties(reader, PacketType.SUBSCRIBE) : {};
  const subscriptions: Subscription[] = [];
  while (reader.position < reader.end) subscriptions.push(readSubscription(reader, version));
  // 5.0 [MQTT-3.8.3-2], 3.1.1 [MQTT-3.8.3-3]
  if (subscriptions.length === 0) throw new ProtocolError("SUBSCRIBE without a topic filter");
  return { type: PacketType.SUBSCRIBE, packetId, subscriptions, properties };
}

function readSubscription(reader: Reader, version: ProtocolVersion): Subscription {
  const topicFilter = readTopicFilter(reader);
  const options = reader.u8("subscription options");
  // 5.0 [MQTT-3.8.3-5], 3.1.1 [MQTT-3.8.3-4]
  if ((options & (version === 5 ? 0xc0 : 0xfc)) !== 0) {
    throw new MalformedPacketError(`subscription options ${hex(options)} have a reserved bit set`);
  }
  const qos = options & 3;
  const retainHandling = options >> 4;
  if (qos === 3) throw new ProtocolError("a subscription with QoS 3");
  if (retainHandling === 3) throw new ProtocolError("a subscription with Retain Handling 3");
  return {
    topicFilter,
    qos: zeroToTwo(qos),
    noLocal: (options & NO_LOCAL) !== 0,
    retainAsPublished: (options & RETAIN_AS_PUBLISHED) !== 0,
    retainHandling: zeroToTwo(retainHandling),
  };
}

/** Reads a topic filter, which has at least one character - 5.0 [MQTT-4.7.3-1], 3.1.1 [MQTT-4.7.3-1]. */
export function readTopicFilter(reader: Reader): string {
  const topicFilter = reader.string("topic filter");
  if (topicFilter === "") throw new ProtocolError("a topic filter is empty");
  return topicFilter;
}

function zeroToTwo(value: number): 0 | 1 | 2 {
  return value === 0 ? 0 : value === 1 ? 1 : 2;
}

/** Writes the body. Under 3.1 and 3.1.1 only the QoS of the options. */
export function writeSubscribe(writer: Writer, subscribe: Subscribe, version: ProtocolVersion): void {
  writer.packetId(subscribe.packetId);
  if (version === 5) writeProperties(writer, subscribe.properties, PacketType.SUBSCRIBE);
  if (subscribe.subscriptions.length === 0) throw new UsageError("SUBSCRIBE without a topic filter");
  for (const { topicFilter, qos, noLocal, retainAsPublished, retainHandling } of subscribe.subscriptions) {
    if (topicFilter === "") throw new UsageError("a topic filter is empty");
    writer.string(topicFilter);
    const options =
      (noLocal ? NO_LOCAL : 0) | (retainAsPublished ? RETAIN_AS_PUBLISHED : 0) | (retainHandling << 4);
    writer.u8(version === 5 ? qos | options : qos);
  }
}
