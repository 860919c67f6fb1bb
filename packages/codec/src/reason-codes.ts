// Reason codes of MQTT 5.0 (section 2.4), the packets that may carry each, and the CONNACK return codes of 3.1 and 3.1.1.
import { hex, PacketType } from "./protocol.ts";

/** The reason codes of MQTT 5.0 by name. 0x00 to 0x7F are successes, 0x80 and above are failures. */
export const ReasonCode = {
  SUCCESS: 0x00,
  NORMAL_DISCONNECTION: 0x00,
  GRANTED_QOS_0: 0x00,
  GRANTED_QOS_1: 0x01,
  GRANTED_QOS_2: 0x02,
  DISCONNECT_WITH_WILL_MESSAGE: 0x04,
  NO_MATCHING_SUBSCRIBERS: 0x10,
  NO_SUBSCRIPTION_EXISTED: 0x11,
  CONTINUE_AUTHENTICATION: 0x18,
  REAUTHENTICATE: 0x19,
  UNSPECIFIED_ERROR: 0x80,
  MALFORMED_PACKET: 0x81,
  PROTOCOL_ERROR: 0x82,
  IMPLEMENTATION_SPECIFIC_ERROR: 0x83,
  UNSUPPORTED_PROTOCOL_VERSION: 0x84,
  CLIENT_IDENTIFIER_NOT_VALID: 0x85,
  BAD_USER_NAME_OR_PASSWORD: 0x86,
  NOT_AUTHORIZED: 0x87,
  SERVER_UNAVAILABLE: 0x88,
  SERVER_BUSY: 0x89,
  BANNED: 0x8a,
  SERVER_SHUTTING_DOWN: 0x8b,
  BAD_AUTHENTICATION_METHOD: 0x8c,
  KEEP_ALIVE_TIMEOUT: 0x8d,
  SESSION_TAKEN_OVER: 0x8e,
  TOPIC_FILTER_INVALID: 0x8f,
  TOPIC_NAME_INVALID: 0x90,
  PACKET_IDENTIFIER_IN_USE: 0x91,
  PACKET_IDENTIFIER_NOT_FOUND: 0x92,
  RECEIVE_MAXIMUM_EXCEEDED: 0x93,
  TOPIC_ALIAS_INVALID: 0x94,
  PACKET_TOO_LARGE: 0x95,
  MESSAGE_RATE_TOO_HIGH: 0x96,
  QUOTA_EXCEEDED: 0x97,
  ADMINISTRATIVE_ACTION: 0x98,
  PAYLOAD_FORMAT_INVALID: 0x99,
  RETAIN_NOT_SUPPORTED: 0x9a,
  QOS_NOT_SUPPORTED: 0x9b,
  USE_ANOTHER_SERVER: 0x9c,
  SERVER_MOVED: 0x9d,
  SHARED_SUBSCRIPTIONS_NOT_SUPPORTED: 0x9e,
  CONNECTION_RATE_EXCEEDED: 0x9f,
  MAXIMUM_CONNECT_TIME: 0xa0,
  SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED: 0xa1,
  WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED: 0xa2,
} as const;

/** The CONNACK return codes of MQTT 3.1 and 3.1.1 (section 3.2.2.3). */
export const ConnectReturnCode = {
  ACCEPTED: 0,
  UNACCEPTABLE_PROTOCOL_VERSION: 1,
  IDENTIFIER_REJECTED: 2,
  SERVER_UNAVAILABLE: 3,
  BAD_USER_NAME_OR_PASSWORD: 4,
  NOT_AUTHORIZED: 5,
} as const;

// Section 2.4, table 2-6, and the tables of the packets (3.2.2.2, 3.4.2.1, 3.6.2.1, 3.9.3, 3.11.3, 3.14.2.1, 3.15.2.1).
const PUBACK_CODES = [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99];
const PUBREL_CODES = [0x00, 0x92];
const CODES: readonly (readonly [type: PacketType, codes: readonly number[]])[] = [
  [
    PacketType.CONNACK,
    [
      0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8c, 0x90, 0x95, 0x97, 0x99,
      0x9a, 0x9b, 0x9c, 0x9d, 0x9f,
    ],
  ],
  [PacketType.PUBACK, PUBACK_CODES],
  [PacketType.PUBREC, PUBACK_CODES],
  [PacketType.PUBREL, PUBREL_CODES],
  [PacketType.PUBCOMP, PUBREL_CODES],
  [PacketType.SUBACK, [0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8f, 0x91, 0x97, 0x9e, 0xa1, 0xa2]],
  [PacketType.UNSUBACK, [0x00, 0x11, 0x80, 0x83, 0x87, 0x8f, 0x91]],
  [
    PacketType.DISCONNECT,
    [
      0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8b, 0x8d, 0x8e, 0x8f, 0x90, 0x93, 0x94, 0x95, 0x96,
      0x97, 0x98, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f, 0xa0, 0xa1, 0xa2,
    ],
  ],
  [PacketType.AUTH, [0x00, 0x18, 0x19]],
];

// One bit for each packet type, at the index of the reason code.
const packetsByCode: Uint16Array = new Uint16Array(256);
for (const [type, codes] of CODES) {
  for (const code of codes) packetsByCode[code] = packetsByCode[code]! | (1 << type);
}

const names = new Map<number, string>();
for (const [name, code] of Object.entries(ReasonCode)) if (!names.has(code)) names.set(code, name);

/** Whether a packet of this type may carry this reason code in MQTT 5.0. */
export function isReasonCodeOf(type: PacketType, reasonCode: number): boolean {
  return ((packetsByCode[reasonCode] ?? 0) & (1 << type)) !== 0;
}

/** The name of a reason code of MQTT 5.0, e.g. `"NOT_AUTHORIZED"`; `"0xC8"` for a code that has none. */
export function reasonCodeName(reasonCode: number): string {
  return names.get(reasonCode) ?? hex(reasonCode);
}

/** The return code that says to a 3.1 or 3.1.1 client what `reasonCode` says in a CONNACK of MQTT 5.0; 0 to 5. */
export function connectReturnCode(reasonCode: number): number {
  switch (reasonCode) {
    case ReasonCode.SUCCESS:
      return ConnectReturnCode.ACCEPTED;
    case ReasonCode.UNSUPPORTED_PROTOCOL_VERSION:
      return ConnectReturnCode.UNACCEPTABLE_PROTOCOL_VERSION;
    case ReasonCode.CLIENT_IDENTIFIER_NOT_VALID:
      return ConnectReturnCode.IDENTIFIER_REJECTED;
    case ReasonCode.BAD_USER_NAME_OR_PASSWORD:
    case ReasonCode.BAD_AUTHENTICATION_METHOD:
      return ConnectReturnCode.BAD_USER_NAME_OR_PASSWORD;
    case ReasonCode.NOT_AUTHORIZED:
    case ReasonCode.BANNED:
    case ReasonCode.TOPIC_NAME_INVALID:
    case ReasonCode.RETAIN_NOT_SUPPORTED:
    case ReasonCode.QOS_NOT_SUPPORTED:
      return ConnectReturnCode.NOT_AUTHORIZED;
    default:
      return ConnectReturnCode.SERVER_UNAVAILABLE;
  }
}
