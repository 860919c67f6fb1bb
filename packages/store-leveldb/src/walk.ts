// Reads the database from its beginning to its end, which finds what LevelDB cannot read before it is told to rewrite it: a file
// that fails while LevelDB rewrites it ends all writing for good.

import { codeOf } from "./errors.ts";
import type { Database } from "./level-reader.ts";

/** Keys that are read together. */
const GROUP_KEYS = 1000;

/** @throws what LevelDB says of files that it cannot read, see {@link isUnreadable}. */
export async function walk(database: Database, isGivenUp: () => boolean = () => false): Promise<void> {
  const iterator = database.keys();
  try {
    while (!isGivenUp() && (await iterator.nextv(GROUP_KEYS)).length > 0);
  } finally {
    await iterator.close();
  }
}

/** Whether an error says that the files are broken, and not that the database was closed. */
export function isUnreadable(error: unknown): boolean {
  const code = codeOf(error);
  return code === "LEVEL_CORRUPTION" || code === "LEVEL_IO_ERROR";
}
