// Cuts the power while a store writes: each write to a file of the journal is seen before it happens, and a data directory can be
// made as a cut would leave it there. Of the write that is under way any of its sectors may be on disk; of what LevelDB appended to
// its log file behind the last sync, any part from its start.

import {
  copyFileSync,
  cpSync,
  existsSync,
  fstatSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
} from "node:fs";
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";

import { ClassicLevel } from "classic-level";

const SECTOR_BYTES = 512;

/** One write to a file of the journal, seen before it happens. */
export interface SeenWrite {
  /** Name of the file. */
  readonly name: string;
  readonly bytes: Buffer;
  readonly at: number;
}

type Write = (
  file: number,
  bytes: Buffer,
  start: number,
  length: number,
  at: number,
  done: (error: NodeJS.ErrnoException | null, written: number) => void,
) => void;

/** Watches one data directory until {@link stop}. */
export class PowerCut {
  readonly #directory: string;
  readonly #stop: () => void;
  /** Bytes of LevelDB's log files that were synced, by name. */
  readonly #synced = new Map<string, number>();

  /** @param seen is called before each write to the journal, and may call {@link cut} */
  constructor(directory: string, seen: (write: SeenWrite) => void) {
    this.#directory = directory;
    const { write } = fs;
    const watched: Write = (file, bytes, start, length, at, done) => {
      const name = this.#nameOf(file);
      if (name !== undefined) seen({ name, bytes: bytes.subarray(start, start + length), at });
      write(file, bytes, start, length, at, done);
    };
    Object.assign(fs, { write: watched });
    syncBuiltinESMExports();
    const restoreDatabase = watchSyncs(() => this.#noteSynced());
    this.#stop = () => {
      Object.assign(fs, { write });
      syncBuiltinESMExports();
      restoreDatabase();
    };
  }

  stop(): void {
    this.#stop();
  }

  /**
   * Makes a data directory as a power cut during `write` leaves it.
   *
   * @param keeps whether a sector of the write is on disk, by its number in the write
   * @param part how much of what LevelDB did not sync is there, 0 to 1
   */
  cut(target: string, write: SeenWrite, keeps: (sector: number) => boolean, part: number): void {
    const source = this.#directory;
    mkdirSync(target);
    copyDatabase(join(source, "leveldb"), join(target, "leveldb"));
    cpSync(join(source, "journal"), join(target, "journal"), { recursive: true });
    copyFileSync(join(source, "format"), join(target, "format"));
    for (const name of readdirSync(join(target, "leveldb"))) {
      if (!name.endsWith(".log")) continue;
      const copy = join(target, "leveldb", name);
      const { size } = statSync(copy);
      const synced = Math.min(size, this.#synced.get(name) ?? 0);
      truncateSync(copy, synced + Math.floor((size - synced) * part));
    }
    writeSectors(join(target, "journal", write.name), write, keeps);
  }

  #noteSynced(): void {
    for (const name of readdirSync(join(this.#directory, "leveldb")))
      if (name.endsWith(".log"))
        this.#synced.set(name, statSync(join(this.#directory, "leveldb", name)).size);
  }

  #nameOf(file: number): string | undefined {
    const journal = join(this.#directory, "journal");
    if (!existsSync(journal)) return undefined;
    const { ino } = fstatSync(file);
    return readdirSync(journal).find((name) => statSync(join(journal, name)).ino === ino);
  }
}

/** How many sectors a write touches. */
export function sectorsOf({ at, bytes }: SeenWrite): number {
  return Math.ceil((at + bytes.length) / SECTOR_BYTES) - Math.floor(at / SECTOR_BYTES);
}

/** Copies a database whose threads go on, as it stood at one moment: again, when its files were others afterwards. */
function copyDatabase(source: string, target: string): void {
  for (;;) {
    const before = tablesOf(source);
    mkdirSync(target);
    try {
      for (const name of readdirSync(source)) copyFileSync(join(source, name), join(target, name));
      if (tablesOf(source) === before) return;
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
    }
    rmSync(target, { recursive: true });
  }
}

/** Names and sizes of the files of a database, but for those that only ever grow without the others. */
function tablesOf(directory: string): string {
  const names = readdirSync(directory).filter((name) => !/log$/i.test(name));
  return names.map((name) => `${name} ${sizeOf(join(directory, name))}`).join("\n");
}

/** Bytes of a file; -1 when it was removed meanwhile. */
function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? -1;
}

function writeSectors(path: string, { at, bytes }: SeenWrite, keeps: (sector: number) => boolean): void {
  const file = fs.openSync(path, "r+");
  const first = Math.floor(at / SECTOR_BYTES);
  for (let sector = first; sector * SECTOR_BYTES < at + bytes.length; sector++) {
    const from = Math.max(at, sector * SECTOR_BYTES);
    const to = Math.min(at + bytes.length, (sector + 1) * SECTOR_BYTES);
    if (keeps(sector - first)) fs.writeSync(file, bytes, from - at, to - from, from);
  }
  fs.closeSync(file);
}

function isSynced(options: unknown): boolean {
  return typeof options === "object" && options !== null && "sync" in options && options.sync === true;
}

/** Calls back when a database has synced something, before the store hears of it. */
function watchSyncs(synced: () => void): () => void {
  const { prototype } = ClassicLevel;
  const { put, batch } = prototype;
  Object.assign(prototype, {
    async put(...parts: unknown[]) {
      await Reflect.apply(put, this, parts);
      if (isSynced(parts[2])) synced();
    },
    batch(...parts: unknown[]) {
      const made: object = Reflect.apply(batch, this, parts);
      const write: unknown = Reflect.get(made, "write");
      if (typeof write !== "function") throw new Error("no batch seen, expected one that is written at once");
      const watched = async (options: unknown) => {
        await Reflect.apply(write, made, [options]);
        if (isSynced(options)) synced();
      };
      return Object.assign(made, { write: watched });
    },
  });
  return () => {
    Reflect.deleteProperty(prototype, "put");
    Reflect.deleteProperty(prototype, "batch");
  };
}
