// AUTH - MQTT 5.0 section 3.15.
//
//   F0 | remaining length | reason code | properties
//
// Length 0 says reason code 0x00 without properties; every other AUTH names its method (section 3.15.2.2.2).
import { MalformedPacketError, ProtocolError, UsageError } from "../errors.ts";
import { isEmpty, readProperties, writeProperties } from "../properties.ts";
import type { Properties } from "../properties.ts";
import { hex, PacketType } from "../protocol.ts";
import { isReasonCodeOf } from "../reason-codes.ts";
import type { Reader } from "../reader.ts";
import type { Writer } from "../writer.ts";

export type AuthProperties = Pick<
  Properties,
  "authenticationMethod" | "authenticationData" | "reasonString" | "userProperties"
>;

export interface Auth {
  type: typeof PacketType.AUTH;
  reasonCode: number;
  properties: AuthProperties;
}

/** Reads the body. */
export function readAuth(reader: Reader): Auth {
  const auth: Auth = { type: PacketType.AUTH, reasonCode: 0, properties: {} };
  if (reader.position === reader.end) return auth;
  auth.reasonCode = reader.u8("reason code");
  // 5.0 [MQTT-3.15.2-1]
  if (!isReasonCodeOf(PacketType.AUTH, auth.reasonCode)) {
    throw new MalformedPacketError(`reason code ${hex(auth.reasonCode)} in AUTH`);
  }
  auth.properties = readProperties(reader, PacketType.AUTH);
  if (auth.properties.authenticationMethod === undefined) {
    throw new ProtocolError("AUTH without authentication method");
  }
  return auth;
}

/** Writes the body in its shortest form. */
export function writeAuth(writer: Writer, { reasonCode, properties }: Auth): void {
  if (!isReasonCodeOf(PacketType.AUTH, reasonCode)) {
    throw new UsageError(`reason code ${hex(reasonCode)} in AUTH`);
  }
  if (reasonCode === 0 && isEmpty(properties)) return;
  if (properties.authenticationMethod === undefined) {
    throw new UsageError("AUTH without authentication method");
  }
  writer.u8(reasonCode);
  writeProperties(writer, properties, PacketType.AUTH);
}
