// Reads what a server sends, and checks every packet against the rules that hold always: fixed-header flags, shortest
// lengths, properties that belong there, Reason Codes of the table. A broken rule throws, whatever the case is about.
import { ByteReader, toHex } from "./bytes.ts";
import { ConformanceError } from "./check.ts";
import type { AckName, Version } from "./build.ts";
import { type PacketName, type Properties, readProperties } from "./properties.ts";

export interface Connack {
  readonly name: "CONNACK";
  readonly size: number;
  readonly sessionPresent: boolean;
  readonly reasonCode: number;
  readonly properties: Properties;
}

export interface Publish {
  readonly name: "PUBLISH";
  readonly size: number;
  readonly dup: boolean;
  readonly qos: number;
  readonly retain: boolean;
  readonly topic: string;
  /** 0 at QoS 0. */
  readonly packetId: number;
  readonly properties: Properties;
  readonly payload: Uint8Array;
}

export interface Ack {
  readonly name: AckName;
  readonly size: number;
  readonly packetId: number;
  readonly reasonCode: number;
  readonly properties: Properties;
}

export interface Suback {
  readonly name: "SUBACK" | "UNSUBACK";
  readonly size: number;
  readonly packetId: number;
  readonly properties: Properties;
  /** Empty in an UNSUBACK of 3.1.1. */
  readonly reasonCodes: readonly number[];
}

export interface Pingresp {
  readonly name: "PINGRESP";
  readonly size: number;
}

export interface Closing {
  readonly name: "DISCONNECT" | "AUTH";
  readonly size: number;
  readonly reasonCode: number;
  readonly properties: Properties;
}

export type Packet = Connack | Publish | Ack | Suback | Pingresp | Closing;
export type PacketOf<N extends Packet["name"]> = Packet extends infer P
  ? P extends { readonly name: infer M }
    ? N extends M
      ? P
      : never
    : never
  : never;

const names: readonly (PacketName | undefined)[] = [
  undefined,
  "CONNECT",
  "CONNACK",
  "PUBLISH",
  "PUBACK",
  "PUBREC",
  "PUBREL",
  "PUBCOMP",
  "SUBSCRIBE",
  "SUBACK",
  "UNSUBSCRIBE",
  "UNSUBACK",
  "PINGREQ",
  "PINGRESP",
  "DISCONNECT",
  "AUTH",
];

/** The Reason Codes that a server may send in each packet of 5.0; section 2.4 and the packets' own tables. */
const reasonCodes: { readonly [N in PacketName]?: readonly number[] } = {
  CONNACK: [
    0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8c, 0x90, 0x95, 0x97, 0x99,
    0x9a, 0x9b, 0x9c, 0x9d, 0x9f,
  ],
  PUBACK: [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99],
  PUBREC: [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99],
  PUBREL: [0x00, 0x92],
  PUBCOMP: [0x00, 0x92],
  SUBACK: [0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8f, 0x91, 0x97, 0x9e, 0xa1, 0xa2],
  UNSUBACK: [0x00, 0x11, 0x80, 0x83, 0x87, 0x8f, 0x91],
  DISCONNECT: [
    0x00, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8b, 0x8d, 0x8e, 0x8f, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97,
    0x98, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f, 0xa0, 0xa1, 0xa2,
  ],
  AUTH: [0x00, 0x18],
};

function checkCode(name: PacketName, reasonCode: number): number {
  if (!reasonCodes[name]?.includes(reasonCode)) {
    throw new Error(`a ${name} carries 0x${reasonCode.toString(16)}, which its table does not have`);
  }
  return reasonCode;
}

/**
 * The packet that `bytes` starts with, and how many bytes it takes; undefined while it is incomplete.
 *
 * @throws ConformanceError when the bytes cannot be a packet of a server in this version.
 */
export function parse(bytes: Uint8Array, version: Version): { packet: Packet; size: number } | undefined {
  const size = packetSize(bytes);
  if (size === undefined || bytes.length < size.total) return undefined;
  const whole = bytes.subarray(0, size.total);
  try {
    return { packet: parseWhole(whole, size.header, version), size: size.total };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ConformanceError(`the broker sent ${toHex(whole)}: ${reason}`, { cause: error });
  }
}

function packetSize(bytes: Uint8Array): { header: number; total: number } | undefined {
  for (let count = 1; count <= 4; count += 1) {
    const byte = bytes[count];
    if (byte === undefined) return undefined;
    if (byte < 0x80) {
      const length = new ByteReader(bytes.subarray(1, count + 1)).varint();
      return { header: count + 1, total: count + 1 + length };
    }
  }
  throw new Error("the broker sent a Remaining Length of more than four bytes");
}

