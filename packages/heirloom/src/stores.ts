// Which store a broker writes to, and the watch for the moment when it fails for good.

import {
  MemoryStore,
  StoreError,
  type Damage,
  type LogExtent,
  type Store,
  type StoreBatch,
  type StoredBlock,
  type DamagedBlock,
  type Table,
} from "@heirloom/core";

/** Makes the store of that kind; does not open it. LevelDB is only loaded when it is asked for. */
export async function makeStore(kind: "leveldb" | "memory", directory: string): Promise<Store> {
  if (kind === "memory") return new MemoryStore();
  const { LevelStore } = await import("@heirloom/store-leveldb");
  return new LevelStore({ directory });
}

/**
 * A store that tells when it has failed in a way that leaves unknown what is on disk (`STORE_FAILED`).
 *
 * The one who watches is told before the broker is, so that a process can end before anything else is acknowledged.
 */
export class WatchedStore implements Store {
  readonly #store: Store;
  readonly #onFailure: (error: StoreError) => void;
  #workCount = 0;

  constructor(store: Store, onFailure: (error: StoreError) => void) {
    this.#store = store;
    this.#onFailure = onFailure;
  }

  open(): Promise<void> {
    return this.#store.open();
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  commit(batch: StoreBatch): Promise<void> {
    return this.#watch(this.#store.commit(batch));
  }

  load(table: Table): AsyncIterable<readonly (readonly [key: string, value: Uint8Array])[]> {
    return this.#store.load(table);
  }

  loadLogs(): Promise<readonly LogExtent[]> {
    return this.#store.loadLogs();
  }

  readLog(
    logId: number,
    fromIndex: number,
    maximumBytes: number,
  ): Promise<readonly (StoredBlock | DamagedBlock)[]> {
    return this.#watch(this.#store.readLog(logId, fromIndex, maximumBytes));
  }

  get damage(): readonly Damage[] {
    return this.#store.damage;
  }

  /** Whether something that was asked for is not done yet. */
  get isBusy(): boolean {
    return this.#workCount > 0;
  }

  async #watch<Result>(work: Promise<Result>): Promise<Result> {
    this.#workCount++;
    try {
      return await work;
    } catch (error) {
      if (error instanceof StoreError && error.code === "STORE_FAILED") this.#onFailure(error);
      throw error;
    } finally {
      this.#workCount--;
    }
  }
}
