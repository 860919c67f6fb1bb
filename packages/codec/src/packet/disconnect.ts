// DISCONNECT - MQTT 5.0 section 3.14, 3.1.1 section 3.14.
//
//   E0 | remaining length | reason code (5.0) | properties (5.0)
//
// 5.0 may leave out the properties, then length 1, and reason code 0x00 with them, then length 0.
import { MalformedPacketError, ProtocolError, UsageError } from "../errors.ts";
import { isEmpty, readProperties, writeProperties } from "../properties.ts";
import type { Properties } from "../properties.ts";
import { hex, PacketType } from "../protocol.ts";
import type { ProtocolVersion, Side } from "../protocol.ts";
import { isReasonCodeOf } from "../reason-codes.ts";
import type { Reader } from "../reader.ts";
import type { Writer } from "../writer.ts";

export type DisconnectProperties = Pick<
  Properties,
  "sessionExpiryInterval" | "reasonString" | "userProperties" | "serverReference"
>;

export interface Disconnect {
  type: typeof PacketType.DISCONNECT;
  /** 0 under 3.1 and 3.1.1. */
  reasonCode: number;
  properties: DisconnectProperties;
}

/** Reads the body. */
export function readDisconnect(reader: Reader, version: ProtocolVersion, side: Side): Disconnect {
  const disconnect: Disconnect = { type: PacketType.DISCONNECT, reasonCode: 0, properties: {} };
  if (version !== 5 || reader.position === reader.end) return disconnect;
  disconnect.reasonCode = reader.u8("reason code");
  // 5.0 [MQTT-3.14.2-1]
  if (!isReasonCodeOf(PacketType.DISCONNECT, disconnect.reasonCode)) {
    throw new MalformedPacketError(`reason code ${hex(disconnect.reasonCode)} in DISCONNECT`);
  }
  if (reader.position === reader.end) return disconnect;
  disconnect.properties = readProperties(reader, PacketType.DISCONNECT);
  // 5.0 [MQTT-3.14.2-2]
  if (side === "client" && disconnect.properties.sessionExpiryInterval !== undefined) {
    throw new ProtocolError("a session expiry interval in a DISCONNECT of the server");
  }
  return disconnect;
}

/** Writes the body in its shortest form; before 5.0 it is empty. */
export function writeDisconnect(writer: Writer, disconnect: Disconnect, version: ProtocolVersion): void {
  const { reasonCode, properties } = disconnect;
  if (version !== 5) return;
  if (!isReasonCodeOf(PacketType.DISCONNECT, reasonCode)) {
    throw new UsageError(`reason code ${hex(reasonCode)} in DISCONNECT`);
  }
  const noProperties = isEmpty(properties);
  if (reasonCode === 0 && noProperties) return;
  writer.u8(reasonCode);
  if (!noProperties) writeProperties(writer, properties, PacketType.DISCONNECT);
}
