// Rebuilds a database that LevelDB cannot open any more: a copy is put aside first, then LevelDB reads what can be read and
// writes a new list of its files. What it gets back is checked at the next start like everything else.

import { cp, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { StoreError } from "@heirloom/core";
import type { Damage } from "@heirloom/core";
import { ClassicLevel } from "classic-level";
import { DamageList } from "./damage-list.ts";
import { DataDirectory } from "./data-directory.ts";
import { toStoreError } from "./errors.ts";
import { openDatabase } from "./open-database.ts";

/** What a repair did. */
export interface Repair {
  /** `"intact"`: the database opens, nothing was done; `"rebuilt"`: what could be read is in a new list of files. */
  readonly outcome: "intact" | "rebuilt";
  /** Where the copy of the database as it was stands. */
  readonly setAside?: string;
  /** What LevelDB dropped when it opened; the next start does not find it any more. */
  readonly damage: readonly Damage[];
}

/**
 * Repairs the database of a data directory if it does not open. No broker may run on it. The journal stays as it is: the next start
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
    if (await opens(directory, damage)) return { outcome: "intact", damage: damage.found };
    const setAside = join(directory.damaged, `leveldb-before-repair-${Date.now()}`);
    await mkdir(directory.damaged, { recursive: true, mode: 0o700 });
    await cp(directory.database, setAside, { recursive: true, errorOnExist: true, force: false });
    await ClassicLevel.repair(directory.database);
    if (!(await opens(directory, damage)))
      throw new StoreError("STORE_FAILED", `${path} does not open after the repair either`);
    return { outcome: "rebuilt", setAside, damage: damage.found };
  } catch (error) {
    throw toStoreError(`repairing ${path}`, error);
  }
}

/** LevelDB drops what it cannot recover whenever it opens: it is noted as at a start, because the next one will not find it any more. */
async function opens(directory: DataDirectory, damage: DamageList): Promise<boolean> {
  try {
    const database = await openDatabase(directory, damage);
    await database.close();
    return true;
  } catch (error) {
    if (error instanceof StoreError) throw error;
    return false;
  }
}
