// PUBACK, PUBREC, PUBREL, PUBCOMP - MQTT 5.0 sections 3.4 to 3.7, 3.1.1 sections 3.4 to 3.7.
//
//   40 50 62 70 | remaining length | packet id | reason code (5.0) | properties (5.0)
//
// 5.0 leaves out what says nothing: no properties, then length 3; and reason code 0x00, then length 2.
import { MalformedPacketError, UsageError } from "../errors.ts";
import { isEmpty, readProperties, writeProperties } from "../properties.ts";
import type { Properties } from "../properties.ts";
import { hex, packetName, PacketType } from "../protocol.ts";
import type { ProtocolVersion } from "../protocol.ts";
import { isReasonCodeOf } from "../reason-codes.ts";
import type { Reader } from "../reader.ts";
import { Writer } from "../writer.ts";

/** The types of the four packets. */
export type AckType =
  typeof PacketType.PUBACK | typeof PacketType.PUBREC | typeof PacketType.PUBREL | typeof PacketType.PUBCOMP;

/** What acknowledgements may say beside their reason code. */
export type ReasonProperties = Pick<Properties, "reasonString" | "userProperties">;

export interface Ack {
  type: AckType;
  packetId: number;
  /** 0 under 3.1 and 3.1.1. */
  reasonCode: number;
  properties?: ReasonProperties;
}

/** Reads the body. */
export function readAck(reader: Reader, type: AckType, version: ProtocolVersion): Ack {
  const ack: Ack = { type, packetId: reader.packetId(), reasonCode: 0 };
  if (version !== 5 || reader.position === reader.end) return ack;
  const reasonCode = reader.u8("reason code");
  if (!isReasonCodeOf(type, reasonCode)) {
    throw new MalformedPacketError(`reason code ${hex(reasonCode)} in ${packetName(type)}`);
  }
  ack.reasonCode = reasonCode;
  if (reader.position === reader.end) return ack;
  const properties = readProperties(reader, type);
  if (!isEmpty(properties)) ack.properties = properties;
  return ack;
}

const scratch: Writer = new Writer();

/**
 * Appends the whole packet in its shortest form; makes nothing when there are no properties. Under 3.1 and 3.1.1 the
 * reason code and the properties are left out: these versions cannot say them.
 *
 * @throws UsageError for packet identifier 0 or a reason code that the packet cannot have; then nothing is appended.
 */
export function writeAck(
  writer: Writer,
  type: AckType,
  packetId: number,
  reasonCode: number,
  version: ProtocolVersion,
  properties?: ReasonProperties,
): void {
  if (packetId < 1 || packetId > 0xffff) throw new UsageError(`packet identifier ${String(packetId)}`);
  if (!isReasonCodeOf(type, reasonCode)) {
    throw new UsageError(`reason code ${hex(reasonCode)} in ${packetName(type)}`);
  }
  const full = version === 5 && !isEmpty(properties);
  if (full) {
    scratch.reset();
    writeProperties(scratch, properties ?? {}, type);
  }
  writer.reserve(5);
  const { bytes } = writer;
  let position = writer.length;
  bytes[position++] = type === PacketType.PUBREL ? 0x62 : type << 4;
  if (full) {
    writer.length = position;
    writer.varint(3 + scratch.length);
    writer.packetId(packetId);
    writer.u8(reasonCode);
    writer.append(scratch.bytes, 0, scratch.length);
    return;
  }
  const short = version !== 5 || reasonCode === 0;
  bytes[position++] = short ? 2 : 3;
  bytes[position++] = packetId >>> 8;
  bytes[position++] = packetId;
  if (!short) bytes[position++] = reasonCode;
  writer.length = position;
}
