// Where the packets of an input lie, and their parts, as far as that can be told of bytes that may be wrong.
// Knows nothing of the codec: it would only find what the codec finds.

/** A packet: `bytes[start, end)`, its body from `body`. */
export interface Frame {
  readonly start: number;
  readonly body: number;
  readonly end: number;
}

const MAX_FRAMES = 64;

/** The packets of `bytes[start, end)`; what does not end in time is cut. */
export function framesOf(bytes: Uint8Array, start: number, end: number): Frame[] {
  const frames: Frame[] = [];
  let position = start;
  while (position < end && frames.length < MAX_FRAMES) {
    const { value, size } = varintAt(bytes, position + 1, end);
    const body = Math.min(end, position + 1 + size);
    const next = Math.min(end, body + value);
    frames.push({ start: position, body, end: next });
    position = next;
  }
  return frames;
}

/** A Variable Byte Integer of at most four bytes; one that is cut counts as it stands. */
export function varintAt(bytes: Uint8Array, position: number, end: number): { value: number; size: number } {
  let value = 0;
  let size = 0;
  while (position + size < end && size < 4) {
    const byte = bytes[position + size] ?? 0;
    value |= (byte & 0x7f) << (7 * size);
    size++;
    if (byte < 0x80) break;
  }
  return { value, size };
}

/** The shortest form of `value`. */
export function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  do {
    bytes.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
    rest >>>= 7;
  } while (rest > 0);
  return Uint8Array.from(bytes);
}

/** Where the Property Length of a 5.0 packet stands, or -1 when it has none. */
export function propertiesAt(bytes: Uint8Array, { start, body, end }: Frame): number {
  const position = body + bytesBeforeProperties(bytes, start, body);
  return position < end ? position : -1;
}

/** Bytes of the variable header in front of the properties, 5.0 sections 3.1.2 to 3.15.2. */
function bytesBeforeProperties(bytes: Uint8Array, start: number, body: number): number {
  const firstByte = bytes[start] ?? 0;
  switch (firstByte >> 4) {
    case 1:
      return 2 + u16(bytes, body) + 4;
    case 3:
      return 2 + u16(bytes, body) + ((firstByte & 6) === 0 ? 0 : 2);
    case 4:
    case 5:
    case 6:
    case 7:
      return 3;
    case 14:
    case 15:
      return 1;
    default:
      return 2;
  }
}

/** Where the Packet Identifier stands, or -1. */
export function packetIdAt(bytes: Uint8Array, { start, body }: Frame): number {
  const firstByte = bytes[start] ?? 0;
  const type = firstByte >> 4;
  if (type === 3) return (firstByte & 6) === 0 ? -1 : body + 2 + u16(bytes, body);
  return type >= 4 && type <= 11 ? body : -1;
}

function u16(bytes: Uint8Array, position: number): number {
  return ((bytes[position] ?? 0) << 8) | (bytes[position + 1] ?? 0);
}
