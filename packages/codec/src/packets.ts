// All packets together: their union, and the way to and from the bytes of each. MQTT 5.0 section 2.1.
import { MalformedPacketError, UsageError } from "./errors.ts";
import { readAck, writeAck } from "./packet/ack.ts";
import type { Ack } from "./packet/ack.ts";
import { readAuth, writeAuth } from "./packet/auth.ts";
import type { Auth } from "./packet/auth.ts";
import { readConnack, writeConnack } from "./packet/connack.ts";
import type { Connack } from "./packet/connack.ts";
import { readConnect, writeConnect } from "./packet/connect.ts";
import type { Connect } from "./packet/connect.ts";
import { readDisconnect, writeDisconnect } from "./packet/disconnect.ts";
import type { Disconnect } from "./packet/disconnect.ts";
import { PINGREQ, PINGRESP } from "./packet/ping.ts";
import type { Pingreq, Pingresp } from "./packet/ping.ts";
import { readPublish, writePublish } from "./packet/publish.ts";
import type { Publish } from "./packet/publish.ts";
import { readSuback, writeSuback } from "./packet/suback.ts";
import type { Suback } from "./packet/suback.ts";
import { readSubscribe, writeSubscribe } from "./packet/subscribe.ts";
import type { Subscribe } from "./packet/subscribe.ts";
import { readUnsuback, writeUnsuback } from "./packet/unsuback.ts";
import type { Unsuback } from "./packet/unsuback.ts";
import { readUnsubscribe, writeUnsubscribe } from "./packet/unsubscribe.ts";
import type { Unsubscribe } from "./packet/unsubscribe.ts";
import { packetName, PacketType } from "./protocol.ts";
import type { ProtocolVersion, Side } from "./protocol.ts";
import type { Reader } from "./reader.ts";
import { MAX_VARINT } from "./varint.ts";
import { Writer } from "./writer.ts";

/** Every Control Packet; `type` tells them apart. */
export type Packet =
  | Connect
  | Connack
  | Publish
  | Ack
  | Subscribe
  | Suback
  | Unsubscribe
  | Unsuback
  | Pingreq
  | Pingresp
  | Disconnect
  | Auth;

/** Reads the body that `reader` stands at, up to its end. `firstByte` was found legal before. */
export function readBody(reader: Reader, firstByte: number, version: ProtocolVersion, side: Side): Packet {
  const packet = readBodyOfType(reader, firstByte, version, side);
  if (packet.type !== PacketType.PUBLISH && reader.position !== reader.end) {
    throw new MalformedPacketError(
      `${String(reader.end - reader.position)} bytes behind the end of ${packetName(packet.type)}`,
    );
  }
  return packet;
}

function readBodyOfType(reader: Reader, firstByte: number, version: ProtocolVersion, side: Side): Packet {
  const type = firstByte >> 4;
  switch (type) {
    case PacketType.PUBLISH:
      return readPublish(reader, firstByte & 0x0f, version, side);
    case PacketType.PUBACK:
    case PacketType.PUBREC:
    case PacketType.PUBREL:
    case PacketType.PUBCOMP:
      return readAck(reader, type, version);
    case PacketType.CONNECT:
      return readConnect(reader);
    case PacketType.CONNACK:
      return readConnack(reader, version);
    case PacketType.SUBSCRIBE:
      return readSubscribe(reader, version);
    case PacketType.SUBACK:
      return readSuback(reader, version);
    case PacketType.UNSUBSCRIBE:
      return readUnsubscribe(reader, version);
    case PacketType.UNSUBACK:
      return readUnsuback(reader, version);
    case PacketType.PINGREQ:
      return PINGREQ;
    case PacketType.PINGRESP:
      return PINGRESP;
    case PacketType.DISCONNECT:
      return readDisconnect(reader, version, side);
    case PacketType.AUTH:
      return readAuth(reader);
    default:
      throw new MalformedPacketError(`a packet of ${packetName(type)}`);
  }
}

const body: Writer = new Writer();

/**
 * Appends the packet to `writer`. CONNECT is written by its own `protocolVersion`, all others by `version`; what a
 * version cannot say (reason codes and properties before 5.0) is left out.
 *
 * @throws UsageError for what cannot be encoded; then nothing is appended.
 */
export function writePacket(writer: Writer, packet: Packet, version: ProtocolVersion): void {
  switch (packet.type) {
    case PacketType.PUBLISH:
      if (packet.qos !== 0 && packet.packetId === 0) throw new UsageError("packet identifier 0 in PUBLISH");
      writePublish(writer, packet, version);
      return;
    case PacketType.PUBACK:
    case PacketType.PUBREC:
    case PacketType.PUBREL:
    case PacketType.PUBCOMP:
      writeAck(writer, packet.type, packet.packetId, packet.reasonCode, version, packet.properties);
      return;
    default:
      body.reset();
      writeBody(body, packet, version);
      if (body.length > MAX_VARINT) {
        throw new UsageError(`${packetName(packet.type)} of more than 268435455 bytes`);
      }
      writer.u8(firstByteOf(packet.type));
      writer.varint(body.length);
      writer.append(body.bytes, 0, body.length);
  }
}

function writeBody(writer: Writer, packet: Exclude<Packet, Publish | Ack>, version: ProtocolVersion): void {
  switch (packet.type) {
    case PacketType.CONNECT:
      writeConnect(writer, packet);
      return;
    case PacketType.CONNACK:
      writeConnack(writer, packet, version);
      return;
    case PacketType.SUBSCRIBE:
      writeSubscribe(writer, packet, version);
      return;
    case PacketType.SUBACK:
      writeSuback(writer, packet, version);
      return;
    case PacketType.UNSUBSCRIBE:
      writeUnsubscribe(writer, packet, version);
      return;
    case PacketType.UNSUBACK:
      writeUnsuback(writer, packet, version);
      return;
    case PacketType.DISCONNECT:
      writeDisconnect(writer, packet, version);
      return;
    case PacketType.AUTH:
      if (version !== 5) throw new UsageError("AUTH needs MQTT 5.0");
      writeAuth(writer, packet);
      return;
    case PacketType.PINGREQ:
    case PacketType.PINGRESP:
  }
}

function firstByteOf(type: PacketType): number {
  const flags = type === PacketType.SUBSCRIBE || type === PacketType.UNSUBSCRIBE ? 2 : 0;
  return (type << 4) | flags;
}

/** The bytes of one packet. @throws UsageError as `writePacket`. */
export function encodePacket(packet: Packet, version: ProtocolVersion): Uint8Array {
  const writer = new Writer();
  writePacket(writer, packet, version);
  return writer.take();
}

const measure: Writer = new Writer();

/** Bytes of the whole packet, found by writing it. For PUBLISH, `publishSize` is cheaper. */
export function packetSize(packet: Packet, version: ProtocolVersion): number {
  measure.reset();
  writePacket(measure, packet, version);
  return measure.length;
}
