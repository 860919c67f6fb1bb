// PUBLISH - MQTT 5.0 section 3.3, 3.1.1 section 3.3.
//
//   3 dup qos retain | remaining length | topic name | packet id (QoS 1, 2) | properties (5.0) | payload
//
// The hot path: reading makes one object and, for a new topic, one string. The payload stays where it arrived.
import { EMPTY, viewOf } from "../bytes.ts";
import { MalformedPacketError, ProtocolError, UsageError } from "../errors.ts";
import { readMessageProperties } from "../forwarded.ts";
import { LastProperties } from "../last-properties.ts";
import { readNumber } from "../properties.ts";
import type { PropertyDefinition } from "../properties.ts";
import { PacketType } from "../protocol.ts";
import type { ProtocolVersion, QoS, Side } from "../protocol.ts";
import type { Reader } from "../reader.ts";
import { encodeUtf8, utf8Length } from "../utf8.ts";
import { MAX_VARINT, varintSize } from "../varint.ts";
import type { Writer } from "../writer.ts";

// Identifiers of the properties that PUBLISH writes itself; the table of properties.ts has them all.
const MESSAGE_EXPIRY_INTERVAL = 0x02;
const SUBSCRIPTION_IDENTIFIER = 0x0b;
const TOPIC_ALIAS = 0x23;

const NO_PACKET_ID = -1;
const NOT_ASCII = -2;
const NO_IDENTIFIERS: readonly number[] = Object.freeze([]);

/** What `writePublish` needs; `Publish` has it. */
export interface PublishFields {
  /** May be empty under 5.0 when `topicAlias` is set. Not looked at when `topicBytes` is given. */
  readonly topicName: string;
  /** The topic in checked UTF-8, where the caller has it at hand. */
  readonly topicBytes?: Uint8Array | undefined;
  readonly qos: QoS;
  readonly dup: boolean;
  readonly retain: boolean;
  /** 1 to 65,535; not looked at for QoS 0. */
  readonly packetId: number;
  /** 1 to 65,535; 0 when there is none. */
  readonly topicAlias: number;
  /** Seconds, 0 to 4,294,967,295; -1 when there is none. */
  readonly messageExpiryInterval: number;
  readonly subscriptionIdentifiers: readonly number[];
  /** Properties as they stand on the wire; see `writeForwardedProperties`. Not looked at when `forwardedStart` is given. */
  readonly forwarded: Uint8Array;
  /** From 0: these properties are `source[forwardedStart, payloadStart)`, and are copied together with the payload. */
  readonly forwardedStart?: number;
  /** The payload is `source[payloadStart, payloadEnd)`. */
  readonly source: Uint8Array;
  readonly payloadStart: number;
  readonly payloadEnd: number;
}

/** What `createPublish` takes; what is left out is off, empty or none. */
export interface PublishInit {
  readonly topicName: string;
  readonly payload?: Uint8Array;
  readonly qos?: QoS;
  readonly dup?: boolean;
  readonly retain?: boolean;
  readonly packetId?: number;
  readonly topicAlias?: number;
  readonly messageExpiryInterval?: number;
  readonly subscriptionIdentifiers?: readonly number[];
  readonly forwarded?: Uint8Array;
}

/**
 * A PUBLISH packet. One that was read refers to the chunk in which it arrived, by `source` and `forwarded`: who keeps
 * the message for long copies these.
 */
export class Publish implements PublishFields {
  topicName: string;
  qos: QoS;
  retain: boolean;
  dup = false;
  /** 0 at QoS 0. */
  packetId = 0;
  /** 0 when there is none. */
  topicAlias = 0;
  /** Seconds; -1 when there is none. */
  messageExpiryInterval = -1;
  subscriptionIdentifiers: readonly number[] = NO_IDENTIFIERS;
  #forwarded: Uint8Array = EMPTY;
  /** The `forwarded` properties are `source[forwardedStart, payloadStart)`; -1 when they stand elsewhere, or there are none. */
  forwardedStart = -1;
  /** The payload is `source[payloadStart, payloadEnd)`: no view is made for those who copy it on. */
  source: Uint8Array;
  payloadStart: number;
  payloadEnd: number;
  /**
   * Of a packet that was read: the whole packet is `source[frameStart, payloadEnd)`, in the form in which it would be
   * written again; -1 when it is not.
   */
  frameStart = -1;

