// The bytes that wait for all connections together, and whether one connection may add to them. Three states: there is room;
// it is crowded, and each connection has only its share; it is over, and only those with nothing waiting may add, up to a last line.

import type { Counters } from "./counters.ts";
import type { Limits } from "./limits.ts";
import type { Pumpable, PumpQueue } from "./sessions/pump-queue.ts";

/** How many times `totalOutputBytes` may wait before those who have anything waiting may add nothing more. */
const OVER = 2;
/** The same for all others. Those who do not read end at the first line, so that they do not keep others from going on. */
const EXHAUSTED = 4;

export class OutputBudget {
  readonly #limits: Limits;
  readonly #counters: Counters;
  readonly #pumps: PumpQueue;
  /** Sessions with nothing waiting that wait until there is room, the longest wait first. */
  readonly #waiting = new Set<Pumpable>();

  constructor(limits: Limits, counters: Counters, pumps: PumpQueue) {
    this.#limits = limits;
    this.#counters = counters;
    this.#pumps = pumps;
  }

  /** Whether a connection may have no more than {@link shareBytes} waiting. */
  get isCrowded(): boolean {
    return this.#counters.outputBytes > this.#limits.totalOutputBytes;
  }

  get isOver(): boolean {
    return this.#counters.outputBytes > OVER * this.#limits.totalOutputBytes;
  }

  get isExhausted(): boolean {
    return this.#counters.outputBytes > EXHAUSTED * this.#limits.totalOutputBytes;
  }

  get shareBytes(): number {
    return this.#limits.totalOutputBytes / Math.max(1, this.#counters.connectionsOpen);
  }

  /** So many bytes more wait; or fewer, and then there may be room for those who wait for it. */
  changed(bytes: number): void {
    this.#counters.outputBytes += bytes;
    if (bytes >= 0 || this.#waiting.size === 0 || this.isExhausted) return;
    for (const session of this.#waiting) this.#pumps.add(session);
    this.#waiting.clear();
  }

  /** The session is pumped as soon as there is room again. */
  waitForRoom(session: Pumpable): void {
    this.#waiting.add(session);
  }

  /** The session has no connection any more. */
  gone(session: Pumpable): void {
    this.#waiting.delete(session);
  }
}
