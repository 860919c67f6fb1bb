// Bytes as text in files: hex digits; spaces are for the reader, and `"text"` stands for its characters.

/** @throws RangeError for anything else. */
export function bytesOf(text: string): Uint8Array {
  const digits = text
    .replace(/"([^"]*)"/g, (_, characters: string) => Buffer.from(characters).toString("hex"))
    .replace(/\s+/g, "");
  if (!/^([0-9a-f]{2})*$/i.test(digits)) throw new RangeError(`no bytes in hex: ${text.slice(0, 40)}`);
  return new Uint8Array(Buffer.from(digits, "hex"));
}

export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
