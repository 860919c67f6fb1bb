// Makes an input smaller as long as it keeps what makes it interesting.

/** Removes parts of `input`, large ones first, while `keeps` says yes. Leaves the first `fixed` bytes in place. */
export async function shrink(
  input: Uint8Array,
  fixed: number,
  keeps: (candidate: Uint8Array) => Promise<boolean> | boolean,
): Promise<Uint8Array> {
  let best = input;
  for (let size = (best.length - fixed) >> 1; size >= 1; size >>= 1) {
    for (let start = fixed; start + size <= best.length;) {
      const candidate = without(best, start, size);
      if (await keeps(candidate)) best = candidate;
      else start += size;
    }
  }
  return best;
}

function without(bytes: Uint8Array, start: number, count: number): Uint8Array {
  const rest = new Uint8Array(bytes.length - count);
  rest.set(bytes.subarray(0, start));
  rest.set(bytes.subarray(start + count), start);
  return rest;
}

/** The same for a list: leaves out what is not needed. */
export async function shrinkList<T>(
  items: readonly T[],
  keeps: (candidate: readonly T[]) => Promise<boolean>,
): Promise<readonly T[]> {
  let best = items;
  for (let size = best.length >> 1; size >= 1; size >>= 1) {
    for (let start = 0; start + size <= best.length;) {
      const candidate = [...best.slice(0, start), ...best.slice(start + size)];
      if (await keeps(candidate)) best = candidate;
      else start += size;
    }
  }
  return best;
}
