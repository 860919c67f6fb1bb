// Bytes that are known to be well-formed to strings. The only file that looks for Node's Buffer: it decodes a topic in
// half the time of TextDecoder. Elsewhere (browsers) TextDecoder does the work.

// The native decoders of Buffer.prototype take any Uint8Array as `this`.
type NativeSlice = (this: Uint8Array, start: number, end: number) => string;
interface NativeText {
  readonly latin1Slice: NativeSlice;
  readonly utf8Slice: NativeSlice;
  readonly latin1Write: (this: Uint8Array, text: string, offset: number, length: number) => number;
}

// ignoreBOM: U+FEFF is a character like any other - 5.0 [MQTT-1.5.4-3].
const decoder: Decoder = new (decoderClass())("utf-8", { ignoreBOM: true });
const native: NativeText | undefined = nativeText();

/** Decodes ASCII bytes. */
export function decodeAscii(bytes: Uint8Array, start: number, end: number): string {
  if (native !== undefined) return native.latin1Slice.call(bytes, start, end);
  return decoder.decode(bytes.subarray(start, end));
}

/** Decodes well-formed UTF-8; `scanUtf8` has to have passed it. */
export function decodeUtf8(bytes: Uint8Array, start: number, end: number): string {
  if (native !== undefined) return native.utf8Slice.call(bytes, start, end);
  return decoder.decode(bytes.subarray(start, end));
}

/**
 * Any bytes as a string of as many units, each 0 to 255. For bytes that are kept for long in great number: such a
 * string takes 16 bytes beside them, an array of its own several hundred.
 */
export function packBytes(bytes: Uint8Array): string {
  if (native !== undefined) return native.latin1Slice.call(bytes, 0, bytes.length);
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

/** The bytes that {@link packBytes} was given, at the start of `bytes`, which has room for them. */
export function unpackBytes(text: string, bytes: Uint8Array = new Uint8Array(text.length)): Uint8Array {
  if (native !== undefined) native.latin1Write.call(bytes, text, 0, text.length);
  else for (let index = 0; index < text.length; index++) bytes[index] = text.charCodeAt(index);
  return bytes;
}

interface Decoder {
  decode(bytes: Uint8Array): string;
}
type DecoderClass = new (label: string, options: { ignoreBOM: boolean }) => Decoder;

// Neither Node's nor the browser's types are loaded here, so both globals are described by what is used of them.
function decoderClass(): DecoderClass {
  return (globalThis as unknown as { TextDecoder: DecoderClass }).TextDecoder;
}

function nativeText(): NativeText | undefined {
  const prototype = (globalThis as { Buffer?: { prototype?: Partial<NativeText> } }).Buffer?.prototype;
  const latin1Slice = prototype?.latin1Slice;
  const utf8Slice = prototype?.utf8Slice;
  const latin1Write = prototype?.latin1Write;
  if (latin1Slice === undefined || utf8Slice === undefined || latin1Write === undefined) return undefined;
  return { latin1Slice, utf8Slice, latin1Write };
}
