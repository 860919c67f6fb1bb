// Views and copies of byte ranges that stay plain Uint8Arrays, also when the source is a Buffer of Node
// (whose own `slice` is a view and whose `subarray` is a Buffer).

/** The shared empty array: "none". */
export const EMPTY: Uint8Array = new Uint8Array(0);

/** A view of `bytes[start, end)`. */
export function viewOf(bytes: Uint8Array, start: number, end: number): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start);
}

/** A copy of `bytes[start, end)`, which keeps nothing else alive. */
export function copyOf(bytes: Uint8Array, start: number, end: number): Uint8Array {
  if (start === end) return EMPTY;
  const copy = new Uint8Array(end - start);
  copy.set(viewOf(bytes, start, end));
  return copy;
}