  constructor(
    topicName: string,
    qos: QoS,
    retain: boolean,
    source: Uint8Array,
    payloadStart: number,
    payloadEnd: number,
  ) {
    this.topicName = topicName;
    this.qos = qos;
    this.retain = retain;
    this.source = source;
    this.payloadStart = payloadStart;
    this.payloadEnd = payloadEnd;
  }

  get type(): typeof PacketType.PUBLISH {
    return PacketType.PUBLISH;
  }

  /**
   * The properties that a server hands on unaltered, checked, in the order and form of the wire: Payload Format
   * Indicator, Content Type, Response Topic, Correlation Data, User Property. See `readForwardedProperties`.
   * A view, made when it is asked for.
   */
  get forwarded(): Uint8Array {
    if (this.forwardedStart === -1) return this.#forwarded;
    return viewOf(this.source, this.forwardedStart, this.payloadStart);
  }

  set forwarded(forwarded: Uint8Array) {
    this.#forwarded = forwarded;
    this.forwardedStart = -1;
  }

  /** A view of the payload, made anew at each call. */
  get payload(): Uint8Array {
    return viewOf(this.source, this.payloadStart, this.payloadEnd);
  }

  /** Bytes. */
  get payloadLength(): number {
    return this.payloadEnd - this.payloadStart;
  }
}

/** Makes a PUBLISH from the fields that are given. Refers to `payload`, copies nothing. */
export function createPublish(init: PublishInit): Publish {
  const payload = init.payload ?? EMPTY;
  const publish = new Publish(
    init.topicName,
    init.qos ?? 0,
    init.retain ?? false,
    payload,
    0,
    payload.length,
  );
  publish.dup = init.dup ?? false;
  publish.packetId = init.packetId ?? 0;
  publish.topicAlias = init.topicAlias ?? 0;
  publish.messageExpiryInterval = init.messageExpiryInterval ?? -1;
  publish.subscriptionIdentifiers = init.subscriptionIdentifiers ?? NO_IDENTIFIERS;
  publish.forwarded = init.forwarded ?? EMPTY;
  return publish;
}

/** Reads the body. `flags` are the lower four bits of the first byte; QoS 3 was refused before. */
export function readPublish(reader: Reader, flags: number, version: ProtocolVersion, side: Side): Publish {
  const topicName = reader.topicName();
  const qos = qosOf(flags);
  const packetId = qos === 0 ? 0 : reader.packetId();
  const publish = new Publish(topicName, qos, (flags & 1) !== 0, reader.bytes, reader.position, reader.end);
  // Under 3.1, DUP may stand at QoS 0, where it says nothing; 3.1.1 [MQTT-3.3.1-2] forbids to hand it on.
  const isDup = flags > 7;
  publish.dup = isDup && qos !== 0;
  publish.packetId = packetId;
  publish.frameStart = isDup && qos === 0 ? -1 : reader.frameStart;
  if (version === 5) {
    readPublishProperties(reader, publish);
    publish.payloadStart = reader.position;
    checkProperties(publish, side);
  } else if (topicName === "") {
    // 3.1.1 [MQTT-4.7.3-1]
    throw new MalformedPacketError("the topic name is empty");
  }
  return publish;
}

function qosOf(flags: number): QoS {
  return (flags & 2) !== 0 ? 1 : (flags & 4) !== 0 ? 2 : 0;
}

// The properties of the packet before are recognised by their bytes, and neither checked nor read again.
function readPublishProperties(reader: Reader, publish: Publish): void {
  const lastProperties = (reader.lastProperties ??= new LastProperties());
  const start = reader.position;
  if (lastProperties.isAt(reader)) {
    reader.position = start + lastProperties.length;
    publish.messageExpiryInterval = lastProperties.messageExpiryInterval;
    publish.topicAlias = lastProperties.topicAlias;
    if (lastProperties.forwardedOffset !== -1)
      publish.forwardedStart = start + lastProperties.forwardedOffset;
    return;
  }
  identifiers.length = 0;
  publish.forwardedStart = readMessageProperties(reader, PacketType.PUBLISH, publish, readOwnProperty);
  if (identifiers.length > 0) publish.subscriptionIdentifiers = identifiers.slice();
  const { forwardedStart } = publish;
  // Only what stands in one piece in front of the payload can be told by an offset.
  if (identifiers.length > 0 || (forwardedStart === -1 && publish.forwarded.length > 0)) return;
  const { messageExpiryInterval, topicAlias } = publish;
  const forwardedOffset = forwardedStart === -1 ? -1 : forwardedStart - start;
  lastProperties.remember(reader, start, { messageExpiryInterval, topicAlias, forwardedOffset });
}

