// CONNACK - MQTT 5.0 section 3.2, 3.1.1 section 3.2.
//
//   20 | remaining length | acknowledge flags: 0000000 session present | reason code | properties (5.0)
import { MalformedPacketError, UsageError } from "../errors.ts";
import { readProperties, writeProperties } from "../properties.ts";
import type { Properties } from "../properties.ts";
import { hex, PacketType } from "../protocol.ts";
import type { ProtocolVersion } from "../protocol.ts";
import { ConnectReturnCode, isReasonCodeOf } from "../reason-codes.ts";
import type { Reader } from "../reader.ts";
import type { Writer } from "../writer.ts";

export type ConnackProperties = Pick<
  Properties,
  | "sessionExpiryInterval"
  | "receiveMaximum"
  | "maximumQoS"
  | "retainAvailable"
  | "maximumPacketSize"
  | "assignedClientIdentifier"
  | "topicAliasMaximum"
  | "reasonString"
  | "userProperties"
  | "wildcardSubscriptionAvailable"
  | "subscriptionIdentifiersAvailable"
  | "sharedSubscriptionAvailable"
  | "serverKeepAlive"
  | "responseInformation"
  | "serverReference"
  | "authenticationMethod"
  | "authenticationData"
>;

export interface Connack {
  type: typeof PacketType.CONNACK;
  /** Always false under 3.1, which has no such flag. */
  sessionPresent: boolean;
  /** Under 5.0 a `ReasonCode`, under 3.1 and 3.1.1 a `ConnectReturnCode`; see `connectReturnCode`. */
  reasonCode: number;
  properties: ConnackProperties;
}

/** Reads the body. */
export function readConnack(reader: Reader, version: ProtocolVersion): Connack {
  const flags = reader.u8("acknowledge flags");
  // 5.0 [MQTT-3.2.2-1]; 3.1 reserves the whole byte and promises nothing of it.
  if (version !== 3 && flags > 1) {
    throw new MalformedPacketError(`acknowledge flags ${hex(flags)}; 0 or 1 expected`);
  }
  const reasonCode = reader.u8("reason code");
  if (!isConnackCode(reasonCode, version)) {
    throw new MalformedPacketError(`reason code ${hex(reasonCode)} in CONNACK`);
  }
  return {
    type: PacketType.CONNACK,
    sessionPresent: version !== 3 && flags === 1,
    reasonCode,
    properties: version === 5 ? readProperties(reader, PacketType.CONNACK) : {},
  };
}

/** Writes the body. */
export function writeConnack(writer: Writer, connack: Connack, version: ProtocolVersion): void {
  const { reasonCode } = connack;
  if (!isConnackCode(reasonCode, version)) throw new UsageError(`reason code ${hex(reasonCode)} in CONNACK`);
  writer.u8(version !== 3 && connack.sessionPresent ? 1 : 0);
  writer.u8(reasonCode);
  if (version === 5) writeProperties(writer, connack.properties, PacketType.CONNACK);
}

function isConnackCode(reasonCode: number, version: ProtocolVersion): boolean {
  if (version === 5) return isReasonCodeOf(PacketType.CONNACK, reasonCode);
  return reasonCode <= ConnectReturnCode.NOT_AUTHORIZED;
}
