// A cache whose keys are secrets: it holds keyed hashes of them only, with a key that this process made at its start.
// Bounded: the entry that was not used for the longest time goes first.

import { createHmac, randomBytes } from "node:crypto";

interface Entry<Value> {
  readonly value: Value;
  readonly endsAtMs: number;
}

/** Values by lists of texts and bytes that nobody can read back. */
export class KeyedCache<Value> {
  readonly #key: Buffer = randomBytes(32);
  readonly #entries = new Map<string, Entry<Value>>();
  readonly #maximumEntries: number;
  readonly #now: () => number;

  /** @param maximumEntries 0 = nothing is kept. */
  constructor(maximumEntries: number, now: () => number) {
    this.#maximumEntries = maximumEntries;
    this.#now = now;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Joins parts to one key. Each part has its length before it, so that no two lists give the same. */
  keyOf(parts: readonly (string | Uint8Array | undefined)[]): string {
    const hmac = createHmac("sha256", this.#key);
    const length = Buffer.alloc(4);
    for (const part of parts) {
      // No part is that long: an absent one is not the same as an empty one.
      length.writeUInt32BE(part === undefined ? 0xffff_ffff : Buffer.byteLength(part));
      hmac.update(length);
      if (part !== undefined) hmac.update(part);
    }
    return hmac.digest("base64");
  }

  get(key: string): Value | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    if (entry.endsAtMs <= this.#now()) return undefined;
    this.#entries.set(key, entry);
    return entry.value;
  }

  /** Keeps a value for so many milliseconds. */
  set(key: string, value: Value, forMs: number): void {
    if (this.#maximumEntries === 0 || forMs <= 0) return;
    this.#entries.delete(key);
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size < this.#maximumEntries) break;
      this.#entries.delete(oldest);
    }
    this.#entries.set(key, { value, endsAtMs: this.#now() + forMs });
  }

  clear(): void {
    this.#entries.clear();
  }
}
