// Which part of each log is in the database. Most logs have nothing there: their messages are consumed before they get so far,
// and a trim of them needs no deletion.

import type { LogExtent } from "@heirloom/core";

export class StoredLogs {
  readonly #extents = new Map<number, { firstIndex: number; endIndex: number }>();

  /** Notes what was found in the database. */
  found(extents: readonly LogExtent[]): void {
    for (const { logId, firstIndex, lastBlock } of extents)
      this.#extents.set(logId, { firstIndex, endIndex: lastBlock.lastIndex + 1 });
  }

  has(logId: number): boolean {
    return this.#extents.has(logId);
  }

  /** A block goes to the database. */
  added(logId: number, firstIndex: number, lastIndex: number): void {
    const extent = this.#extents.get(logId);
    if (extent === undefined) this.#extents.set(logId, { firstIndex, endIndex: lastIndex + 1 });
    else extent.endIndex = Math.max(extent.endIndex, lastIndex + 1);
  }

  /**
   * Blocks that end before `endIndex` are given up.
   *
   * @returns the range of last indexes that has to be deleted, if there is any.
   */
  trim(
    logId: number,
    endIndex: number,
  ): { readonly firstIndex: number; readonly endIndex: number } | undefined {
    const extent = this.#extents.get(logId);
    if (extent === undefined || extent.firstIndex >= endIndex) return undefined;
    const { firstIndex } = extent;
    if (endIndex >= extent.endIndex) this.#extents.delete(logId);
    else extent.firstIndex = endIndex;
    return { firstIndex, endIndex: Math.min(endIndex, extent.endIndex) };
  }
}
