// Reads the database from its beginning to its end, which finds what LevelDB cannot read before it is told to rewrite it: a file
// that fails while LevelDB rewrites it ends all writing for good.

import { codeOf } from "./errors.ts";
import type { Database } from "./level-reader.ts";
import { slicesOf } from "./slices.ts";

/** Keys that are read together. */
const GROUP_KEYS = 1000;

/** @throws what LevelDB says of files that it cannot read, see {@link isUnreadable}. */
export async function walk(database: Database, isGivenUp: () => boolean = () => false): Promise<void> {
  for (const { from, to } of await slicesOf(database)) {
    if (isGivenUp()) return;
    // Only at its end does LevelDB tell what it skipped. And a longer one could bring back what is deleted meanwhile: where LevelDB keeps
    // a deleted value for a reader, it may put it into one file and its deletion into another, and forget the deletion first.
    const iterator = database.keys({ gte: from, lt: to });
    try {
      while (!isGivenUp() && (await iterator.nextv(GROUP_KEYS)).length > 0);
    } finally {
      await iterator.close();
    }
  }
}

/** Whether an error says that the files are broken, and not that the database was closed. */
export function isUnreadable(error: unknown): boolean {
  const code = codeOf(error);
  return code === "LEVEL_CORRUPTION" || code === "LEVEL_IO_ERROR";
}
