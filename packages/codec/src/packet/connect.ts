// CONNECT - MQTT 5.0 section 3.1, 3.1.1 section 3.1.
//
//   10 | remaining length | protocol name | level | connect flags | keep alive | properties (5.0)
//      | client id | Will: properties (5.0), topic, payload | user name | password
//
//   connect flags: user name | password | will retain | will qos (2) | will | clean start | 0
import { copyOf, EMPTY } from "../bytes.ts";
import { MalformedPacketError, ProtocolError, UnsupportedProtocolError, UsageError } from "../errors.ts";
import { readMessageProperties } from "../forwarded.ts";
import { readNumber, readProperties, WILL_PLACE, writeProperties } from "../properties.ts";
import type { Properties, PropertyDefinition } from "../properties.ts";
import { hex, PacketType } from "../protocol.ts";
import type { ProtocolVersion, QoS } from "../protocol.ts";
import type { Reader } from "../reader.ts";
import { Writer } from "../writer.ts";

export type ConnectProperties = Pick<
  Properties,
  | "sessionExpiryInterval"
  | "receiveMaximum"
  | "maximumPacketSize"
  | "topicAliasMaximum"
  | "requestResponseInformation"
  | "requestProblemInformation"
  | "userProperties"
  | "authenticationMethod"
  | "authenticationData"
>;

/** The message that the server publishes when the connection ends without a normal DISCONNECT. */
export interface Will {
  topicName: string;
  payload: Uint8Array;
  qos: QoS;
  retain: boolean;
  /** Seconds; 0 when there is none. */
  willDelayInterval: number;
  /** Seconds from publication on; -1 when there is none. */
  messageExpiryInterval: number;
  /** As in `Publish`; see `readForwardedProperties`. */
  forwarded: Uint8Array;
}

export interface Connect {
  type: typeof PacketType.CONNECT;
  protocolVersion: ProtocolVersion;
  /** May be empty. */
  clientId: string;
  /** Clean Session of 3.1 and 3.1.1. */
  cleanStart: boolean;
  /** Seconds; 0 is off. */
  keepAlive: number;
  username?: string;
  password?: Uint8Array;
  will?: Will;
  properties: ConnectProperties;
}

const FLAG_RESERVED = 0x01;
const FLAG_CLEAN_START = 0x02;
const FLAG_WILL = 0x04;
const FLAG_WILL_RETAIN = 0x20;
const FLAG_PASSWORD = 0x40;
const FLAG_USERNAME = 0x80;
const WILL_DELAY_INTERVAL = 0x18;
const MESSAGE_EXPIRY_INTERVAL = 0x02;

/** Reads the body. @throws UnsupportedProtocolError for another protocol or level; what follows these is not looked at. */
export function readConnect(reader: Reader): Connect {
  const protocolVersion = readProtocolVersion(reader);
  reader.connectVersion = protocolVersion;
  const flags = reader.u8("connect flags");
  checkFlags(flags, protocolVersion);
  const keepAlive = reader.u16("keep alive");
  const properties = protocolVersion === 5 ? readProperties(reader, PacketType.CONNECT) : {};
  const connect: Connect = {
    type: PacketType.CONNECT,
    protocolVersion,
    clientId: reader.string("client identifier"),
    cleanStart: (flags & FLAG_CLEAN_START) !== 0,
    keepAlive,
    properties,
  };
  if ((flags & FLAG_WILL) !== 0) connect.will = readWill(reader, flags, protocolVersion);
  // 3.1 (section 3.1): a flagged user name or password may be missing at the end.
  const mayBeMissing = protocolVersion === 3;
  if ((flags & FLAG_USERNAME) !== 0 && !(mayBeMissing && reader.position === reader.end)) {
    connect.username = reader.string("user name");
  }
  if ((flags & FLAG_PASSWORD) !== 0 && !(mayBeMissing && reader.position === reader.end)) {
    connect.password = reader.binary("password");
  }
  return connect;
}

function readProtocolVersion(reader: Reader): ProtocolVersion {
  const protocolName = reader.string("protocol name");
  const level = reader.u8("protocol level");
  if (protocolName === "MQTT" && (level === 4 || level === 5)) return level;
  if (protocolName === "MQIsdp" && level === 3) return level;
  throw new UnsupportedProtocolError(protocolName, level);
}

