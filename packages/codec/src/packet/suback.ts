// SUBACK - MQTT 5.0 section 3.9, 3.1.1 section 3.9.
//
//   90 | remaining length | packet id | properties (5.0) | reason code ...
import { MalformedPacketError, UsageError } from "../errors.ts";
import { isEmpty, readProperties, writeProperties } from "../properties.ts";
import { hex, PacketType } from "../protocol.ts";
import type { ProtocolVersion } from "../protocol.ts";
import { isReasonCodeOf, ReasonCode } from "../reason-codes.ts";
import type { Reader } from "../reader.ts";
import type { Writer } from "../writer.ts";
import type { ReasonProperties } from "./ack.ts";

export interface Suback {
  type: typeof PacketType.SUBACK;
  packetId: number;
  /** One for each topic filter of SUBSCRIBE, in its order; before 5.0 only 0, 1, 2 and 0x80. */
  reasonCodes: number[];
  properties?: ReasonProperties;
}

/** Reads the body. */
export function readSuback(reader: Reader, version: ProtocolVersion): Suback {
  const suback: Suback = { type: PacketType.SUBACK, packetId: reader.packetId(), reasonCodes: [] };
  if (version === 5) {
    const properties = readProperties(reader, PacketType.SUBACK);
    if (!isEmpty(properties)) suback.properties = properties;
  }
  while (reader.position < reader.end) {
    const reasonCode = reader.u8("reason code");
    if (!isSubackCode(reasonCode, version)) {
      throw new MalformedPacketError(`reason code ${hex(reasonCode)} in SUBACK`);
    }
    suback.reasonCodes.push(reasonCode);
  }
  if (suback.reasonCodes.length === 0) throw new MalformedPacketError("SUBACK without a reason code");
  return suback;
}

/** Writes the body. */
export function writeSuback(writer: Writer, suback: Suback, version: ProtocolVersion): void {
  writer.packetId(suback.packetId);
  if (version === 5) writeProperties(writer, suback.properties ?? {}, PacketType.SUBACK);
  if (suback.reasonCodes.length === 0) throw new UsageError("SUBACK without a reason code");
  for (const reasonCode of suback.reasonCodes) {
    if (!isSubackCode(reasonCode, version)) throw new UsageError(`reason code ${hex(reasonCode)} in SUBACK`);
    writer.u8(reasonCode);
  }
}

// 3.1.1 [MQTT-3.9.3-2]. 3.1 has no failure, but brokers have always said it with 0x80.
function isSubackCode(reasonCode: number, version: ProtocolVersion): boolean {
  if (version === 5) return isReasonCodeOf(PacketType.SUBACK, reasonCode);
  return reasonCode <= ReasonCode.GRANTED_QOS_2 || reasonCode === ReasonCode.UNSPECIFIED_ERROR;
}
