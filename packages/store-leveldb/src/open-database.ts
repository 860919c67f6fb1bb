// Opens the database of a data directory: format, lock, recovery, and what recovery had to leave out.

import { StoreError } from "@heirloom/core";
import { ClassicLevel } from "classic-level";

import type { DamageList } from "./damage-list.ts";
import { FORMAT_VERSION } from "./data-directory.ts";
import type { DataDirectory } from "./data-directory.ts";
import { codeOf } from "./errors.ts";
import type { Database } from "./level-reader.ts";
import { checkWriteAheadLogs, forgetWriteAheadLogs, keepWriteAheadLogs } from "./write-ahead-check.ts";

// Values are not compressed: a flipped bit then damages one value, and not all that were packed together with it.
const DATABASE_OPTIONS = {
  keyEncoding: "buffer",
  valueEncoding: "buffer",
  compression: false,
  writeBufferSize: 8 * 1024 * 1024,
} as const;

/**
 * Opens the database, and creates it when the directory holds nothing yet.
 *
 * The format file is written last: where it stands there has to be a database, and a start that finds none says so
 * instead of beginning with an empty one.
 */
export async function openDatabase(directory: DataDirectory, damage: DamageList): Promise<Database> {
  const version = await directory.prepare();
  const kept = await keepWriteAheadLogs(directory);
  const options = { ...DATABASE_OPTIONS, createIfMissing: version === 0 };
  const database = new ClassicLevel<Buffer, Buffer>(directory.database, options);
  try {
    await database.open();
    if (version === 0) await expectEmpty(database, directory);
    if (version !== FORMAT_VERSION) await directory.writeFormat();
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

async function expectEmpty(database: Database, directory: DataDirectory): Promise<void> {
  const [key] = await database.keys({ limit: 1 }).all();
  if (key !== undefined) {
    throw new StoreError(
      "STORE_FORMAT",
      `${directory.path} holds a database, expected a format file beside it`,
    );
  }
}
