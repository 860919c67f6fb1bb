// Rebuilds a database that LevelDB cannot open or read through any more: a copy is put aside first, then LevelDB reads what can be
// read and writes a new list of its files. What it gets back is checked at the next start like everything else.

import { cp, mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { StoreError } from "@heirloom/core";
import type { Damage } from "@heirloom/core";
import { ClassicLevel } from "classic-level";
import { DamageList } from "./damage-list.ts";
import { DataDirectory } from "./data-directory.ts";
import { isOutOfSpace, toStoreError } from "./errors.ts";
import type { Database } from "./level-reader.ts";
import { openDatabase } from "./open-database.ts";
import { walk } from "./walk.ts";

/** What a repair did. */
export interface Repair {
  /** `"intact"`: the database can be read, nothing was done; `"rebuilt"`: what could be read is in a new list of files. */
  readonly outcome: "intact" | "rebuilt";
  /** Where the copy of the database as it was stands. */
  readonly setAside?: string;
  /** What LevelDB dropped when it opened; the next start does not find it any more. */
  readonly damage: readonly Damage[];
}

/**
 * Repairs the database of a data directory if it does not open, or a part of it cannot be read. No broker may run on it. The journal stays as it is: the next start
 * applies it.
 *
 * @throws StoreError `STORE_LOCKED` when one does, `STORE_FORMAT` when it is no data directory, `STORE_FULL` without space
 * for the copy, `STORE_FAILED` when nothing can be rebuilt.
 */
export async function repairStore(path: string): Promise<Repair> {
  const directory = new DataDirectory(path);
  const damage = new DamageList(directory.damaged);
  try {
    if (!(await directory.prepare()))
      throw new StoreError("STORE_FORMAT", `${path} is no data directory of heirloom`);
    if (await isReadable(directory, damage)) return { outcome: "intact", damage: damage.found };
    const setAside = join(directory.damaged, `leveldb-before-repair-${Date.now()}`);
    await mkdir(directory.damaged, { recursive: true, mode: 0o700 });
    await cp(directory.database, setAside, { recursive: true, errorOnExist: true, force: false });
    await ClassicLevel.repair(directory.database);
    // LevelDB's own place for the files that it replaced: they stand in the copy.
    await rm(join(directory.database, "lost"), { recursive: true, force: true });
    if (!(await isReadable(directory, damage, rewriteWhole)))
      throw new StoreError("STORE_FAILED", `${path} cannot be read after the repair either`);
    return { outcome: "rebuilt", setAside, damage: damage.found };
  } catch (error) {
    throw toStoreError(`repairing ${path}`, error);
  }
}

/** LevelDB drops what it cannot recover whenever it opens: it is noted as at a start, because the next one will not find it any more. */
async function isReadable(
  directory: DataDirectory,
  damage: DamageList,
  then: (database: Database) => Promise<void> = () => Promise.resolve(),
): Promise<boolean> {
  let database: Database | undefined;
  try {
    database = await openDatabase(directory, damage);
    await walk(database);
    await then(database);
    return true;
  } catch (error) {
    if (error instanceof StoreError || isOutOfSpace(error)) throw error;
    return false;
  } finally {
    await database?.close();
  }
}

/** After a repair all files lie side by side, and of two values of one key LevelDB may give the older one until they are merged. */
async function rewriteWhole(database: Database): Promise<void> {
  await database.compactRange(Buffer.of(0), Buffer.of(0xff));
}
