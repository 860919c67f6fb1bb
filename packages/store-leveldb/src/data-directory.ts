// The data directory: which files are in it, and the `format` file that says which version of the store wrote them.

import { mkdir, open, readdir, readFile, rename, stat, statfs, utimes } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";

import { StoreError } from "@heirloom/core";

import { codeOf } from "./errors.ts";

/** The version of keys and values that this code reads and writes. */
export const FORMAT_VERSION = 2;

/** The version before: the same without a journal. It becomes this one when it is opened. */
const FORMER_VERSION = 1;

const FORMAT_NAME = "heirloom-store-leveldb";

/** What may stand in a directory that is going to be a data directory: a new file system's own, and a broken start. */
const HARMLESS = new Set(["lost+found", "leveldb", "journal", "damaged", "format.new"]);

export class DataDirectory {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  get database(): string {
    return join(this.path, "leveldb");
  }

  get journal(): string {
    return join(this.path, "journal");
  }

  get damaged(): string {
    return join(this.path, "damaged");
  }

  get #formatFile(): string {
    return join(this.path, "format");
  }

  /**
   * Creates the directory, for its owner only, when there is none, and reads the format file.
   *
   * @returns the version in the format file, with which there has to be a database; 0 without a format file
   * @throws StoreError `STORE_FORMAT` when the version is another one, or when the directory holds something else
   */
  async prepare(): Promise<number> {
    try {
      await this.#create();
      const text = await readFile(this.#formatFile, "latin1");
      const version = this.#versionOf(text);
      await this.#findDatabase();
      return version;
    } catch (error) {
      const code = codeOf(error);
      if (code === "EEXIST" || code === "ENOTDIR") throw this.#formatError("is a file, expected a directory");
      if (code !== "ENOENT") throw error;
    }
    const foreign = (await readdir(this.path)).find((name) => !HARMLESS.has(name));
    if (foreign !== undefined) throw this.#formatError(`has no format file but holds "${foreign}"`);
    return 0;
  }

  /** Writes the format file. The database has to be there already, because the file promises it. */
  async writeFormat(): Promise<void> {
    const temporary = join(this.path, "format.new");
    const file = await open(temporary, "w", 0o600);
    try {
      await file.writeFile(`${FORMAT_NAME} ${FORMAT_VERSION}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, this.#formatFile);
    await syncDirectory(this.path);
  }

  /** When everything that was deleted was last taken out of the files, or the directory was made. Milliseconds since 1970. */
  async purgedAtMs(): Promise<number> {
    return (await stat(this.#formatFile)).mtimeMs;
  }

  /** Notes that it was done now: the time of the format file says so. */
  async notePurge(): Promise<void> {
    const now = new Date();
    await utimes(this.#formatFile, now, now);
  }

  /** Creates the directory of the journal, durably: the process before may have been killed when it had created it. */
  async makeJournal(): Promise<void> {
    await mkdir(this.journal, { recursive: true, mode: 0o700 });
    await syncDirectory(this.path);
  }

  /** Bytes that an ordinary user may still write to the file system of the directory. */
  async freeBytes(): Promise<number> {
    const { bavail, bsize } = await statfs(this.path);
    return bavail * bsize;
  }

  /** Bytes of LevelDB's own log files: as much as it has to write again when it opens. */
  async writeAheadBytes(): Promise<number> {
    let bytes = 0;
    for (const name of await this.writeAheadLogs()) {
      // LevelDB may have been done with it meanwhile.
      bytes += await stat(join(this.database, name)).then(({ size }) => size, isGone);
    }
    return bytes;
  }

  /** The names of LevelDB's log files. Before `open` they hold the commits that it is going to recover. */
  async writeAheadLogs(): Promise<string[]> {
    try {
      return (await readdir(this.database)).filter((name) => name.endsWith(".log"));
    } catch (error) {
      if (codeOf(error) === "ENOENT") return [];
      throw error;
    }
  }

  /** Creates the directory and those above it that are missing, and makes their names durable. */
  async #create(): Promise<void> {
    const first = await mkdir(this.path, { recursive: true, mode: 0o700 });
    if (first === undefined) return;
    const top = dirname(resolve(first));
    let above = dirname(resolve(this.path));
    for (; above.length > top.length; above = dirname(above)) await syncDirectory(above);
    await syncDirectory(above);
  }

  async #findDatabase(): Promise<void> {
    try {
      await stat(join(this.database, "CURRENT"));
    } catch (error) {
      if (codeOf(error) === "ENOENT") throw this.#formatError("has a format file but no database");
      throw error;
    }
  }

  #versionOf(text: string): number {
    const match = /^(\S+) (\d+)\n$/.exec(text);
    if (match === null || match[1] !== FORMAT_NAME) {
      throw this.#formatError(`has a format file that starts with ${JSON.stringify(text.slice(0, 40))}`);
    }
    const version = Number(match[2]);
    if (version === FORMAT_VERSION || version === FORMER_VERSION) return version;
    throw this.#formatError(`has format version ${match[2]}`);
  }

  #formatError(seen: string): StoreError {
    const expected = `expected a data directory of ${FORMAT_NAME} version ${FORMAT_VERSION}`;
    return new StoreError("STORE_FORMAT", `${this.path} ${seen}, ${expected}`);
  }
}

/** No bytes, for a file that is gone. */
function isGone(error: unknown): number {
  if (codeOf(error) === "ENOENT") return 0;
  throw error;
}

/** Makes names in a directory durable. Windows has no such call and needs none. */
export async function syncDirectory(path: string): Promise<void> {
  if (process.platform === "win32") return;
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
