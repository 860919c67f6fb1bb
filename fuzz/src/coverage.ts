// Which blocks an execution ran, and how often in powers of two. The counters are those that
// `instrument.ts` writes into the modules.

import { register } from "node:module";
import type { HooksData } from "./hooks.ts";

const MAX_COUNTERS = 32_768;

/** What instrumented modules find on `globalThis`. */
interface Probe {
  readonly hits: Uint16Array;
  readonly allocating: (size: unknown) => unknown;
}

declare global {
  var fuzzProbe: Probe | undefined;
}

/** 1, 2, 3, 4 to 7, 8 to 15, 16 to 31, and more times. */
const CLASSES = 8;
const MANY = 32;
const CLASS_OF: Uint8Array = Uint8Array.from({ length: MANY + 1 }, (_, count) => {
  if (count <= 3) return Math.max(0, count - 1);
  if (count <= 7) return 3;
  if (count <= 15) return 4;
  return count < MANY ? 5 : 6;
});

/** Features are numbered below this. One is: a block ran so many times. */
export const MAX_FEATURES: number = MAX_COUNTERS * CLASSES;

export class Coverage {
  readonly #hits: Uint16Array = new Uint16Array(MAX_COUNTERS);
  readonly #words: Uint32Array = new Uint32Array(this.#hits.buffer);
  readonly #seen: Uint8Array = new Uint8Array(MAX_COUNTERS);
  readonly #counterCount: Int32Array = new Int32Array(new SharedArrayBuffer(4));
  /** Of the execution at hand. */
  readonly #features: Uint32Array = new Uint32Array(MAX_COUNTERS);
  /** Bytes that instrumented modules asked for since the last `clear`. */
  allocatedBytes = 0;
  /** Blocks that the last execution ran, each as often as it did: its cost, as good as time and the same in each run. */
  cost = 0;
  /** Blocks seen, each as often as it has classes of counts. */
  featureCount = 0;

  /** Installs the hooks. Whatever is loaded after it is counted; there is one of it in a process. */
  constructor() {
    globalThis.fuzzProbe = {
      hits: this.#hits,
      allocating: (size) => {
        if (typeof size === "number") this.allocatedBytes += size;
        return size;
      },
    };
    const data: HooksData = { counterCount: this.#counterCount };
    register("./hooks.js", import.meta.url, { data });
  }

  /** Counters of the modules that were loaded. */
  get counterCount(): number {
    return Atomics.load(this.#counterCount, 0);
  }

  /** Blocks that ran at least once. */
  get blockCount(): number {
    return this.#seen.reduce((count, bits) => (bits === 0 ? count : count + 1), 0);
  }

  /** Forgets the execution at hand. */
  clear(): void {
    this.#hits.fill(0, 0, this.counterCount);
    this.allocatedBytes = 0;
  }

  /** What the execution at hand did: which block how often. Valid until the next call. Clears. */
  takeFeatures(): Uint32Array {
    const words = this.#words;
    const wordCount = (this.counterCount + 1) >> 1;
    let count = 0;
    this.cost = 0;
    for (let index = 0; index < wordCount; index++) {
      if (words[index] !== 0) count = this.#take(index, count);
    }
    this.allocatedBytes = 0;
    return this.#features.subarray(0, count);
  }

  /** The blocks that the execution at hand ran. Clears. */
  takeBlocks(): number[] {
    const blocks: number[] = [];
    for (let counter = 0; counter < this.counterCount; counter++) {
      if (this.#hits[counter] !== 0) blocks.push(counter);
    }
    this.clear();
    return blocks;
  }

  #take(word: number, before: number): number {
    const hits = this.#hits;
    const seen = this.#seen;
    let count = before;
    for (let counter = word * 2; counter < word * 2 + 2; counter++) {
      const times = hits[counter] ?? 0;
      if (times === 0) continue;
      this.cost += times;
      const classOf = CLASS_OF[Math.min(times, MANY)] ?? 0;
      this.#features[count++] = counter * CLASSES + classOf;
      const known = seen[counter] ?? 0;
      if ((known & (1 << classOf)) === 0) {
        seen[counter] = known | (1 << classOf);
        this.featureCount++;
      }
    }
    this.#words[word] = 0;
    return count;
  }
}
