// UNSUBACK - MQTT 5.0 section 3.11, 3.1.1 section 3.11.
//
//   B0 | remaining length | packet id | properties (5.0) | reason code (5.0) ...
import { MalformedPacketError, UsageError } from "../errors.ts";
import { isEmpty, readProperties, writeProperties } from "../properties.ts";
import { hex, PacketType } from "../protocol.ts";
import type { ProtocolVersion } from "../protocol.ts";
import { isReasonCodeOf } from "../reason-codes.ts";
import type { Reader } from "../reader.ts";
import type { Writer } from "../writer.ts";
import type { ReasonProperties } from "./ack.ts";

export interface Unsuback {
  type: typeof PacketType.UNSUBACK;
  packetId: number;
  /** One for each topic filter of UNSUBSCRIBE, in its order; only 5.0 sends them. */
  reasonCodes: number[];
  properties?: ReasonProperties;
}

/** Reads the body. */
export function readUnsuback(reader: Reader, version: ProtocolVersion): Unsuback {
  const unsuback: Unsuback = { type: PacketType.UNSUBACK, packetId: reader.packetId(), reasonCodes: [] };
  if (version !== 5) return unsuback;
  const properties = readProperties(reader, PacketType.UNSUBACK);
  if (!isEmpty(properties)) unsuback.properties = properties;
  while (reader.position < reader.end) {
    const reasonCode = reader.u8("reason code");
    if (!isReasonCodeOf(PacketType.UNSUBACK, reasonCode)) {
      throw new MalformedPacketError(`reason code ${hex(reasonCode)} in UNSUBACK`);
    }
    unsuback.reasonCodes.push(reasonCode);
  }
  if (unsuback.reasonCodes.length === 0) throw new MalformedPacketError("UNSUBACK without a reason code");
  return unsuback;
}

/** Writes the body. Before 5.0 that is the packet identifier alone. */
export function writeUnsuback(writer: Writer, unsuback: Unsuback, version: ProtocolVersion): void {
  writer.packetId(unsuback.packetId);
  if (version !== 5) return;
  writeProperties(writer, unsuback.properties ?? {}, PacketType.UNSUBACK);
  if (unsuback.reasonCodes.length === 0) throw new UsageError("UNSUBACK without a reason code");
  for (const reasonCode of unsuback.reasonCodes) {
    if (!isReasonCodeOf(PacketType.UNSUBACK, reasonCode)) {
      throw new UsageError(`reason code ${hex(reasonCode)} in UNSUBACK`);
    }
    writer.u8(reasonCode);
  }
}
