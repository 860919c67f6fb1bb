// What was found broken since the store was opened, each place once, and the copies of the broken bytes.

import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { crc32 } from "node:zlib";

import type { Damage } from "@heirloom/core";

import { messageOf } from "./errors.ts";

export class DamageList {
  readonly #directory: string;
  readonly #found: Damage[] = [];
  readonly #places = new Set<string>();

  /** @param directory where broken bytes are put aside; created when it is needed */
  constructor(directory: string) {
    this.#directory = directory;
  }

  get found(): readonly Damage[] {
    return this.#found;
  }

  /** Notes damage of which no bytes can be shown. */
  note(place: string, reason: string): void {
    if (this.#isNew(place)) this.#found.push({ place, reason });
  }

  /** Notes damage whose bytes were put aside by someone else. */
  noteFile(place: string, reason: string, setAside: string): void {
    if (this.#isNew(place)) this.#found.push({ place, reason, setAside });
  }

  /**
   * Notes a broken value and copies it, with its key, to a file of its own. The same bytes have the same file name,
   * so a value that is found at every start is not copied again and again.
   *
   * @returns false when there is no copy, so that what was found is the only one
   */
  async setAside(place: string, reason: string, kind: string, key: Buffer, value: Buffer): Promise<boolean> {
    if (!this.#isNew(place)) return true;
    const name = `${kind}-${crc32(value, crc32(key)).toString(16).padStart(8, "0")}`;
    const file = join(this.#directory, name);
    const keyLength = Buffer.alloc(4);
    keyLength.writeUInt32BE(key.length);
    try {
      await mkdir(this.#directory, { recursive: true, mode: 0o700 });
      await writeFile(file, Buffer.concat([keyLength, key, value]), { mode: 0o600 });
      this.#found.push({ place, reason, setAside: file });
      return true;
    } catch (error) {
      // The copy is a help for whoever repairs. Without it (no space, no right) the damage still has to be told.
      this.#found.push({ place, reason: `${reason}; it could not be copied: ${messageOf(error)}` });
      return false;
    }
  }

  /** Moves a file with broken bytes that could not be copied, which takes no space. Where that fails too, it stays where it is. */
  async moveAside(path: string, name: string): Promise<void> {
    try {
      await mkdir(this.#directory, { recursive: true, mode: 0o700 });
      await rename(path, join(this.#directory, name));
    } catch {
      // It was told that there is no copy.
    }
  }

  #isNew(place: string): boolean {
    if (this.#places.has(place)) return false;
    this.#places.add(place);
    return true;
  }
}
