// The ends and starts of the broker's process as the model sees them: what a crash may have made it forget, and when it learned of
// connections that ended.

import type { Link } from "../network.ts";
import { type ClockModel, SLACK_MS } from "./clock.ts";

/** One end of the process. */
interface Death {
  readonly atMs: number;
  /** The disk has everything from before this time. */
  readonly durableSinceMs: number;
  /** When it was up again; `Infinity` while it is not. */
  startedMs: number;
}

export class ProcessModel {
  readonly #now: () => number;
  readonly #clock: ClockModel;
  readonly #deaths: Death[] = [];

  constructor(now: () => number, clock: ClockModel) {
    this.#now = now;
    this.#clock = clock;
  }

  get deaths(): readonly Death[] {
    return this.#deaths;
  }

  ended(durableSinceMs: number): void {
    this.#deaths.push({ atMs: this.#now(), durableSinceMs, startedMs: Infinity });
  }

  /** It is up again after a start at `sinceMs`, with a wall clock that was `aheadMs` ahead. */
  started(sinceMs: number, aheadMs: number): void {
    const death = this.#deaths.at(-1);
    if (death === undefined) return;
    death.startedMs = Math.min(death.startedMs, this.#now());
    this.#clock.started(sinceMs, aheadMs, death.atMs, death.durableSinceMs);
  }

  /** Whether what the broker did at `timeMs`, and nobody was told, may have been forgotten in a crash. */
  mayHaveForgotten(timeMs: number): boolean {
    return this.#deaths.some(
      ({ atMs, durableSinceMs }) => atMs >= timeMs && durableSinceMs <= timeMs + SLACK_MS,
    );
  }

  /**
   * When the broker thinks at the latest that a connection ended: a restart that finds it still open on disk counts
   * from the restart. `Infinity` while the process is not up again.
   */
  latestEndMs({ endedMs }: Link): number {
    if (endedMs === undefined) return Infinity;
    let latestMs = endedMs;
    for (const { atMs, durableSinceMs, startedMs } of this.#deaths) {
      if (atMs >= endedMs && durableSinceMs <= latestMs) latestMs = startedMs;
    }
    return latestMs;
  }
}
