// Base64 as credentials are written with it: strict, so that one credential has one text.

/** Reads base64 with or without padding. `undefined` when it is anything else, or empty. */
export function readBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, "base64");
  const isStrict = text === bytes.toString("base64") || text === unpaddedBase64(bytes);
  return bytes.length === 0 || !isStrict ? undefined : bytes;
}

/** Base64 without padding, as in the PHC string format. */
export function unpaddedBase64(bytes: Buffer): string {
  return bytes.toString("base64").replace(/=+$/, "");
}