// Subscription Identifiers of the packet that is being read: a server may send any number of them.
const identifiers: number[] = [];

function readOwnProperty(reader: Reader, definition: PropertyDefinition, publish: Publish): void {
  const value = readNumber(reader, definition);
  if (definition.name === "topicAlias") publish.topicAlias = value;
  else identifiers.push(value);
}

function checkProperties(publish: Publish, side: Side): void {
  if (publish.topicName === "" && publish.topicAlias === 0) {
    throw new ProtocolError("the topic name is empty and there is no topic alias");
  }
  // 5.0 [MQTT-3.3.4-6]
  if (side === "server" && publish.subscriptionIdentifiers.length > 0) {
    throw new ProtocolError("a subscription identifier in a PUBLISH of a client");
  }
}

/** Bytes of the whole packet. */
export function publishSize(fields: PublishFields, version: ProtocolVersion): number {
  const properties = version === 5 ? ownLength(fields) + forwardedLength(fields) : 0;
  const remaining = remainingLength(fields, topicLength(fields), version, properties);
  return 1 + varintSize(remaining) + remaining;
}

/**
 * Appends the packet to `writer`.
 *
 * A `packetId` of 0 is let pass at QoS 1 and 2, for callers that put it in afterwards.
 *
 * @returns the offset of the packet identifier in `writer.bytes`, or -1 at QoS 0.
 * @throws UsageError for an empty topic without alias, a topic that is no UTF-8 of at most 65,535 bytes, a property out
 * of range, a packet too large for MQTT. Then nothing is appended.
 */
export function writePublish(writer: Writer, fields: PublishFields, version: ProtocolVersion): number {
  const { topicName, topicBytes } = fields;
  if (topicBytes !== undefined) return writeWithTopicSize(writer, fields, topicBytes.length, version);
  // Most topics are ASCII: their size is known before they are looked at.
  const offset = writeWithTopicSize(writer, fields, topicName.length, version);
  return offset !== NOT_ASCII ? offset : writeWithTopicSize(writer, fields, utf8Length(topicName), version);
}

function writeWithTopicSize(
  writer: Writer,
  fields: PublishFields,
  topicSize: number,
  version: ProtocolVersion,
): number {
  const { qos, packetId, source, payloadStart, payloadEnd } = fields;
  const own = version === 5 ? ownLength(fields) : 0;
  const forwarded = version === 5 ? forwardedLength(fields) : 0;
  const remaining = remainingLength(fields, topicSize, version, own + forwarded);
  checkFields(fields, topicSize, remaining, version, own);
  writer.reserve(5 + remaining);
  const bytes = writer.bytes;
  let position = writer.length;
  bytes[position++] = 0x30 | (fields.dup && qos !== 0 ? 8 : 0) | (qos << 1) | (fields.retain ? 1 : 0);
  position = putVarint(bytes, position, remaining);
  position = putTopic(bytes, position, fields, topicSize);
  if (position === NOT_ASCII) return NOT_ASCII;
  let packetIdOffset = NO_PACKET_ID;
  if (qos !== 0) {
    packetIdOffset = position;
    bytes[position++] = packetId >>> 8;
    bytes[position++] = packetId;
  }
  if (version === 5) position = putVarint(bytes, position, own + forwarded);
  writer.length = position;
  if (own > 0) writeOwnProperties(writer, fields);
  const { forwardedStart = -1 } = fields;
  if (forwarded > 0 && forwardedStart !== -1) {
    writer.append(source, forwardedStart, payloadEnd);
    return packetIdOffset;
  }
  if (forwarded > 0) writer.append(fields.forwarded, 0, forwarded);
  writer.append(source, payloadStart, payloadEnd);
  return packetIdOffset;
}

