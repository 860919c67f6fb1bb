// One entry of a log, as bytes: a message with its sequence number.
//
//   u32 length of what follows | u8 flags | u48 sequence number | text topic name
//   [u48 expires at] [binary forwarded properties] [text publisher's ClientId] [u8 count, varint identifiers] | payload
//
// The same bytes stand in memory and on disk, so that reading back is one code path.

import type { QoS, Writer } from "@heirloom/codec";
import { ByteReader } from "../byte-reader.ts";
import { patchU32, timeOf, writeBinary, writeTime, writeU48, writeVarint } from "../byte-writer.ts";
import { Message, NO_BYTES } from "../message.ts";

const RETAIN = 0x04;
const EXPIRES = 0x08;
const FORWARDED = 0x10;
const PUBLISHER = 0x20;
const IDENTIFIERS = 0x40;

export interface Entry {
  readonly message: Message;
  /** The message's place in the order of all messages of this broker. Equal in two logs = the same message. */
  readonly sequence: number;
  /** Subscription identifiers that were fixed when it was appended; only retained messages have them. */
  readonly identifiers: readonly number[];
  /** Bytes that it takes in the log. */
  readonly bytes: number;
}

export const NO_IDENTIFIERS: readonly number[] = [];

/** Appends an entry and returns how many bytes it took. */
export function writeEntry(
  writer: Writer,
  message: Message,
  sequence: number,
  identifiers: readonly number[],
  withPublisher: boolean,
): number {
  const publisherId = withPublisher ? message.publisherId : "";
  const start = writer.length;
  writer.u32(0);
  writer.u8(
    message.qos |
      (message.retain ? RETAIN : 0) |
      (message.expiresAtMs === Infinity ? 0 : EXPIRES) |
      (message.forwardedLength === 0 ? 0 : FORWARDED) |
      (publisherId === "" ? 0 : PUBLISHER) |
      (identifiers.length === 0 ? 0 : IDENTIFIERS),
  );
  writeU48(writer, sequence);
  writer.string(message.topicName);
  // Never rounded up: what is left would be a second more than the publisher said, 5.0 [MQTT-3.3.2-6].
  if (message.expiresAtMs !== Infinity) writeTime(writer, Math.floor(message.expiresAtMs));
  if (message.forwardedLength > 0) writeBinary(writer, message.forwarded);
  if (publisherId !== "") writer.string(publisherId);
  if (identifiers.length > 0) {
    writeVarint(writer, identifiers.length);
    for (const identifier of identifiers) writeVarint(writer, identifier);
  }
  writer.append(message.source, message.payloadStart, message.payloadEnd);
  patchU32(writer, start, writer.length - start - 4);
  return writer.length - start;
}

/** Reads the entry that begins at `offset`. The message's payload and properties are views of `bytes`. */
export function readEntry(bytes: Uint8Array, offset: number): Entry {
  const reader = new ByteReader(bytes, offset);
  const length = reader.u32();
  const end = reader.offset + length;
  const flags = reader.u8();
  const sequence = reader.u48();
  const topicName = reader.text();
  const expiresAtMs = flags & EXPIRES ? timeOf(reader.u48()) : Infinity;
  const forwarded = flags & FORWARDED ? reader.binary() : NO_BYTES;
  const publisherId = flags & PUBLISHER ? reader.text() : "";
  let identifiers = NO_IDENTIFIERS;
  if (flags & IDENTIFIERS) identifiers = Array.from({ length: reader.varint() }, () => reader.varint());
  const message = new Message(
    topicName,
    (flags & 0x03) as QoS,
    (flags & RETAIN) !== 0,
    bytes,
    reader.offset,
    end,
    forwarded,
    expiresAtMs,
    publisherId,
  );
  return { message, sequence, identifiers, bytes: length + 4 };
}

/** Where the entry after the one at `offset` begins. */
export function skipEntry(bytes: Uint8Array, offset: number): number {
  return offset + 4 + new ByteReader(bytes, offset).u32();
}
