// Opens the database of a data directory: format, lock, recovery, and what recovery had to leave out.

import { StoreError } from "@heirloom/core";
import { ClassicLevel } from "classic-level";

import type { DamageList } from "./damage-list.ts";
import type { DataDirectory } from "./data-directory.ts";
import { codeOf } from "./errors.ts";
import type { Database } from "./level-reader.ts";
import { checkWriteAheadLogs, forgetWriteAheadLogs, keepWriteAheadLogs } from "./write-ahead-check.ts";

// Values are not compressed: a flipped bit then damages one value, and not all that were packed together with it.
// The write buffer is larger than LevelDB's 4 MiB so that what is soon deleted again is seldom written to a table.
const DATABASE_OPTIONS = {
  keyEncoding: "buffer",
  valueEncoding: "buffer",
  compression: false,
  writeBufferSize: 16 * 1024 * 1024,
} as const;

/**
 * Opens the database, and creates it when the directory holds nothing yet.
 *
 * The format file is written last: where it stands there has to be a database, and a start that finds none says so
 * instead of beginning with an empty one.
 */
export async function openDatabase(directory: DataDirectory, damage: DamageList): Promise<Database> {
  const hasFormat = await directory.prepare();
  const kept = await keepWriteAheadLogs(directory);
  const options = { ...DATABASE_OPTIONS, createIfMissing: !hasFormat };
  const database = new ClassicLevel<Buffer, Buffer>(directory.database, options);
  try {
    await database.open();
    if (!hasFormat) await beginFormat(database, directory);
    await checkWriteAheadLogs(directory, kept, damage);
    return database;
  } catch (error) {
    await database.close();
    await forgetWriteAheadLogs(kept);
    if (codeOf(error) !== "LEVEL_LOCKED") throw error;
    const message = `${directory.path} is open in another process, expected to be the only one`;
    throw new StoreError("STORE_LOCKED", message, { cause: error });
  }
}

async function beginFormat(database: Database, directory: DataDirectory): Promise<void> {
  const [key] = await database.keys({ limit: 1 }).all();
  if (key !== undefined) {
    throw new StoreError(
      "STORE_FORMAT",
      `${directory.path} holds a database, expected a format file beside it`,
    );
  }
  await directory.writeFormat();
}
