// Broker time, as far as one can know it from outside. Within one life of the process it runs like true time. A start reads the
// wall clock, which may have jumped; broker time goes on from there, but never from before the time that is on disk.

/** Broker time is on disk at most this much later than it is: a minute when nothing happens. */
const MARK_MS = 62_000;

/** One life of the process: by how much its broker time is ahead of true time, at least and at most. */
interface Life {
  readonly startedMs: number;
  readonly lowMs: number;
  readonly highMs: number;
}

/** What happens at one time may be seen so much later. */
export const SLACK_MS = 1_000;

export interface Range {
  readonly fromMs: number;
  readonly untilMs: number;
}

export class ClockModel {
  readonly #lives: Life[] = [{ startedMs: -Infinity, lowMs: 0, highMs: 0 }];

  /** Whether broker time was taken up again at any time. */
  get hasRestarted(): boolean {
    return this.#lives.length > 1;
  }

  /** A process starts after one that ended at `diedMs` and whose disk has everything from before `durableSinceMs`. */
  started(startedMs: number, aheadMs: number, diedMs: number, durableSinceMs: number): void {
    const before = this.#lives.at(-1);
    // Often an earlier one: a life that put nothing on disk leaves behind no time of its own, however far ahead it was.
    const saved = this.#lives[this.#lifeAt(durableSinceMs)];
    if (before === undefined || saved === undefined) return;
    this.#lives.push({
      startedMs,
      lowMs: Math.max(aheadMs, durableSinceMs - MARK_MS + saved.lowMs - startedMs),
      highMs: Math.max(aheadMs, diedMs + before.highMs - startedMs),
    });
  }

  /** When something is due that begins at some time of the range and takes `delayMs` of broker time. */
  due({ fromMs, untilMs }: Range, delayMs: number): Range {
    if (delayMs === Infinity) return { fromMs: Infinity, untilMs: Infinity };
    if (this.#lives.length === 1) return { fromMs: fromMs + delayMs, untilMs: untilMs + delayMs };
    let earliestMs = this.#earliest(fromMs, delayMs);
    let latestMs = untilMs === Infinity ? Infinity : this.#latest(untilMs, delayMs);
    // Of all times in between only the starts of a process can be earlier or later than the ends.
    for (const { startedMs } of this.#lives) {
      if (startedMs <= fromMs || startedMs >= untilMs) continue;
      earliestMs = Math.min(earliestMs, this.#earliest(startedMs, delayMs));
      latestMs = Math.max(latestMs, this.#latest(startedMs, delayMs), this.#latest(startedMs - 1, delayMs));
    }
    return { fromMs: earliestMs, untilMs: latestMs };
  }

  #earliest(beginMs: number, delayMs: number): number {
    const first = this.#lifeAt(beginMs);
    for (let place = first; place < this.#lives.length; place++) {
      const { startedMs = 0, highMs = 0 } = this.#lives[place] ?? {};
      const aheadMs = place === first ? 0 : highMs - (this.#lives[first]?.lowMs ?? 0);
      const dueMs = Math.max(startedMs, beginMs + delayMs - aheadMs);
      if (dueMs < this.#endOf(place)) return dueMs;
    }
    return Infinity;
  }

  /** The end of the last life that began before it was due. */
  #latest(beginMs: number, delayMs: number): number {
    const first = this.#lifeAt(beginMs);
    for (let place = this.#lives.length - 1; place > first; place--) {
      const { startedMs = 0, lowMs = 0 } = this.#lives[place] ?? {};
      const dueMs = beginMs + delayMs + (this.#lives[first]?.highMs ?? 0) - lowMs;
      if (dueMs > startedMs) return Math.min(dueMs, this.#endOf(place));
    }
    return Math.min(beginMs + delayMs, this.#endOf(first));
  }

  #lifeAt(timeMs: number): number {
    return this.#lives.findLastIndex(({ startedMs }) => startedMs <= timeMs);
  }

  /** A process that is down decides nothing: its life lasts until the next one starts. */
  #endOf(place: number): number {
    return this.#lives[place + 1]?.startedMs ?? Infinity;
  }
}
