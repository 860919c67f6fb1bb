// The disk under a broker in memory: a store that can be full, broken, slow or found after a crash, and tells what it got.

import type { StoreBatch } from "../ports/store.ts";
import { StoreError } from "../ports/store.ts";
import { MemoryStore } from "../stores/memory-store.ts";

export type DiskState = "ok" | "full" | "broken" | "slow";

export class MemoryDisk {
  readonly store: MemoryStore;
  /** `"slow"`: commits wait until the state changes. */
  #state: DiskState = "ok";
  #waiting: (() => void)[] = [];
  /** Told of each batch before it counts, and again when it does. */
  readonly #told: (batch: StoreBatch, moment: "commit" | "synced" | "refused") => void;

  constructor(told: (batch: StoreBatch, moment: "commit" | "synced" | "refused") => void = () => undefined) {
    this.#told = told;
    this.store = new MemoryStore({ beforeCommit: (batch) => this.#beforeCommit(batch) });
  }

  get state(): DiskState {
    return this.#state;
  }

  set state(state: DiskState) {
    this.#state = state;
    if (state === "slow") return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const go of waiting) go();
  }

  /** The machine loses power: what was not synced is gone. */
  cutPower(): void {
    this.#waiting = [];
    this.#state = "ok";
  }

  async #beforeCommit(batch: StoreBatch): Promise<void> {
    this.#told(batch, "commit");
    // A disk takes time: whatever the turn still does comes first.
    await Promise.resolve();
    if (this.#state === "slow") await new Promise<void>((resolve) => this.#waiting.push(resolve));
    if (this.#state === "ok") {
      this.#told(batch, "synced");
      return;
    }
    this.#told(batch, "refused");
    if (this.#state === "full") throw new StoreError("STORE_FULL", "no space, by order of the test");
    throw new StoreError("STORE_FAILED", "the disk broke, by order of the test");
  }
}
