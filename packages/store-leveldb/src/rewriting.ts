// Rewrites the whole database, a few megabytes at a time, so that nothing of what was deleted or replaced is left in its files.
// LevelDB rewrites a file only when something newer lies above it, so a deletion of a key that nobody has is put there first.

import { setTimeout } from "node:timers/promises";

import { JOURNAL_TAG } from "./keys.ts";
import type { Database } from "./level-reader.ts";

/** Bytes that are rewritten in one go. With more, LevelDB would split what it puts above them, and leave files between. */
export const SLICE_BYTES: number = 8 * 1024 * 1024;

/** Keys are told apart by so many bytes when they are divided into slices. */
const PREFIX_BYTES = 32;

/** With more files in its first level, LevelDB holds up writes: its thread is needed there. */
const MOST_NEW_FILES = 6;
const BUSY_MS = 100;

/** What others write meanwhile can keep LevelDB from rewriting all of a slice. Then it is done again. */
const MOST_ROUNDS = 4;

/** Files below this level come out of a rewriting, in which what was replaced falls away. Those above may be as they were first written. */
const LAST_LEVEL_AS_WRITTEN = 2;

interface Slice {
  readonly from: bigint;
  readonly to: bigint;
}

/**
 * Rewrites one slice in each step.
 *
 * @param rewrite deletes these two keys, which nobody has, and compacts what lies between them
 * @returns whether every file that was there is gone, or will be when nobody reads it any more.
 */
export async function* rewriteAll(
  database: Database,
  rewrite: (from: Buffer, to: Buffer) => Promise<void>,
): AsyncGenerator<void, boolean> {
  const former = filesAsWritten(database);
  for (let round = 0; round < MOST_ROUNDS; round++) {
    for (const { from, to } of await slicesOf(database)) {
      while (Number(database.getProperty("leveldb.num-files-at-level0")) > MOST_NEW_FILES) {
        await setTimeout(BUSY_MS);
        yield;
      }
      await rewrite(keyOfNothing(from), keyOfNothing(to));
      yield;
    }
    const present = filesAsWritten(database);
    if (![...former].some((file) => present.has(file))) return true;
  }
  return false;
}

/** The numbers of the files that may hold what was replaced. LevelDB's list has a line for each: " 17:2140558['a' @ 12 : 1 .. 'b' @ 9 : 1]". */
function filesAsWritten(database: Database): Set<number> {
  const files = new Set<number>();
  let level = 0;
  for (const line of database.getProperty("leveldb.sstables").split("\n")) {
    const heading = /^--- level (\d+) ---$/.exec(line)?.[1];
    const file = /^ (\d+):\d+\[/.exec(line)?.[1];
    if (heading !== undefined) level = Number(heading);
    if (file !== undefined && level <= LAST_LEVEL_AS_WRITTEN) files.add(Number(file));
  }
  return files;
}

async function slicesOf(database: Database): Promise<Slice[]> {
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

/** Halves a range of keys until each part is small enough, or is one prefix. */
async function* partsOf(
  database: Database,
  from: bigint,
  to: bigint,
): AsyncGenerator<Slice & { readonly bytes: number }> {
  const bytes = await database.approximateSize(keyOfNothing(from), keyOfNothing(to));
  if (bytes <= SLICE_BYTES || to - from === 1n) {
    yield { from, to, bytes };
    return;
  }
  const middle = (from + to) / 2n;
  yield* partsOf(database, from, middle);
  yield* partsOf(database, middle, to);
}

/** A key with that prefix that no record and no block has: it ends with a byte that is no UTF-8, and is too long for a block. */
function keyOfNothing(prefix: bigint): Buffer {
  return Buffer.from(`${prefix.toString(16).padStart(2 * PREFIX_BYTES, "0")}ff`, "hex");
}
