// So many tasks at once, and so many more in line: what costs CPU or asks another server has a bound of its own.
// Those who wait take turns by where they come from, so that a flood from one place keeps nobody else waiting.

/** A task was turned away, because as many as may wait are waiting. */
export const TURNED_AWAY = "turned away";

/** Told whether its turn has come (true), or that it was turned away. */
type Waiting = (mayRun: boolean) => void;

/** Runs tasks, at most so many at once. */
export class Slots {
  readonly #atOnce: number;
  readonly #mayWait: number;
  /** Those who wait, by source. The source whose turn is next comes first. */
  readonly #queues = new Map<string, Waiting[]>();
  #waitingCount = 0;
  #running = 0;

  /** @param mayWait tasks that may wait for a slot; more are turned away. */
  constructor(atOnce: number, mayWait: number) {
    this.#atOnce = atOnce;
    this.#mayWait = mayWait;
  }

  /** Tasks that wait for a slot. */
  get waitingCount(): number {
    return this.#waitingCount;
  }

  /** Runs a task when the turn of its source has come, or not at all. What it throws is thrown. */
  async run<Result>(
    task: () => Result | Promise<Result>,
    source: string = "",
  ): Promise<Result | typeof TURNED_AWAY> {
    if (this.#running < this.#atOnce) this.#running++;
    else if (!(await this.#wait(source))) return TURNED_AWAY;
    try {
      return await task();
    } finally {
      // The one who leaves hands over its slot, so that nobody slips in between.
      const next = this.#takeNext();
      if (next === undefined) this.#running--;
      else next(true);
    }
  }

  #wait(source: string): boolean | Promise<boolean> {
    if (this.#waitingCount >= this.#mayWait && !this.#displaceFor(source)) return false;
    return new Promise((resolve) => {
      const queue = this.#queues.get(source);
      if (queue === undefined) this.#queues.set(source, [resolve]);
      else queue.push(resolve);
      this.#waitingCount++;
    });
  }

  #takeNext(): Waiting | undefined {
    for (const [source, queue] of this.#queues) {
      const next = queue.shift();
      this.#queues.delete(source);
      if (queue.length > 0) this.#queues.set(source, queue);
      this.#waitingCount--;
      return next;
    }
    return undefined;
  }

  /** Makes room by turning away the latest of the source that has most in line, if that is more than this one would have. */
  #displaceFor(source: string): boolean {
    const own = this.#queues.get(source)?.length ?? 0;
    let longest: Waiting[] = [];
    for (const queue of this.#queues.values()) if (queue.length > longest.length) longest = queue;
    if (longest.length <= own + 1) return false;
    this.#waitingCount--;
    longest.pop()?.(false);
    return true;
  }
}
