// Properties of MQTT 5.0 (section 2.2.2): one table says identifier, type, range and where each is legal; the readers and
// writers follow it. PUBLISH and the Will keep most of theirs as bytes: see forwarded.ts.
import { MalformedPacketError, ProtocolError, QuotaExceededError, UsageError } from "./errors.ts";
import { hex, packetName, PacketType } from "./protocol.ts";
import type { Reader } from "./reader.ts";
import { Writer } from "./writer.ts";

/** User Properties: pairs in the order of the wire; a name may appear more than once. */
export type UserProperties = readonly (readonly [name: string, value: string])[];

/** Every property by the standard's name. A property that is not on the wire is absent. */
export interface Properties {
  /** 0 unspecified bytes, 1 UTF-8 text. */
  payloadFormatIndicator?: number;
  /** Seconds. */
  messageExpiryInterval?: number;
  contentType?: string;
  responseTopic?: string;
  correlationData?: Uint8Array;
  /** 1 to 268,435,455. */
  subscriptionIdentifier?: number;
  /** Seconds; 0xFFFFFFFF never expires. */
  sessionExpiryInterval?: number;
  assignedClientIdentifier?: string;
  /** Seconds; 0 is off. */
  serverKeepAlive?: number;
  authenticationMethod?: string;
  authenticationData?: Uint8Array;
  requestProblemInformation?: boolean;
  /** Seconds. */
  willDelayInterval?: number;
  requestResponseInformation?: boolean;
  responseInformation?: string;
  serverReference?: string;
  reasonString?: string;
  /** 1 to 65,535 packets. */
  receiveMaximum?: number;
  /** 0 to 65,535 aliases. */
  topicAliasMaximum?: number;
  /** 1 to 65,535. */
  topicAlias?: number;
  /** 0 or 1; absent means 2. */
  maximumQoS?: number;
  retainAvailable?: boolean;
  userProperties?: UserProperties;
  /** Bytes of a whole packet, from 1. */
  maximumPacketSize?: number;
  wildcardSubscriptionAvailable?: boolean;
  subscriptionIdentifiersAvailable?: boolean;
  sharedSubscriptionAvailable?: boolean;
}

/** Where properties stand: in a packet of a type, or (0) in the Will of CONNECT. */
export type PropertyPlace = PacketType | 0;

/** The Will Properties of CONNECT (section 3.1.3.2). */
export const WILL_PLACE = 0;

type NamesOf<Value> = {
  [Name in keyof Properties]-?: NonNullable<Properties[Name]> extends Value ? Name : never;
}[keyof Properties];

type Shape =
  | { readonly type: "byte" | "uint16" | "uint32" | "varint"; readonly name: NamesOf<number> }
  | { readonly type: "flag"; readonly name: NamesOf<boolean> }
  | { readonly type: "string"; readonly name: NamesOf<string> }
  | { readonly type: "binary"; readonly name: NamesOf<Uint8Array> }
  | { readonly type: "pairs"; readonly name: "userProperties" };

/** A row of the table. `places` has a bit for each place; numbers lie in `minimum`..`maximum`. */
export type PropertyDefinition = Shape & {
  readonly identifier: number;
  readonly bit: number;
  readonly places: number;
  readonly minimum: number;
  readonly maximum: number;
  /** What the standard asks for a number out of range. */
  readonly rangeReasonCode: number;
};

type Row = Shape & {
  identifier: number;
  in: readonly PropertyPlace[];
  minimum?: number;
  maximum?: number;
  rangeReasonCode?: number;
};

const { CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBSCRIBE, SUBACK } = PacketType;
const { UNSUBSCRIBE, UNSUBACK, DISCONNECT, AUTH } = PacketType;
const WILL = WILL_PLACE;
const WITH_REASON: readonly PropertyPlace[] = [
  CONNACK,
  PUBACK,
  PUBREC,
  PUBREL,
  PUBCOMP,
  SUBACK,
  UNSUBACK,
  DISCONNECT,
  AUTH,
];
const WITH_USER_PROPERTIES: readonly PropertyPlace[] = [
  ...WITH_REASON,
  WILL,
  CONNECT,
  PUBLISH,
  SUBSCRIBE,
  UNSUBSCRIBE,
];