function topicLength(fields: PublishFields): number {
  return fields.topicBytes === undefined ? utf8Length(fields.topicName) : fields.topicBytes.length;
}

function remainingLength(
  fields: PublishFields,
  topicSize: number,
  version: ProtocolVersion,
  properties: number,
): number {
  const size = 2 + topicSize + (fields.qos === 0 ? 0 : 2) + fields.payloadEnd - fields.payloadStart;
  return version === 5 ? size + varintSize(properties) + properties : size;
}

// Of the properties that do not come from the publisher as they are: most messages have none.
function ownLength({ messageExpiryInterval, topicAlias, subscriptionIdentifiers }: PublishFields): number {
  let length = 0;
  if (messageExpiryInterval >= 0) length += 5;
  if (topicAlias > 0) length += 3;
  if (subscriptionIdentifiers.length === 0) return length;
  for (const identifier of subscriptionIdentifiers) length += 1 + varintSize(identifier);
  return length;
}

function forwardedLength(fields: PublishFields): number {
  const { forwardedStart = -1 } = fields;
  return forwardedStart === -1 ? fields.forwarded.length : fields.payloadStart - forwardedStart;
}

function checkFields(
  fields: PublishFields,
  topicSize: number,
  remaining: number,
  version: ProtocolVersion,
  own: number,
): void {
  if (topicSize > 0xffff) throw new UsageError("a topic name of more than 65535 bytes cannot be encoded");
  if (remaining > MAX_VARINT) {
    throw new UsageError("a PUBLISH of more than 268435455 bytes cannot be encoded");
  }
  if (own > 0) checkPropertyRanges(fields);
  if (topicSize === 0 && (version !== 5 || fields.topicAlias === 0)) {
    throw new UsageError("the topic name is empty");
  }
}

function checkPropertyRanges({
  topicAlias,
  messageExpiryInterval,
  subscriptionIdentifiers,
}: PublishFields): void {
  if (topicAlias > 0xffff || messageExpiryInterval > 0xffffffff) {
    throw new UsageError("a property of the PUBLISH is out of range");
  }
  for (const identifier of subscriptionIdentifiers) {
    if (identifier < 1 || identifier > MAX_VARINT) {
      throw new UsageError("a subscription identifier is out of range");
    }
  }
}

function putVarint(bytes: Uint8Array, position: number, value: number): number {
  let rest = value;
  while (rest > 0x7f) {
    bytes[position++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  bytes[position++] = rest;
  return position;
}

// @returns the position behind the topic; NOT_ASCII when it has other characters and `topicSize` counted on none.
function putTopic(bytes: Uint8Array, start: number, fields: PublishFields, topicSize: number): number {
  const { topicName, topicBytes } = fields;
  bytes[start] = topicSize >>> 8;
  bytes[start + 1] = topicSize;
  const position = start + 2;
  if (topicBytes !== undefined) {
    for (let index = 0; index < topicSize; index++) bytes[position + index] = topicBytes[index]!;
    return position + topicSize;
  }
  if (topicSize !== topicName.length) return encodeUtf8(topicName, 0, bytes, position);
  for (let index = 0; index < topicSize; index++) {
    const unit = topicName.charCodeAt(index);
    if (unit === 0) throw new UsageError("a topic name with U+0000 cannot be encoded");
    if (unit > 0x7f) return NOT_ASCII;
    bytes[position + index] = unit;
  }
  return position + topicSize;
}

function writeOwnProperties(writer: Writer, fields: PublishFields): void {
  const { messageExpiryInterval, topicAlias, subscriptionIdentifiers } = fields;
  if (messageExpiryInterval >= 0) {
    writer.u8(MESSAGE_EXPIRY_INTERVAL);
    writer.u32(messageExpiryInterval);
  }
  if (topicAlias > 0) {
    writer.u8(TOPIC_ALIAS);
    writer.u16(topicAlias);
  }
  for (const identifier of subscriptionIdentifiers) {
    writer.u8(SUBSCRIPTION_IDENTIFIER);
    writer.varint(identifier);
  }
}
