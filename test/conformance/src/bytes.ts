// Bytes for tests: a writer and a reader of the few data types of MQTT. Written apart from the broker's codec on
// purpose, so that one mistake cannot hide in both. MQTT 5.0 section 1.5.

/** Text of a packet; bytes are put in as they are, also when they are not UTF-8. */
export type Text = string | Uint8Array;

/** A number is one byte. */
export type Part = Uint8Array | number;

export function join(...parts: readonly Part[]): Uint8Array {
  return Buffer.concat(parts.map((part) => (typeof part === "number" ? Uint8Array.of(part) : part)));
}

/** Bytes from hexadecimal digits; blanks are for the reader. */
export function hex(digits: string): Uint8Array {
  return Buffer.from(digits.replaceAll(/\s/g, ""), "hex");
}

export function toHex(bytes: Uint8Array): string {
  const shown = Buffer.from(bytes.subarray(0, 64))
    .toString("hex")
    .replaceAll(/(..)(?=.)/g, "$1 ");
  return bytes.length > 64 ? `${shown} ... (${bytes.length} bytes)` : shown;
}

export function u16(value: number): Uint8Array {
  return Uint8Array.of(value >> 8, value & 0xff);
}

export function u32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff);
}

/** A Variable Byte Integer in its shortest form. 5.0 section 1.5.5. */
export function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  do {
    const digit = rest % 128;
    rest = Math.floor(rest / 128);
    bytes.push(rest > 0 ? digit | 0x80 : digit);
  } while (rest > 0);
  return Uint8Array.from(bytes);
}

export function utf8(text: Text): Uint8Array {
  return typeof text === "string" ? Buffer.from(text, "utf8") : text;
}

/** A string or binary data with its two-byte length. */
export function prefixed(text: Text): Uint8Array {
  const bytes = utf8(text);
  return join(u16(bytes.length), bytes);
}

// ignoreBOM keeps U+FEFF, fatal refuses what is not UTF-8.
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Reads one packet's bytes; throws an Error that says what is wrong when they do not hold what is asked for. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  #position = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#position;
  }

  u8(): number {
    return this.bytes(1)[0] ?? 0;
  }

  u16(): number {
    return this.u8() * 256 + this.u8();
  }

  u32(): number {
    return this.u16() * 65536 + this.u16();
  }

  varint(): number {
    let value = 0;
    let factor = 1;
    for (let count = 1; count <= 4; count += 1) {
      const byte = this.u8();
      value += (byte & 0x7f) * factor;
      factor *= 128;
      if (byte < 0x80) {
        if (byte === 0 && count > 1) throw new Error("a Variable Byte Integer is longer than it has to be");
        return value;
      }
    }
    throw new Error("a Variable Byte Integer has more than four bytes");
  }

  text(): string {
    const text = decoder.decode(this.bytes(this.u16()));
    if (text.includes("\0")) throw new Error("a string contains U+0000");
    return text;
  }

  binary(): Uint8Array {
    return this.bytes(this.u16());
  }

  bytes(count: number): Uint8Array {
    if (count > this.left) throw new Error(`the packet ends early: ${count} bytes wanted, ${this.left} left`);
    this.#position += count;
    return this.#bytes.subarray(this.#position - count, this.#position);
  }

  rest(): Uint8Array {
    return this.bytes(this.left);
  }
}
