// Divides the database into slices of a few megabytes, at keys that nobody has. What is to be done with the whole database is done slice by
// slice, so that nobody waits for long, and LevelDB keeps nothing for a reader of yesterday.

import { JOURNAL_TAG } from "./keys.ts";
import type { Database } from "./level-reader.ts";

/** Bytes of a slice; a single value may have more. Between two ends that lie farther apart LevelDB would leave files as they are. */
export const SLICE_BYTES: number = 8 * 1024 * 1024;

/** Keys are told apart by so many bytes at first. */
const PREFIX_BYTES = 32;

/** Where that is not enough, so many keys are taken together. */
const GROUP_KEYS = 64;

/** No record and no block has one of the two keys. What the broker stores lies in [`from`, `to`) of one slice. */
export interface Slice {
  readonly from: Buffer;
  readonly to: Buffer;
}

type Part = Slice & { readonly bytes: number };

export async function slicesOf(database: Database): Promise<Slice[]> {
  const slices: Slice[] = [];
  let bytes = 0;
  for await (const part of partsOf(database, 0n, BigInt(JOURNAL_TAG + 1) << BigInt(8 * (PREFIX_BYTES - 1)))) {
    const last = slices.at(-1);
    bytes += part.bytes;
    if (last !== undefined && bytes <= SLICE_BYTES)
      slices[slices.length - 1] = { from: last.from, to: part.to };
    else {
      slices.push({ from: part.from, to: part.to });
      bytes = part.bytes;
    }
  }
  return slices;
}

/** Halves a range of prefixes until each part is small enough, or is one prefix. */
async function* partsOf(database: Database, first: bigint, end: bigint): AsyncGenerator<Part> {
  const [from, to] = [keyOfNothing(first), keyOfNothing(end)];
  const bytes = await database.approximateSize(from, to);
  if (bytes <= SLICE_BYTES) yield { from, to, bytes };
  else if (end - first === 1n) yield* groupsOf(database, from, to);
  else {
    const middle = (first + end) / 2n;
    yield* partsOf(database, first, middle);
    yield* partsOf(database, middle, end);
  }
}

/** Cuts a range behind every few of its keys. */
async function* groupsOf(database: Database, from: Buffer, to: Buffer): AsyncGenerator<Part> {
  for (let start = from; ;) {
    const keys = await database.keys({ gte: start, lt: to, limit: GROUP_KEYS }).all();
    const last = keys.length < GROUP_KEYS ? undefined : keys.at(-1);
    const end = last === undefined ? to : Buffer.concat([last, BEHIND]);
    yield { from: start, to: end, bytes: await database.approximateSize(start, end) };
    if (last === undefined) return;
    start = end;
  }
}

/** Makes a key that lies right behind another: no text has 0xff in it, and no text of MQTT a zero. */
const BEHIND = Buffer.of(0, 0xff);

/** A key with that prefix that no record and no block has: it ends with a byte that is no UTF-8, and is too long for a block. */
function keyOfNothing(prefix: bigint): Buffer {
  return Buffer.from(`${prefix.toString(16).padStart(2 * PREFIX_BYTES, "0")}ff`, "hex");
}
