// The properties of MQTT 5.0 (section 2.2.2.2) as one table, with the writer and the reader made from it.
import { type ByteReader, type Text, join, prefixed, u16, u32, varint } from "./bytes.ts";

export type PacketName =
  | "CONNECT"
  | "CONNACK"
  | "PUBLISH"
  | "PUBACK"
  | "PUBREC"
  | "PUBREL"
  | "PUBCOMP"
  | "SUBSCRIBE"
  | "SUBACK"
  | "UNSUBSCRIBE"
  | "UNSUBACK"
  | "PINGREQ"
  | "PINGRESP"
  | "DISCONNECT"
  | "AUTH";

/** Where a property may stand; Will Properties have their own column in table 2-4. */
export type PropertyPlace = PacketName | "WILL";

type NumberName =
  | "payloadFormatIndicator"
  | "messageExpiryInterval"
  | "sessionExpiryInterval"
  | "serverKeepAlive"
  | "requestProblemInformation"
  | "willDelayInterval"
  | "requestResponseInformation"
  | "receiveMaximum"
  | "topicAliasMaximum"
  | "topicAlias"
  | "maximumQoS"
  | "retainAvailable"
  | "maximumPacketSize"
  | "wildcardSubscriptionAvailable"
  | "subscriptionIdentifiersAvailable"
  | "sharedSubscriptionAvailable";
type TextName =
  | "contentType"
  | "responseTopic"
  | "assignedClientIdentifier"
  | "authenticationMethod"
  | "responseInformation"
  | "serverReference"
  | "reasonString";
type BinaryName = "correlationData" | "authenticationData";

/** Properties by the standard's names; those that may repeat are lists and keep their order. */
export type Properties = { readonly [Name in NumberName]?: number } & {
  readonly [Name in TextName]?: Text;
} & {
  readonly [Name in BinaryName]?: Uint8Array;
} & {
  readonly subscriptionIdentifiers?: readonly number[];
  readonly userProperties?: readonly (readonly [Text, Text])[];
};

export type PropertyName = keyof Properties;
type Kind = "u8" | "u16" | "u32" | "varint" | "text" | "binary" | "pair";

export interface PropertyRow {
  readonly id: number;
  readonly name: PropertyName;
  readonly kind: Kind;
  readonly places: readonly PropertyPlace[];
}

function row(id: number, name: PropertyName, kind: Kind, ...places: readonly PropertyPlace[]): PropertyRow {
  return { id, name, kind, places };
}

/** Table 2-4 of 5.0. */
export const propertyTable: readonly PropertyRow[] = [
  row(0x01, "payloadFormatIndicator", "u8", "PUBLISH", "WILL"),
  row(0x02, "messageExpiryInterval", "u32", "PUBLISH", "WILL"),
  row(0x03, "contentType", "text", "PUBLISH", "WILL"),
  row(0x08, "responseTopic", "text", "PUBLISH", "WILL"),
  row(0x09, "correlationData", "binary", "PUBLISH", "WILL"),
  row(0x0b, "subscriptionIdentifiers", "varint", "PUBLISH", "SUBSCRIBE"),
  row(0x11, "sessionExpiryInterval", "u32", "CONNECT", "CONNACK", "DISCONNECT"),
  row(0x12, "assignedClientIdentifier", "text", "CONNACK"),
  row(0x13, "serverKeepAlive", "u16", "CONNACK"),
  row(0x15, "authenticationMethod", "text", "CONNECT", "CONNACK", "AUTH"),
  row(0x16, "authenticationData", "binary", "CONNECT", "CONNACK", "AUTH"),
  row(0x17, "requestProblemInformation", "u8", "CONNECT"),
  row(0x18, "willDelayInterval", "u32", "WILL"),
  row(0x19, "requestResponseInformation", "u8", "CONNECT"),
  row(0x1a, "responseInformation", "text", "CONNACK"),
  row(0x1c, "serverReference", "text", "CONNACK", "DISCONNECT"),
  row(
    0x1f,
    "reasonString",
    "text",
    "CONNACK",
    "PUBACK",
    "PUBREC",
    "PUBREL",
    "PUBCOMP",
    "SUBACK",
    "UNSUBACK",
    "DISCONNECT",
    "AUTH",
  ),
  row(0x21, "receiveMaximum", "u16", "CONNECT", "CONNACK"),
  row(0x22, "topicAliasMaximum", "u16", "CONNECT", "CONNACK"),
  row(0x23, "topicAlias", "u16", "PUBLISH"),
  row(0x24, "maximumQoS", "u8", "CONNACK"),
  row(0x25, "retainAvailable", "u8", "CONNACK"),
  row(
    0x26,
    "userProperties",
    "pair",
    "CONNECT",
    "CONNACK",
    "PUBLISH",
    "WILL",
    "PUBACK",
    "PUBREC",
    "PUBREL",
    "PUBCOMP",
    "SUBSCRIBE",
    "SUBACK",
    "UNSUBSCRIBE",
    "UNSUBACK",
    "DISCONNECT",
    "AUTH",
  ),
  row(0x27, "maximumPacketSize", "u32", "CONNECT", "CONNACK"),
  row(0x28, "wildcardSubscriptionAvailable", "u8", "CONNACK"),
  row(0x29, "subscriptionIdentifiersAvailable", "u8", "CONNACK"),
  row(0x2a, "sharedSubscriptionAvailable", "u8", "CONNACK"),
];

