// A cursor over the body of one packet. Every read is checked against the packet's end; strings are checked as UTF-8.
// Knows no packet; MQTT 5.0 section 1.5.
import { copyOf, EMPTY } from "./bytes.ts";
import { MalformedPacketError } from "./errors.ts";
import type { LastProperties } from "./last-properties.ts";
import type { ProtocolVersion } from "./protocol.ts";
import { decodeAscii, decodeUtf8 } from "./text.ts";
import { scanUtf8 } from "./utf8.ts";

/** Reads `bytes[position, end)`. Each method takes the field's name for its error and throws MalformedPacketError. */
export class Reader {
  bytes: Uint8Array = EMPTY;
  position = 0;
  /** Where the packet ends, or, while properties are read, where these end. */
  end = 0;
  /** Where the packet's fixed header begins in `bytes`; -1 when its length is not in the shortest form. */
  frameStart = 0;
  /** The properties of the last PUBLISH: publishers repeat themselves. */
  lastProperties: LastProperties | undefined;
  /** The version that the CONNECT at hand names, as soon as that is read. */
  connectVersion: ProtocolVersion | undefined;
  /** User Properties that one list may have. */
  maximumUserProperties: number = Infinity;
  // The last ASCII topic: publishers repeat themselves.
  #lastTopic = "";

  reset(bytes: Uint8Array, start: number, end: number): void {
    this.bytes = bytes;
    this.position = start;
    this.end = end;
  }

  u8(field: string): number {
    if (this.position >= this.end) throw truncated(field);
    return this.bytes[this.position++]!;
  }

  u16(field: string): number {
    const { bytes, position } = this;
    if (position + 2 > this.end) throw truncated(field);
    this.position = position + 2;
    return (bytes[position]! << 8) | bytes[position + 1]!;
  }

  u32(field: string): number {
    // Not by shifts alone: these give signed numbers.
    return this.u16(field) * 0x10000 + this.u16(field);
  }

  /** A Variable Byte Integer in its shortest form, as 5.0 [MQTT-1.5.5-1] demands. */
  varint(field: string): number {
    let value = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.u8(field);
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        if (byte === 0 && shift > 0) throw new MalformedPacketError(`${field} is not in its shortest form`);
        return value;
      }
    }
    throw new MalformedPacketError(`${field} has more than four bytes`);
  }

  /** A Packet Identifier, which is never 0 - 5.0 [MQTT-2.2.1-3], 3.1.1 [MQTT-2.3.1-1]. */
  packetId(): number {
    const packetId = this.u16("packet identifier");
    if (packetId === 0) throw new MalformedPacketError("packet identifier is 0; 1 to 65535 expected");
    return packetId;
  }

  /** Binary Data, copied out of the packet. */
  binary(field: string): Uint8Array {
    const start = this.skipBinary(field);
    return copyOf(this.bytes, start, this.position);
  }

  /** A UTF-8 Encoded String. */
  string(field: string): string {
    const start = this.skipBinary(field);
    return this.#decode(start, field);
  }

  /** As `string`, but the topic of the packet before is recognised by its bytes and neither checked nor decoded again. */
  topicName(): string {
    const start = this.skipBinary("topic name");
    if (this.#isLastTopic(start)) return this.#lastTopic;
    const topicName = this.#decode(start, "topic name");
    // As many units as bytes: ASCII. Only then units and bytes can be compared one by one.
    if (topicName.length === this.position - start) this.#lastTopic = topicName;
    return topicName;
  }

  /** Passes over Binary Data. @returns where its bytes start; they end at `position`. */
  skipBinary(field: string): number {
    const start = this.position + 2;
    const end = start + this.u16(field);
    if (end > this.end) throw truncated(field);
    this.position = end;
    return start;
  }

  /** Passes over a UTF-8 Encoded String and checks it, without making a string. @returns where its bytes start. */
  skipString(field: string): number {
    const start = this.skipBinary(field);
    if (scanUtf8(this.bytes, start, this.position) < 0) throw illFormed(field);
    return start;
  }

  #isLastTopic(start: number): boolean {
    const last = this.#lastTopic;
    const length = this.position - start;
    if (last.length !== length) return false;
    const bytes = this.bytes;
    for (let index = 0; index < length; index++) {
      if (last.charCodeAt(index) !== bytes[start + index]!) return false;
    }
    return true;
  }

  #decode(start: number, field: string): string {
    const { bytes, position: end } = this;
    if (start === end) return "";
    const units = scanUtf8(bytes, start, end);
    if (units < 0) throw illFormed(field);
    return units === end - start ? decodeAscii(bytes, start, end) : decodeUtf8(bytes, start, end);
  }
}

function truncated(field: string): MalformedPacketError {
  return new MalformedPacketError(`the packet ends inside ${field}`);
}

function illFormed(field: string): MalformedPacketError {
  return new MalformedPacketError(`${field} is not well-formed UTF-8`);
}