// Table 2-4 of the standard, in its order.
// prettier-ignore
const ROWS: readonly Row[] = [
  { identifier: 0x01, name: "payloadFormatIndicator", type: "byte", in: [PUBLISH, WILL], maximum: 1 },
  { identifier: 0x02, name: "messageExpiryInterval", type: "uint32", in: [PUBLISH, WILL] },
  { identifier: 0x03, name: "contentType", type: "string", in: [PUBLISH, WILL] },
  { identifier: 0x08, name: "responseTopic", type: "string", in: [PUBLISH, WILL] },
  { identifier: 0x09, name: "correlationData", type: "binary", in: [PUBLISH, WILL] },
  { identifier: 0x0b, name: "subscriptionIdentifier", type: "varint", in: [PUBLISH, SUBSCRIBE], minimum: 1 },
  { identifier: 0x11, name: "sessionExpiryInterval", type: "uint32", in: [CONNECT, CONNACK, DISCONNECT] },
  { identifier: 0x12, name: "assignedClientIdentifier", type: "string", in: [CONNACK] },
  { identifier: 0x13, name: "serverKeepAlive", type: "uint16", in: [CONNACK] },
  { identifier: 0x15, name: "authenticationMethod", type: "string", in: [CONNECT, CONNACK, AUTH] },
  { identifier: 0x16, name: "authenticationData", type: "binary", in: [CONNECT, CONNACK, AUTH] },
  { identifier: 0x17, name: "requestProblemInformation", type: "flag", in: [CONNECT] },
  { identifier: 0x18, name: "willDelayInterval", type: "uint32", in: [WILL] },
  { identifier: 0x19, name: "requestResponseInformation", type: "flag", in: [CONNECT] },
  { identifier: 0x1a, name: "responseInformation", type: "string", in: [CONNACK] },
  { identifier: 0x1c, name: "serverReference", type: "string", in: [CONNACK, DISCONNECT] },
  { identifier: 0x1f, name: "reasonString", type: "string", in: WITH_REASON },
  { identifier: 0x21, name: "receiveMaximum", type: "uint16", in: [CONNECT, CONNACK], minimum: 1 },
  { identifier: 0x22, name: "topicAliasMaximum", type: "uint16", in: [CONNECT, CONNACK] },
  { identifier: 0x23, name: "topicAlias", type: "uint16", in: [PUBLISH], minimum: 1, rangeReasonCode: 0x94 },
  { identifier: 0x24, name: "maximumQoS", type: "byte", in: [CONNACK], maximum: 1 },
  { identifier: 0x25, name: "retainAvailable", type: "flag", in: [CONNACK] },
  { identifier: 0x26, name: "userProperties", type: "pairs", in: WITH_USER_PROPERTIES },
  { identifier: 0x27, name: "maximumPacketSize", type: "uint32", in: [CONNECT, CONNACK], minimum: 1 },
  { identifier: 0x28, name: "wildcardSubscriptionAvailable", type: "flag", in: [CONNACK] },
  { identifier: 0x29, name: "subscriptionIdentifiersAvailable", type: "flag", in: [CONNACK] },
  { identifier: 0x2a, name: "sharedSubscriptionAvailable", type: "flag", in: [CONNACK] },
];

/** All properties, in the order of their identifiers. */
export const PROPERTY_DEFINITIONS: readonly PropertyDefinition[] = ROWS.map(
  // All rows get the same fields in the same order: V8 then reads them by one shape.
  ({ in: places, minimum = 0, maximum = 0xffffffff, rangeReasonCode = 0x82, ...row }, index) => ({
    ...row,
    bit: 1 << index,
    places: places.reduce<number>((bits, place) => bits | (1 << place), 0),
    minimum,
    maximum,
    rangeReasonCode,
  }),
);

const definitionsByIdentifier: (PropertyDefinition | undefined)[] = new Array<undefined>(256).fill(undefined);
for (const definition of PROPERTY_DEFINITIONS) definitionsByIdentifier[definition.identifier] = definition;

/**
 * The definition of the property that a reader meets at `place`.
 *
 * @throws MalformedPacketError for an unknown identifier. All identifiers fit in one byte, so a byte of 0x80 and more
 * is either unknown or not the shortest form.
 * @throws ProtocolError for one that is not legal at `place`.
 */
export function definitionOf(identifier: number, place: PropertyPlace): PropertyDefinition {
  const definition = definitionsByIdentifier[identifier];
  if (definition === undefined) throw new MalformedPacketError(`unknown property ${hex(identifier)}`);
  if ((definition.places & (1 << place)) === 0) {
    throw new ProtocolError(`property ${definition.name} in ${placeName(place)}, where it is not allowed`);
  }
  return definition;
}

/** Notes in the bits of `seen` that the property was met. @throws ProtocolError the second time. */
export function noteOnce(definition: PropertyDefinition, seen: number): number {
  if ((seen & definition.bit) !== 0) throw new ProtocolError(`property ${definition.name} appears twice`);
  return seen | definition.bit;
}

/**
 * Reads the Property Length and narrows the reader to the properties. The caller reads them, and then gives `end` back
 * what this returns.
 *
 * @throws MalformedPacketError when they reach beyond the packet.
 */
export function enterProperties(reader: Reader): number {
  const length = reader.varint("property length");
  const packetEnd = reader.end;
  const end = reader.position + length;
  if (end > packetEnd) throw new MalformedPacketError("the properties are longer than the packet");
  reader.end = end;
  return packetEnd;
}

