// Remembers what was found for a Topic Name, within fixed bounds. Two generations: what is new or asked for goes to
// the young one; when that is full, the old one is dropped as a whole and the young one takes its place. So eviction
// costs nothing per entry, and a topic that is asked for now and then survives a flood of topics that are not.

/** Bounds of a {@link MatchCache}. Each of the two generations has half of them. */
export interface MatchCacheOptions<R> {
  /** Topic Names to remember, 2 or more. Default 100,000. */
  readonly maxEntries?: number;
  /** Bytes of Topic Names (two per UTF-16 unit, the most that they can need) and of results. Default 16 MiB. */
  readonly maxBytes?: number;
  /** Bytes that a result needs, the same at each call. Default 0: results are small or stored elsewhere anyway. */
  readonly resultBytes?: (result: R) => number;
}

/** A cache from Topic Names to what matching them gave. Clear it when the answers change. */
export class MatchCache<R extends NonNullable<unknown>> {
  readonly #generationEntries: number;
  readonly #generationBytes: number;
  readonly #resultBytes: ((result: R) => number) | undefined;
  #young = new Map<string, R>();
  #old = new Map<string, R>();
  #youngBytes = 0;
  #hits = 0;
  #misses = 0;
  #evictions = 0;

  constructor(options: MatchCacheOptions<R> = {}) {
    this.#generationEntries = Math.floor((options.maxEntries ?? 100_000) / 2);
    this.#generationBytes = Math.floor((options.maxBytes ?? 16 * 1024 * 1024) / 2);
    this.#resultBytes = options.resultBytes;
  }

  /** Number of Topic Names remembered. */
  get size(): number {
    return this.#young.size + this.#old.size;
  }

  /** Calls of `get` that found a result. */
  get hits(): number {
    return this.#hits;
  }

  /** Calls of `get` that found none. */
  get misses(): number {
    return this.#misses;
  }

  /** Results dropped to stay within the bounds; cleared ones do not count. */
  get evictions(): number {
    return this.#evictions;
  }

  get(topicName: string): R | undefined {
    let result = this.#young.get(topicName);
    if (result === undefined) {
      result = this.#old.get(topicName);
      if (result === undefined) {
        this.#misses++;
        return undefined;
      }
      this.#old.delete(topicName);
      this.#add(topicName, result);
    }
    this.#hits++;
    return result;
  }

  /** Forgets the result of one Topic Name. */
  delete(topicName: string): void {
    const young = this.#young.get(topicName);
    if (young === undefined) {
      this.#old.delete(topicName);
    } else {
      this.#young.delete(topicName);
      this.#youngBytes -= this.#bytesOf(topicName, young);
    }
  }

  /** Remembers a result, unless it alone would fill a generation. */
  set(topicName: string, result: R): void {
    this.delete(topicName);
    this.#add(topicName, result);
  }

  /** Forgets all results, and keeps counting. */
  clear(): void {
    if (this.#young.size > 0) this.#young = new Map();
    if (this.#old.size > 0) this.#old = new Map();
    this.#youngBytes = 0;
  }

  /** Adds what neither generation has. */
  #add(topicName: string, result: R): void {
    const bytes = this.#bytesOf(topicName, result);
    if (bytes > this.#generationBytes) return;
    if (this.#young.size >= this.#generationEntries || this.#youngBytes + bytes > this.#generationBytes) {
      this.#evictions += this.#old.size;
      this.#old = this.#young;
      this.#young = new Map();
      this.#youngBytes = 0;
    }
    this.#young.set(topicName, result);
    this.#youngBytes += bytes;
  }

  #bytesOf(topicName: string, result: R): number {
    return topicName.length * 2 + (this.#resultBytes?.(result) ?? 0);
  }
}
