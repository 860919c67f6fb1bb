// Finds out what LevelDB dropped while it recovered: it goes on over records whose checksum fails and only tells its own
// information file `LOG`. So that nothing is gone for good, its log files are linked before it opens and deletes them.

import { copyFile, link, mkdir, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";

import type { DamageList } from "./damage-list.ts";
import type { DataDirectory } from "./data-directory.ts";

const PENDING = "pending-";

/** A log file of LevelDB and its second name. */
export interface KeptLog {
  readonly name: string;
  readonly file: string;
}

/**
 * Keeps a second name for each log file that LevelDB is going to recover from. The lock is not taken yet, so the
 * names are this process's own.
 */
export async function keepWriteAheadLogs(directory: DataDirectory): Promise<readonly KeptLog[]> {
  const kept: KeptLog[] = [];
  for (const name of await directory.writeAheadLogs()) {
    await mkdir(directory.damaged, { recursive: true, mode: 0o700 });
    const file = join(directory.damaged, `${PENDING}${process.pid}-${name}`);
    await linkOrCopy(join(directory.database, name), file);
    kept.push({ name, file });
  }
  return kept;
}

/** After the database was opened: notes what was dropped, keeps the files that it was dropped from, forgets the others. */
export async function checkWriteAheadLogs(
  directory: DataDirectory,
  kept: readonly KeptLog[],
  damage: DamageList,
): Promise<void> {
  const dropped = kept.length === 0 ? new Map<string, string>() : await readDropped(directory);
  for (const { name, file } of kept) {
    const reason = dropped.get(name);
    if (reason === undefined) continue;
    const setAside = join(directory.damaged, `write-ahead-${name}`);
    await rename(file, setAside);
    damage.noteFile(`write-ahead log ${name}`, reason, setAside);
  }
  await forgetWriteAheadLogs(kept);
  await forgetBrokenStarts(directory);
}

/** Gives up the second names. */
export async function forgetWriteAheadLogs(kept: readonly KeptLog[]): Promise<void> {
  for (const { file } of kept) await rm(file, { force: true });
}

/** Removes second names that a start left which was killed: they would keep the space of deleted files. */
async function forgetBrokenStarts(directory: DataDirectory): Promise<void> {
  const names = await readdir(directory.damaged).catch(() => []);
  for (const name of names) {
    if (name.startsWith(PENDING)) await rm(join(directory.damaged, name), { force: true });
  }
}

/** What LevelDB says it dropped since it was opened, by the name of the log file. */
async function readDropped(directory: DataDirectory): Promise<Map<string, string>> {
  const dropped = new Map<string, string>();
  const text = await readFile(join(directory.database, "LOG"), "utf8");
  for (const match of text.matchAll(/([^/\\\s]+\.log): dropping (\d+) bytes; (.*)/g)) {
    const name = match[1] ?? "";
    const reason = `LevelDB dropped ${match[2]} bytes: ${match[3]}`;
    const before = dropped.get(name);
    dropped.set(name, before === undefined ? reason : `${before}; ${reason}`);
  }
  return dropped;
}

async function linkOrCopy(from: string, to: string): Promise<void> {
  await rm(to, { force: true });
  try {
    await link(from, to);
  } catch {
    await copyFile(from, to); // a file system without hard links
  }
}
