// Which blocks an execution ran, how often in powers of two, and whether that is news. The counters are those that
// `instrument.ts` writes into the modules.

import { register } from "node:module";
import type { HooksData } from "./hooks.ts";

const MAX_COUNTERS = 32_768;

/** What instrumented modules find on `globalThis`. */
interface Probe {
  readonly hits: Uint8Array;
  readonly allocating: (size: unknown) => unknown;
}

declare global {
  var fuzzProbe: Probe | undefined;
}

/** 1, 2, 3, 4 to 7, 8 to 15, 16 to 31, 32 to 127, 128 to 255 times: one bit each. */
const CLASS_BITS: Uint8Array = Uint8Array.from({ length: 256 }, (_, count) => {
  if (count === 0) return 0;
  if (count <= 3) return 1 << (count - 1);
  if (count <= 7) return 8;
  if (count <= 15) return 16;
  if (count <= 31) return 32;
  return count <= 127 ? 64 : 128;
});

export class Coverage {
  readonly #hits: Uint8Array = new Uint8Array(MAX_COUNTERS);
  readonly #words: Uint32Array = new Uint32Array(this.#hits.buffer);
  readonly #seen: Uint8Array = new Uint8Array(MAX_COUNTERS);
  readonly #counterCount: Int32Array = new Int32Array(new SharedArrayBuffer(4));
  /** Bytes that instrumented modules asked for since the last `clear`. */
  allocatedBytes = 0;
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

  /** Whether the execution at hand did something new, which is then no longer new. Clears. */
  takeNews(): boolean {
    const before = this.featureCount;
    const words = this.#words;
    const count = (this.counterCount + 3) >> 2;
    for (let index = 0; index < count; index++) {
      if (words[index] !== 0) this.#take(index);
    }
    this.allocatedBytes = 0;
    return this.featureCount > before;
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

  #take(word: number): void {
    const hits = this.#hits;
    const seen = this.#seen;
    for (let counter = word * 4; counter < word * 4 + 4; counter++) {
      const bits = CLASS_BITS[hits[counter] ?? 0] ?? 0;
      const known = seen[counter] ?? 0;
      if ((bits & ~known) !== 0) {
        seen[counter] = known | bits;
        this.featureCount++;
      }
    }
    this.#words[word] = 0;
  }
}
