// The numbers that every other file speaks of: packet types, protocol versions, QoS.
// MQTT 5.0 section 2.1.2, 3.1.1 section 2.2.1.

/** Control Packet types by name; the upper four bits of a packet's first byte. */
export const PacketType = {
  CONNECT: 1,
  CONNACK: 2,
  PUBLISH: 3,
  PUBACK: 4,
  PUBREC: 5,
  PUBREL: 6,
  PUBCOMP: 7,
  SUBSCRIBE: 8,
  SUBACK: 9,
  UNSUBSCRIBE: 10,
  UNSUBACK: 11,
  PINGREQ: 12,
  PINGRESP: 13,
  DISCONNECT: 14,
  AUTH: 15,
} as const;

/** A Control Packet type, 1 to 15. */
export type PacketType = (typeof PacketType)[keyof typeof PacketType];

/** The protocol level of CONNECT: 3 is MQTT 3.1, 4 is 3.1.1, 5 is 5.0. */
export type ProtocolVersion = 3 | 4 | 5;

/** Quality of Service. */
export type QoS = 0 | 1 | 2;

/** The side that a program plays: a server reads what clients send, a client what servers send. */
export type Side = "server" | "client";

const PACKET_NAMES: readonly string[] = ["reserved type 0", ...Object.keys(PacketType)];

/** The standard's name of a packet type, for messages: `packetName(3)` is `"PUBLISH"`. */
export function packetName(type: number): string {
  return PACKET_NAMES[type] ?? `type ${String(type)}`;
}

/** `0x` and two digits, for messages. */
export function hex(byte: number): string {
  return `0x${byte.toString(16).toUpperCase().padStart(2, "0")}`;
}
