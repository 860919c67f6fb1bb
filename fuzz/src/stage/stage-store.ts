// The store under the broker of a stage: in memory, and it tells whether anything is under way.

import type { DamagedBlock, LogExtent, Store, StoreBatch, StoredBlock, Table, Damage } from "@heirloom/core";
import { MemoryStore } from "@heirloom/core";

export class StageStore implements Store {
  readonly damage: readonly Damage[] = [];
  /** Topics with a retained message. */
  readonly retainedTopics: Set<string> = new Set<string>();
  /** Client identifiers of lasting sessions. */
  readonly clientIds: Set<string> = new Set<string>();
  /** Commits that the broker has not heard of yet. */
  commitsUnderWay = 0;
  readonly #memory: MemoryStore = new MemoryStore();
  readonly #read: () => void;

  /** `read`: told that a log is read, which ends some promises later. */
  constructor(read: () => void) {
    this.#read = read;
  }

  async open(): Promise<void> {
    await this.#memory.open();
  }

  async close(): Promise<void> {
    await this.#memory.close();
  }

  commit(batch: StoreBatch): Promise<void> {
    this.commitsUnderWay++;
    for (const { table, key, value } of batch.records) {
      const keys =
        table === "retained" ? this.retainedTopics : table === "session" ? this.clientIds : undefined;
      if (value === undefined) keys?.delete(key);
      else keys?.add(key);
    }
    const committed = this.#memory.commit(batch);
    // The broker is told first: it is next in line for this promise.
    const told = (): void => {
      this.commitsUnderWay--;
    };
    void committed.then(() => queueMicrotask(told));
    return committed;
  }

  load(table: Table): AsyncIterable<readonly (readonly [key: string, value: Uint8Array])[]> {
    return this.#memory.load(table);
  }

  loadLogs(): Promise<readonly LogExtent[]> {
    return this.#memory.loadLogs();
  }

  readLog(
    logId: number,
    fromIndex: number,
    maximumBytes: number,
  ): Promise<readonly (StoredBlock | DamagedBlock)[]> {
    this.#read();
    return this.#memory.readLog(logId, fromIndex, maximumBytes);
  }
}
