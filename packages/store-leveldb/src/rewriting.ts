// Rewrites the whole database, a few megabytes at a time, so that nothing of what was deleted or replaced is left in its files.
// LevelDB rewrites a file only when something newer lies above it, so a deletion of a key that nobody has is put there first.

import { setTimeout } from "node:timers/promises";

import type { Database } from "./level-reader.ts";
import { slicesOf } from "./slices.ts";

/** With more files in its first level, LevelDB holds up writes: its thread is needed there. */
const MOST_NEW_FILES = 6;
const BUSY_MS = 100;

/** What others write meanwhile can keep LevelDB from rewriting all of a slice. Then it is done again. */
const MOST_ROUNDS = 4;

/** Files below this level come out of a rewriting, in which what was replaced falls away. Those above may be as they were first written. */
const LAST_LEVEL_AS_WRITTEN = 2;

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
      await rewrite(from, to);
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
