// What Topic Names and Topic Filters have in common as texts: the characters with a meaning, and the length
// on the wire. MQTT 5.0 and 3.1.1 section 4.7.

export const HASH = 0x23;
export const DOLLAR = 0x24;
export const PLUS = 0x2b;
export const SLASH = 0x2f;

/** Bytes in UTF-8 that a Topic Name or Topic Filter may have, 5.0 [MQTT-4.7.3-3]. */
const MAX_BYTES = 65_535;

/** Levels of the longest text: nothing but separators. */
export const MAX_LEVELS = 65_536;

/** Of a UTF-16 unit come at most three bytes of UTF-8, so that shorter texts need no counting. */
const SURELY_FITS = MAX_BYTES / 3;

export function isSurrogate(code: number): boolean {
  return code >= 0xd800 && code <= 0xdfff;
}

/**
 * Looks for what UTF-8 cannot carry.
 *
 * @param hasSurrogates - whether the caller has seen one; texts without are judged by their length alone.
 * @returns the rest of a sentence that begins with the name of the text, or `undefined` when all is well.
 */
export function encodingFault(text: string, hasSurrogates: boolean): string | undefined {
  if (!hasSurrogates && text.length <= SURELY_FITS) return undefined;
  const bytes = utf8Bytes(text);
  if (bytes < 0) return "has a surrogate without its partner";
  return bytes > MAX_BYTES ? "is longer than 65,535 bytes" : undefined;
}

/** Bytes of `text` in UTF-8, or -1 when a surrogate stands without its partner, 5.0 [MQTT-1.5.4-1]. */
function utf8Bytes(text: string): number {
  let bytes = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x80) bytes += 1;
    else if (code < 0x800) bytes += 2;
    else if (!isSurrogate(code)) bytes += 3;
    else {
      i++;
      if (code > 0xdbff || i === text.length) return -1;
      const partner = text.charCodeAt(i);
      if (partner < 0xdc00 || partner > 0xdfff) return -1;
      bytes += 4;
    }
  }
  return bytes;
}
