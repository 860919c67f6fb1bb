// UTF-8 as MQTT restricts it: well-formed, no surrogates, no U+0000.
// MQTT 5.0 section 1.5.4, 3.1.1 section 1.5.3.
import { UsageError } from "./errors.ts";

/**
 * Checks `bytes[start, end)` against 5.0 [MQTT-1.5.4-1] and [MQTT-1.5.4-2].
 *
 * @returns the number of UTF-16 units that the text has, or -1 when it is ill-formed. It equals the number of bytes
 * exactly when the text is ASCII.
 */
export function scanUtf8(bytes: Uint8Array, start: number, end: number): number {
  for (let index = start; index < end; index++) {
    const byte = bytes[index]!;
    if (byte === 0) return -1;
    if (byte > 0x7f) return scanMultibyte(bytes, start, index, end);
  }
  return end - start;
}

// Goes on at the first byte above 0x7F. A lead byte fixes the range of the second byte: that excludes overlong forms
// (C0, C1, E0 80, F0 80), surrogates (ED A0) and what lies above U+10FFFF (F4 90, F5).
function scanMultibyte(bytes: Uint8Array, start: number, first: number, end: number): number {
  let units = first - start;
  let index = first;
  while (index < end) {
    const byte = bytes[index++]!;
    if (byte === 0) return -1;
    units++;
    if (byte < 0x80) continue;
    if (byte < 0xc2 || byte > 0xf4) return -1;
    const more = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
    if (index + more > end) return -1;
    const second = bytes[index]!;
    const low = byte === 0xe0 ? 0xa0 : byte === 0xf0 ? 0x90 : 0x80;
    const high = byte === 0xed ? 0x9f : byte === 0xf4 ? 0x8f : 0xbf;
    if (second < low || second > high) return -1;
    for (let next = 1; next < more; next++) if ((bytes[index + next]! & 0xc0) !== 0x80) return -1;
    index += more;
    if (more === 3) units++;
  }
  return units;
}

/** Bytes that `text` needs in UTF-8. Text that `encodeUtf8` refuses has no meaningful length. */
export function utf8Length(text: string): number {
  let length = text.length;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    // Each half of a surrogate pair counts for two of its four bytes.
    if (unit > 0x7f) length += unit < 0x800 || (unit & 0xf800) === 0xd800 ? 1 : 2;
  }
  return length;
}

/**
 * Writes `text` from its unit `from` on as UTF-8 to `target[position...]`, which must have room.
 *
 * @returns the position behind the last byte.
 * @throws UsageError for U+0000 and lone surrogates: MQTT cannot carry them.
 */
export function encodeUtf8(text: string, from: number, target: Uint8Array, position: number): number {
  for (let index = from; index < text.length; index++) {
    const point = text.codePointAt(index)!;
    if (point === 0 || (point >= 0xd800 && point <= 0xdfff)) {
      throw new UsageError(`a string with ${point === 0 ? "U+0000" : "a lone surrogate"} cannot be encoded`);
    }
    if (point < 0x80) {
      target[position++] = point;
    } else if (point < 0x800) {
      target[position++] = 0xc0 | (point >> 6);
      target[position++] = 0x80 | (point & 0x3f);
    } else if (point < 0x10000) {
      target[position++] = 0xe0 | (point >> 12);
      target[position++] = 0x80 | ((point >> 6) & 0x3f);
      target[position++] = 0x80 | (point & 0x3f);
    } else {
      index++;
      target[position++] = 0xf0 | (point >> 18);
      target[position++] = 0x80 | ((point >> 12) & 0x3f);
      target[position++] = 0x80 | ((point >> 6) & 0x3f);
      target[position++] = 0x80 | (point & 0x3f);
    }
  }
  return position;
}
