// The parts of logs that wait to be deleted: one range per log, handed out in steps of bounded size.

/** Blocks of `logId` that end in [`firstIndex`, `endIndex`). */
export interface TrimStep {
  readonly logId: number;
  readonly firstIndex: number;
  readonly endIndex: number;
}

export class PendingTrims {
  readonly #ranges = new Map<number, { firstIndex: number; endIndex: number }>();
  #indexCount = 0;

  /** How many indexes wait, over all logs. */
  get indexCount(): number {
    return this.#indexCount;
  }

  has(logId: number): boolean {
    return this.#ranges.has(logId);
  }

  /** Adds a range; it is merged with what waits for the same log. */
  add(logId: number, firstIndex: number, endIndex: number): void {
    if (firstIndex >= endIndex) return;
    const range = this.#ranges.get(logId);
    if (range === undefined) {
      this.#ranges.set(logId, { firstIndex, endIndex });
      this.#indexCount += endIndex - firstIndex;
      return;
    }
    this.#indexCount -= range.endIndex - range.firstIndex;
    // What lies between two ranges was trimmed before, or is going to be: a log is only ever trimmed from its start.
    range.firstIndex = Math.min(range.firstIndex, firstIndex);
    range.endIndex = Math.max(range.endIndex, endIndex);
    this.#indexCount += range.endIndex - range.firstIndex;
  }

  /** Takes up to `maximumIndexes` from the start of a log; of the one that has waited longest, if none is named. */
  take(maximumIndexes: number, logId: number | undefined = this.#longestWaiting()): TrimStep | undefined {
    if (logId === undefined) return undefined;
    const range = this.#ranges.get(logId);
    if (range === undefined) return undefined;
    const { firstIndex } = range;
    const endIndex = Math.min(range.endIndex, firstIndex + maximumIndexes);
    this.#indexCount -= endIndex - firstIndex;
    if (endIndex === range.endIndex) this.#ranges.delete(logId);
    else range.firstIndex = endIndex;
    return { logId, firstIndex, endIndex };
  }

  #longestWaiting(): number | undefined {
    for (const logId of this.#ranges.keys()) return logId;
    return undefined;
  }
}
