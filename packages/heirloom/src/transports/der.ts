// Reads DER, as far as certificates need it: elements with a tag, and what is in them. ITU-T X.690 section 8, 10.

/** One element. Its contents are a view of the bytes it was read from. */
export interface DerElement {
  readonly tag: number;
  readonly contents: Uint8Array;
}

/** Bytes that are not DER. */
export class DerError extends Error {
  override get name(): string {
    return "DerError";
  }
}

/** The elements that follow each other in `bytes`. @throws DerError */
export function readElements(bytes: Uint8Array): DerElement[] {
  const elements: DerElement[] = [];
  let position = 0;
  while (position < bytes.length) {
    const tag = bytes[position] ?? 0;
    // Tags of more than one byte do not occur in certificates.
    if ((tag & 0x1f) === 0x1f) throw new DerError("a tag of several bytes");
    const { length, start } = readLength(bytes, position + 1);
    if (start + length > bytes.length) throw new DerError("an element that is longer than what is there");
    elements.push({ tag, contents: bytes.subarray(start, start + length) });
    position = start + length;
  }
  return elements;
}

function readLength(bytes: Uint8Array, position: number): { length: number; start: number } {
  const first = bytes[position];
  if (first === undefined) throw new DerError("an element without length");
  if (first < 0x80) return { length: first, start: position + 1 };
  const count = first & 0x7f;
  if (count === 0 || count > 4) throw new DerError(`a length of ${count} bytes`);
  let length = 0;
  for (let index = 1; index <= count; index++) length = length * 256 + (bytes[position + index] ?? NaN);
  if (Number.isNaN(length)) throw new DerError("a length that is cut off");
  return { length, start: position + 1 + count };
}

/** X.680 table 8. */
const TextTag = { UTF8: 12, PRINTABLE: 19, IA5: 22, BMP: 30 } as const;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const utf16 = new TextDecoder("utf-16be", { fatal: true, ignoreBOM: true });

/** Text with its tag. @throws DerError for what is no text, or says two things at once: NUL and other control characters. */
export function readText({ tag, contents }: DerElement): string {
  const text = decode(tag, contents);
  // eslint-disable-next-line no-control-regex -- they are what is looked for
  if (/[\u0000-\u001f\u007f-\u009f]/.test(text)) throw new DerError("a name with control characters");
  return text;
}

function decode(tag: number, contents: Uint8Array): string {
  try {
    switch (tag) {
      case TextTag.UTF8:
        return utf8.decode(contents);
      case TextTag.BMP:
        return utf16.decode(contents);
      case TextTag.PRINTABLE:
      case TextTag.IA5:
        return readAscii(contents);
      default:
        throw new DerError(`text of the unknown kind ${tag}`);
    }
  } catch (error) {
    if (error instanceof DerError) throw error;
    throw new DerError("a name that is no valid text");
  }
}

/** @throws DerError for bytes beyond ASCII. */
export function readAscii(contents: Uint8Array): string {
  if (contents.some((byte) => byte > 0x7f)) throw new DerError("a name that is not ASCII");
  return utf8.decode(contents);
}