const writers: { readonly [K in Kind]: (value: unknown) => Uint8Array } = {
  u8: (value) => Uint8Array.of(Number(value)),
  u16: (value) => u16(Number(value)),
  u32: (value) => u32(Number(value)),
  varint: (value) => varint(Number(value)),
  text: (value) => prefixed(value instanceof Uint8Array ? value : String(value)),
  binary: (value) => prefixed(value instanceof Uint8Array ? value : String(value)),
  pair: (value) => (Array.isArray(value) ? join(...value.map((half) => writers.text(half))) : join()),
};

function writeRow({ id, name, kind }: PropertyRow, value: unknown): Uint8Array {
  const list = name === "userProperties" || name === "subscriptionIdentifiers";
  const values: readonly unknown[] = list && Array.isArray(value) ? value : [value];
  return join(...values.map((one) => join(id, writers[kind](one))));
}

/** The bytes of `properties` without their length, in the order of the object's keys. */
export function propertyBytes(properties: Properties): Uint8Array {
  const parts = Object.entries(properties).map(([name, value]) => {
    const found = propertyTable.find((row) => row.name === name);
    if (found === undefined) throw new TypeError(`${name} is no property of 5.0`);
    return writeRow(found, value);
  });
  return join(...parts);
}

/** Property Length and properties; bytes stand for properties that are wrong on purpose. */
export function propertyField(properties: Properties | Uint8Array = {}): Uint8Array {
  const bytes = properties instanceof Uint8Array ? properties : propertyBytes(properties);
  return join(varint(bytes.length), bytes);
}

/** One well-formed property of each row, for tests that go through the table. */
export function sampleProperty(row: PropertyRow): Uint8Array {
  const samples: { readonly [K in Kind]: unknown } = {
    u8: 1,
    u16: 1,
    u32: 1,
    varint: 1,
    text: "s",
    binary: Uint8Array.of(1),
    pair: ["a", "b"],
  };
  return join(row.id, writers[row.kind](samples[row.kind]));
}

function readValue(reader: ByteReader, kind: Kind): number | string | Uint8Array | readonly [string, string] {
  return kind === "pair" ? [reader.text(), reader.text()] : reader[kind]();
}

/** Reads Property Length and properties and checks them against table 2-4. */
export function readProperties(reader: ByteReader, place: PropertyPlace): Properties {
  const length = reader.varint();
  const end = reader.left - length;
  if (end < 0) throw new Error(`Property Length ${length} goes beyond the ${place}`);
  const values: { [name: string]: unknown } = {};
  while (reader.left > end) readOne(reader, place, values);
  if (reader.left < end) throw new Error(`the last property goes beyond the Property Length of the ${place}`);
  return values;
}

function readOne(reader: ByteReader, place: PropertyPlace, values: { [name: string]: unknown }): void {
  const id = reader.varint();
  const found = propertyTable.find((row) => row.id === id);
  if (!found?.places.includes(place))
    throw new Error(`property 0x${id.toString(16)} does not belong in a ${place}`);
  const value = readValue(reader, found.kind);
  const before = values[found.name];
  if (found.name === "userProperties" || found.name === "subscriptionIdentifiers") {
    values[found.name] = Array.isArray(before) ? [...before, value] : [value];
  } else if (before === undefined) {
    values[found.name] = value;
  } else {
    throw new Error(`${found.name} stands twice in a ${place}`);
  }
}
