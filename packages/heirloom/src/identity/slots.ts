// So many tasks at once, and so many more in line: what costs CPU or asks another server has a bound of its own.

/** A task was turned away, because as many as may wait are waiting. */
export const TURNED_AWAY = "turned away";

/** Runs tasks, at most so many at once. */
export class Slots {
  readonly #atOnce: number;
  readonly #mayWait: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  /** @param mayWait tasks that may wait for a slot; more are turned away. */
  constructor(atOnce: number, mayWait: number) {
    this.#atOnce = atOnce;
    this.#mayWait = mayWait;
  }

  /** Tasks that wait for a slot. */
  get waitingCount(): number {
    return this.#waiting.length;
  }

  /** Runs a task when its turn has come, or not at all. What it throws is thrown. */
  async run<Result>(task: () => Result | Promise<Result>): Promise<Result | typeof TURNED_AWAY> {
    if (this.#running < this.#atOnce) {
      this.#running++;
    } else {
      if (this.#waiting.length >= this.#mayWait) return TURNED_AWAY;
      // The one who leaves hands over its slot, so that nobody slips in between.
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    try {
      return await task();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }
}
