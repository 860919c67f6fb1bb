// The properties of PUBLISH and Will that a server hands on unaltered - 5.0 [MQTT-3.3.2-4], [MQTT-3.3.2-15] to
// [MQTT-3.3.2-18], [MQTT-3.3.2-20]: Payload Format Indicator, Content Type, Response Topic, Correlation Data, User Property.
// They stay the bytes that arrived, checked once, and are decoded only for who asks.
import { viewOf } from "./bytes.ts";
import { ProtocolError, UsageError } from "./errors.ts";
import {
  checkUserProperties,
  definitionOf,
  enterProperties,
  noteOnce,
  PROPERTY_DEFINITIONS,
  readNumber,
  readPropertyList,
  writePropertyList,
} from "./properties.ts";
import type { Properties, PropertyDefinition, PropertyPlace, WILL_PLACE } from "./properties.ts";
import { PacketType } from "./protocol.ts";
import { Reader } from "./reader.ts";
import { Writer } from "./writer.ts";

const FORWARDED: readonly (keyof ForwardedProperties)[] = [
  "payloadFormatIndicator",
  "contentType",
  "responseTopic",
  "correlationData",
  "userProperties",
];
const FORWARDED_NAMES: ReadonlySet<string> = new Set(FORWARDED);
const FORWARDED_BITS: number = PROPERTY_DEFINITIONS.reduce(
  (bits, { name, bit }) => (FORWARDED_NAMES.has(name) ? bits | bit : bits),
  0,
);
const PLUS = 0x2b;
const HASH = 0x23;

/** What `forwarded` says when it is decoded. */
export type ForwardedProperties = Pick<
  Properties,
  "payloadFormatIndicator" | "contentType" | "responseTopic" | "correlationData" | "userProperties"
>;

/** Decodes the `forwarded` bytes of a PUBLISH or Will. */
export function readForwardedProperties(bytes: Uint8Array): ForwardedProperties {
  if (bytes.length === 0) return {};
  const reader = new Reader();
  reader.reset(bytes, 0, bytes.length);
  return readPropertyList(reader, PacketType.PUBLISH);
}

/**
 * Encodes properties to the bytes that `forwarded` holds.
 *
 * @throws UsageError for a Response Topic that is empty or has wildcards, and for what cannot be encoded.
 */
export function writeForwardedProperties(properties: ForwardedProperties): Uint8Array {
  const { responseTopic } = properties;
  if (responseTopic !== undefined && (responseTopic === "" || /[+#]/.test(responseTopic))) {
    throw new UsageError("a response topic has at least one character and no wildcards");
  }
  const writer = new Writer();
  writePropertyList(writer, properties, PacketType.PUBLISH);
  return writer.take();
}

/** What PUBLISH and Will have in common. */
export interface MessageProperties {
  /** Seconds; -1 when there is none. */
  messageExpiryInterval: number;
  forwarded: Uint8Array;
}

/**
 * Reads Property Length and properties of a PUBLISH or a Will into `target`. Those that are neither forwarded nor the
 * Message Expiry Interval go to `readOwn`. No string is made.
 *
 * @returns where the forwarded properties begin, when they end where the reader then stands; -1 when they do not, or there
 * are none: only then they are in `target.forwarded`.
 */
export function readMessageProperties<Target extends MessageProperties>(
  reader: Reader,
  place: typeof PacketType.PUBLISH | typeof WILL_PLACE,
  target: Target,
  readOwn: (reader: Reader, definition: PropertyDefinition, target: Target) => void,
): number {
  // Most have none.
  if (reader.position < reader.end && reader.bytes[reader.position] === 0) {
    reader.position++;
    return -1;
  }
  const packetEnd = enterProperties(reader);
  let seen = 0;
  let pairs = 0;
  let first = 0;
  let last = 0;
  let length = 0;
  while (reader.position < reader.end) {
    const start = reader.position;
    const definition = definitionOf(reader.u8("property"), place);
    // User Property and, in a PUBLISH of a server, Subscription Identifier may be repeated.
    if (definition.type !== "pairs" && definition.type !== "varint") seen = noteOnce(definition, seen);
    if (definition.type === "pairs") checkUserProperties(reader, ++pairs);
    if (isForwarded(definition)) {
      skipForwarded(reader, definition);
      if (length === 0) first = start;
      last = reader.position;
      length += last - start;
    } else if (definition.name === "messageExpiryInterval") {
      target.messageExpiryInterval = readNumber(reader, definition);
    } else {
      readOwn(reader, definition, target);
    }
  }
  reader.end = packetEnd;
  if (length === 0) return -1;
  const isOneRange = length === last - first;
  if (isOneRange && last === reader.position) return first;
  target.forwarded = isOneRange
    ? viewOf(reader.bytes, first, last)
    : gather(reader.bytes, first, last, place);
  return -1;
}

function isForwarded(definition: PropertyDefinition): boolean {
  return (definition.bit & FORWARDED_BITS) !== 0;
}

function skipForwarded(reader: Reader, definition: PropertyDefinition): void {
  switch (definition.type) {
    case "pairs":
      reader.skipString("user property");
      reader.skipString("user property");
      return;
    case "string": {
      const start = reader.skipString(definition.name);
      if (definition.name === "responseTopic") checkResponseTopic(reader.bytes, start, reader.position);
      return;
    }
    case "binary":
      reader.skipBinary(definition.name);
      return;
    default:
      readNumber(reader, definition);
  }
}

// 5.0 [MQTT-3.3.2-14], and [MQTT-4.7.3-1]: a topic has at least one character.
function checkResponseTopic(bytes: Uint8Array, start: number, end: number): void {
  if (start === end) throw new ProtocolError("the response topic is empty");
  for (let index = start; index < end; index++) {
    const byte = bytes[index];
    if (byte === PLUS || byte === HASH) throw new ProtocolError("the response topic has wildcards");
  }
}

// Copies the forwarded properties of a checked list together.
function gather(bytes: Uint8Array, start: number, end: number, place: PropertyPlace): Uint8Array {
  const reader = new Reader();
  const writer = new Writer();
  reader.reset(bytes, start, end);
  while (reader.position < end) {
    const propertyStart = reader.position;
    const definition = definitionOf(reader.u8("property"), place);
    if (isForwarded(definition)) {
      skipForwarded(reader, definition);
      writer.append(bytes, propertyStart, reader.position);
    } else {
      readNumber(reader, definition);
    }
  }
  return writer.take();
}