function checkFlags(flags: number, protocolVersion: ProtocolVersion): void {
  const qos = willQoS(flags);
  if ((flags & FLAG_RESERVED) !== 0) {
    // 5.0 [MQTT-3.1.2-3], 3.1.1 [MQTT-3.1.2-3]
    throw new MalformedPacketError(`connect flags ${hex(flags)} have the reserved bit set`);
  }
  if (qos === 3) {
    // 5.0 [MQTT-3.1.2-12], 3.1.1 [MQTT-3.1.2-14]
    throw new MalformedPacketError(`connect flags ${hex(flags)} have a Will QoS of 3`);
  }
  if ((flags & FLAG_WILL) === 0 && (qos !== 0 || (flags & FLAG_WILL_RETAIN) !== 0)) {
    // 5.0 [MQTT-3.1.2-11], [MQTT-3.1.2-13], 3.1.1 [MQTT-3.1.2-11], [MQTT-3.1.2-13], [MQTT-3.1.2-15]
    throw new MalformedPacketError(
      `connect flags ${hex(flags)} have a Will QoS or Will Retain without a Will`,
    );
  }
  if (protocolVersion !== 5 && (flags & FLAG_PASSWORD) !== 0 && (flags & FLAG_USERNAME) === 0) {
    // 3.1.1 [MQTT-3.1.2-22]
    throw new MalformedPacketError(`connect flags ${hex(flags)} have a password without a user name`);
  }
}

function willQoS(flags: number): QoS | 3 {
  switch ((flags >> 3) & 3) {
    case 0:
      return 0;
    case 1:
      return 1;
    case 2:
      return 2;
    default:
      return 3;
  }
}

function readWill(reader: Reader, flags: number, protocolVersion: ProtocolVersion): Will {
  const qos = willQoS(flags);
  const will: Will = {
    topicName: "",
    payload: EMPTY,
    // checkFlags refused 3.
    qos: qos === 3 ? 2 : qos,
    retain: (flags & FLAG_WILL_RETAIN) !== 0,
    willDelayInterval: 0,
    messageExpiryInterval: -1,
    forwarded: EMPTY,
  };
  if (protocolVersion === 5) {
    const start = readMessageProperties(reader, WILL_PLACE, will, readWillDelay);
    // The Will lives as long as its connection; it must not keep the chunk alive that CONNECT came in.
    will.forwarded =
      start === -1
        ? copyOf(will.forwarded, 0, will.forwarded.length)
        : copyOf(reader.bytes, start, reader.position);
  }
  will.topicName = reader.string("will topic");
  if (will.topicName === "") {
    if (protocolVersion === 5) throw new ProtocolError("the will topic is empty");
    throw new MalformedPacketError("the will topic is empty");
  }
  will.payload = reader.binary("will payload");
  return will;
}

function readWillDelay(reader: Reader, definition: PropertyDefinition, will: Will): void {
  will.willDelayInterval = readNumber(reader, definition);
}

/** Writes the body. */
export function writeConnect(writer: Writer, connect: Connect): void {
  const { protocolVersion, username, password, will } = connect;
  if (protocolVersion !== 5 && password !== undefined && username === undefined) {
    throw new UsageError("a password without a user name needs MQTT 5.0");
  }
  writer.string(protocolVersion === 3 ? "MQIsdp" : "MQTT");
  writer.u8(protocolVersion);
  writer.u8(flagsOf(connect));
  writer.u16(connect.keepAlive);
  if (protocolVersion === 5) writeProperties(writer, connect.properties, PacketType.CONNECT);
  writer.string(connect.clientId);
  if (will !== undefined) writeWill(writer, will, protocolVersion);
  if (username !== undefined) writer.string(username);
  if (password !== undefined) writer.binary(password);
}

function flagsOf({ cleanStart, will, username, password }: Connect): number {
  let flags = cleanStart ? FLAG_CLEAN_START : 0;
  if (will !== undefined) flags |= FLAG_WILL | (will.qos << 3) | (will.retain ? FLAG_WILL_RETAIN : 0);
  if (username !== undefined) flags |= FLAG_USERNAME;
  if (password !== undefined) flags |= FLAG_PASSWORD;
  return flags;
}

function writeWill(writer: Writer, will: Will, protocolVersion: ProtocolVersion): void {
  if (will.topicName === "") throw new UsageError("the will topic is empty");
  if (protocolVersion === 5) {
    const properties = new Writer();
    if (will.willDelayInterval > 0) {
      properties.u8(WILL_DELAY_INTERVAL);
      properties.u32(will.willDelayInterval);
    }
    if (will.messageExpiryInterval >= 0) {
      properties.u8(MESSAGE_EXPIRY_INTERVAL);
      properties.u32(will.messageExpiryInterval);
    }
    properties.append(will.forwarded, 0, will.forwarded.length);
    writer.varint(properties.length);
    writer.append(properties.bytes, 0, properties.length);
  }
  writer.string(will.topicName);
  writer.binary(will.payload);
}
