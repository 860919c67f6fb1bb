// A store that knows whether it is still at work, for tests that wait until nothing is under way.

import type { Damage, DamagedBlock, LogExtent, Store, StoreBatch, StoredBlock, Table } from "@heirloom/core";

/** Passes everything on to another store, and counts what is not done yet. */
export class BusyStore implements Store {
  readonly #store: Store;
  #workCount = 0;

  constructor(store: Store) {
    this.#store = store;
  }

  /** Whether something that was asked for is not done yet. */
  get isBusy(): boolean {
    return this.#workCount > 0;
  }

  open(): Promise<void> {
    return this.#store.open();
  }

  close(): Promise<void> {
    return this.#count(this.#store.close());
  }

  commit(batch: StoreBatch): Promise<void> {
    return this.#count(this.#store.commit(batch));
  }

  load(table: Table): AsyncIterable<readonly (readonly [key: string, value: Uint8Array])[]> {
    return this.#store.load(table);
  }

  loadLogs(): Promise<readonly LogExtent[]> {
    return this.#count(this.#store.loadLogs());
  }

  readLog(
    logId: number,
    fromIndex: number,
    maximumBytes: number,
  ): Promise<readonly (StoredBlock | DamagedBlock)[]> {
    return this.#count(this.#store.readLog(logId, fromIndex, maximumBytes));
  }

  get damage(): readonly Damage[] {
    return this.#store.damage;
  }

  async #count<Result>(work: Promise<Result>): Promise<Result> {
    this.#workCount++;
    try {
      return await work;
    } finally {
      this.#workCount--;
    }
  }
}
