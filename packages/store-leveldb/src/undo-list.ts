// What stood in the database under the keys of a batch that failed for want of space.
//
// Such a batch may be in LevelDB's log file all the same, in whole: the C library can write the rest when the file is
// closed. It was refused, so its caller may never commit it again; the next commit puts back what was there before.

import type { StoreBatch } from "@heirloom/core";

import { blockKey, recordKey } from "./keys.ts";
import type { Database } from "./level-reader.ts";
import type { OperationSink } from "./values.ts";

export class UndoList {
  readonly #before = new Map<string, { readonly key: Buffer; readonly value: Buffer | undefined }>();
  #byteCount = 0;

  /** Bytes of the values that would be written again. */
  get byteCount(): number {
    return this.#byteCount;
  }

  /**
   * Reads what the batch would have replaced. A key that is in the list already keeps its older value: that is the
   * one of the last commit that succeeded.
   */
  async remember(database: Database, batch: StoreBatch, shortTrims: StoreBatch["trims"]): Promise<void> {
    const keys: Buffer[] = [];
    for (const { table, key } of batch.records) keys.push(recordKey(table, key));
    for (const { logId, lastIndex } of batch.blocks) keys.push(blockKey(logId, lastIndex));
    for (const { logId, firstIndex, endIndex } of shortTrims) {
      for (let index = firstIndex; index < endIndex; index++) keys.push(blockKey(logId, index));
    }
    const values = await database.getMany(keys);
    for (const [at, key] of keys.entries()) {
      const name = key.toString("latin1");
      if (this.#before.has(name)) continue;
      this.#before.set(name, { key, value: values[at] });
      this.#byteCount += values[at]?.length ?? 0;
    }
  }

  /** Puts everything back, as a part of the next commit. */
  write(sink: OperationSink): void {
    for (const { key, value } of this.#before.values()) {
      if (value === undefined) sink.del(key);
      else sink.put(key, value);
    }
  }

  clear(): void {
    if (this.#before.size === 0) return;
    this.#before.clear();
    this.#byteCount = 0;
  }
}
