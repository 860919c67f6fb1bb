// Bytes that are known to be well-formed to strings. The only file that looks for Node's Buffer: it decodes a topic in
// half the time of TextDecoder. Elsewhere (browsers) TextDecoder does the work.

// The native decoders of Buffer.prototype take any Uint8Array as `this`.
type NativeSlice = (this: Uint8Array, start: number, end: number) => string;
interface NativeText {
  readonly latin1Slice: NativeSlice;
  readonly utf8Slice: NativeSlice;
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
  if (latin1Slice === undefined || utf8Slice === undefined) return undefined;
  return { latin1Slice, utf8Slice };
}
