// Variable Byte Integers: seven bits a byte, lowest first, at most four bytes.
// MQTT 5.0 section 1.5.5, 3.1.1 section 2.2.3.

/** The largest value of a Variable Byte Integer, and so of Remaining Length. */
export const MAX_VARINT: number = 268_435_455;

/** Bytes that `value` takes, 1 to 4. `value` must lie in 0..268,435,455. */
export function varintSize(value: number): number {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x200000 ? 3 : 4;
}