/** Reads Property Length and properties. All but User Property may appear once. */
export function readProperties(reader: Reader, place: PropertyPlace): Properties {
  const packetEnd = enterProperties(reader);
  const properties = readPropertyList(reader, place);
  reader.end = packetEnd;
  return properties;
}

/** Reads properties up to the reader's end. */
export function readPropertyList(reader: Reader, place: PropertyPlace): Properties {
  const properties: Properties = {};
  let pairs: (readonly [string, string])[] | undefined;
  let seen = 0;
  while (reader.position < reader.end) {
    const definition = definitionOf(reader.u8("property"), place);
    if (definition.type === "pairs") {
      pairs ??= properties.userProperties = [];
      checkUserProperties(reader, pairs.length + 1);
      pairs.push([reader.string("user property"), reader.string("user property")]);
    } else {
      seen = noteOnce(definition, seen);
      readValue(reader, definition, properties);
    }
  }
  if (properties.authenticationData !== undefined && properties.authenticationMethod === undefined) {
    throw new ProtocolError("authentication data without authentication method");
  }
  return properties;
}

/** @throws QuotaExceededError when `count` User Properties are more than the reader takes. */
export function checkUserProperties(reader: Reader, count: number): void {
  if (count <= reader.maximumUserProperties) return;
  throw new QuotaExceededError(`more than ${String(reader.maximumUserProperties)} user properties`);
}

/** Reads the number of a property and checks its range. */
export function readNumber(reader: Reader, definition: PropertyDefinition): number {
  const { type, name, minimum, maximum } = definition;
  const value =
    type === "uint16"
      ? reader.u16(name)
      : type === "uint32"
        ? reader.u32(name)
        : type === "varint"
          ? reader.varint(name)
          : reader.u8(name);
  if (value < minimum || value > maximum) {
    throw new ProtocolError(`property ${name} is ${String(value)}`, definition.rangeReasonCode);
  }
  return value;
}

function readValue(reader: Reader, definition: PropertyDefinition, properties: Properties): void {
  switch (definition.type) {
    case "string":
      properties[definition.name] = reader.string(definition.name);
      return;
    case "binary":
      properties[definition.name] = reader.binary(definition.name);
      return;
    case "flag":
      properties[definition.name] = readFlag(reader, definition.name);
      return;
    case "pairs":
      return;
    default:
      properties[definition.name] = readNumber(reader, definition);
  }
}

function readFlag(reader: Reader, name: string): boolean {
  const value = reader.u8(name);
  if (value > 1) throw new ProtocolError(`property ${name} is ${String(value)}; 0 or 1 expected`);
  return value === 1;
}

const scratch: Writer = new Writer();

/**
 * Writes Property Length and properties, in the order of their identifiers.
 *
 * @throws UsageError for one that is not legal at `place`, or whose value is out of range.
 */
export function writeProperties(writer: Writer, properties: Properties, place: PropertyPlace): void {
  scratch.reset();
  writePropertyList(scratch, properties, place);
  writer.varint(scratch.length);
  writer.append(scratch.bytes, 0, scratch.length);
}

/** Writes properties without their length. */
export function writePropertyList(writer: Writer, properties: Properties, place: PropertyPlace): void {
  for (const definition of PROPERTY_DEFINITIONS) {
    if (properties[definition.name] === undefined) continue;
    if ((definition.places & (1 << place)) === 0) {
      throw new UsageError(`property ${definition.name} is not allowed in ${placeName(place)}`);
    }
    writeProperty(writer, definition, properties);
  }
}

/** Whether `properties` holds none. */
export function isEmpty(properties: Properties | undefined): boolean {
  if (properties === undefined) return true;
  for (const name in properties) return false;
  return true;
}

function writeProperty(writer: Writer, definition: PropertyDefinition, properties: Properties): void {
  const { identifier } = definition;
  if (definition.type === "pairs") {
    for (const [name, value] of properties.userProperties ?? []) {
      writer.u8(identifier);
      writer.string(name);
      writer.string(value);
    }
    return;
  }
  writer.u8(identifier);
  switch (definition.type) {
    case "string":
      writer.string(properties[definition.name] ?? "");
      return;
    case "binary":
      writer.binary(properties[definition.name] ?? new Uint8Array(0));
      return;
    case "flag":
      writer.u8(properties[definition.name] === true ? 1 : 0);
      return;
    default:
      writeNumber(writer, definition, properties[definition.name] ?? 0);
  }
}

function writeNumber(writer: Writer, definition: PropertyDefinition, value: number): void {
  const { type, name, minimum, maximum } = definition;
  if (value < minimum || value > maximum) throw new UsageError(`property ${name} cannot be ${String(value)}`);
  if (type === "uint16") writer.u16(value);
  else if (type === "uint32") writer.u32(value);
  else if (type === "varint") writer.varint(value);
  else writer.u8(value);
}

function placeName(place: PropertyPlace): string {
  return place === WILL_PLACE ? "the Will" : packetName(place);
}