function parseWhole(bytes: Uint8Array, headerBytes: number, version: Version): Packet {
  const first = bytes[0] ?? 0;
  const name = names[first >> 4];
  const flags = first & 0x0f;
  if (name !== "PUBLISH" && flags !== (name === "PUBREL" ? 2 : 0))
    throw new Error(`flags ${flags} are reserved`);
  const reader = new ByteReader(bytes.subarray(headerBytes));
  const packet = parseBody(name, flags, reader, bytes.length, version);
  if (reader.left > 0) throw new Error(`${reader.left} bytes follow the last field`);
  return packet;
}

function parseBody(
  name: PacketName | undefined,
  flags: number,
  reader: ByteReader,
  size: number,
  version: Version,
): Packet {
  const five = version === "5.0";
  switch (name) {
    case "CONNACK":
      return parseConnack(reader, size, version);
    case "PUBLISH":
      return parsePublish(flags, reader, size, five);
    case "PUBACK":
    case "PUBREC":
    case "PUBREL":
    case "PUBCOMP":
      return { name, size, packetId: packetId(reader), ...parseCode(name, reader, five) };
    case "SUBACK":
    case "UNSUBACK":
      return parseSuback(name, reader, size, five);
    case "PINGRESP":
      return { name, size };
    case "DISCONNECT":
    case "AUTH":
      if (!five) throw new Error(`${name} does not exist in ${version} for a server`);
      return parseClosing(name, reader, size);
    default:
      throw new Error("this is no packet of a server");
  }
}

function packetId(reader: ByteReader): number {
  const id = reader.u16();
  if (id === 0) throw new Error("the Packet Identifier is 0");
  return id;
}

function parseConnack(reader: ByteReader, size: number, version: Version): Connack {
  const flags = reader.u8();
  const reasonCode = reader.u8();
  if (flags > 1) throw new Error(`acknowledge flags ${flags} are reserved`);
  if (version !== "5.0" && reasonCode > 5)
    throw new Error(`return code ${reasonCode} does not exist in ${version}`);
  if (version === "5.0") checkCode("CONNACK", reasonCode);
  // 3.1 has a reserved byte here; that it is 0 has its own case.
  if (flags === 1 && reasonCode !== 0 && version !== "3.1")
    throw new Error("Session Present is 1 in a refusal");
  const properties = version === "5.0" ? readProperties(reader, "CONNACK") : {};
  return { name: "CONNACK", size, sessionPresent: flags === 1 && version !== "3.1", reasonCode, properties };
}

function parsePublish(flags: number, reader: ByteReader, size: number, five: boolean): Publish {
  const qos = (flags >> 1) & 3;
  if (qos === 3) throw new Error("QoS 3 does not exist");
  if (qos === 0 && flags >= 8) throw new Error("DUP is set at QoS 0");
  const topic = reader.text();
  if (/[+#]/.test(topic)) throw new Error("a Topic Name has wildcards");
  const id = qos > 0 ? packetId(reader) : 0;
  const properties = five ? readProperties(reader, "PUBLISH") : {};
  return {
    name: "PUBLISH",
    size,
    dup: flags >= 8,
    qos,
    retain: (flags & 1) === 1,
    topic,
    packetId: id,
    properties,
    payload: reader.rest(),
  };
}

function parseCode(
  name: AckName,
  reader: ByteReader,
  five: boolean,
): { reasonCode: number; properties: Properties } {
  if (!five || reader.left === 0) return { reasonCode: 0, properties: {} };
  const reasonCode = checkCode(name, reader.u8());
  return { reasonCode, properties: reader.left > 0 ? readProperties(reader, name) : {} };
}

function parseSuback(name: "SUBACK" | "UNSUBACK", reader: ByteReader, size: number, five: boolean): Suback {
  const id = packetId(reader);
  const properties = five ? readProperties(reader, name) : {};
  if (name === "UNSUBACK" && !five) return { name, size, packetId: id, properties, reasonCodes: [] };
  const codes = [...reader.rest()];
  for (const code of codes) {
    if (five) checkCode(name, code);
    else if (code > 2 && code !== 0x80) throw new Error(`SUBACK return code ${code} does not exist`);
  }
  return { name, size, packetId: id, properties, reasonCodes: codes };
}

function parseClosing(name: "DISCONNECT" | "AUTH", reader: ByteReader, size: number): Closing {
  const reasonCode = checkCode(name, reader.left > 0 ? reader.u8() : 0);
  const properties = reader.left > 0 ? readProperties(reader, name) : {};
  if (name === "DISCONNECT" && properties.sessionExpiryInterval !== undefined) {
    throw new Error("a server's DISCONNECT has a Session Expiry Interval - 5.0 [MQTT-3.14.2-2]");
  }
  return { name, size, reasonCode, properties };
}
