// Virtual time: events in order of their time, then of their making. Nothing happens between two events.

/** Something that will happen. */
export interface Event {
  readonly atMs: number;
  readonly number: number;
  /** Cleared when it happened or was cancelled. */
  action: (() => void) | undefined;
}

export class Schedule {
  /** Milliseconds since 1970-01-01 UTC. */
  nowMs: number;
  /** Events that happened. */
  count = 0;
  readonly #heap: Event[] = [];
  #made = 0;

  constructor(startMs: number) {
    this.nowMs = startMs;
  }

  at(timeMs: number, action: () => void): Event {
    const event: Event = { atMs: Math.max(timeMs, this.nowMs), number: this.#made++, action };
    this.#push(event);
    return event;
  }

  after(delayMs: number, action: () => void): Event {
    return this.at(this.nowMs + delayMs, action);
  }

  cancel(event: Event | undefined): void {
    if (event !== undefined) event.action = undefined;
  }

  /** The time of the next event, `Infinity` when there is none. */
  get nextMs(): number {
    for (;;) {
      const first = this.#heap[0];
      if (first === undefined) return Infinity;
      if (first.action !== undefined) return first.atMs;
      this.#pop();
    }
  }

  /** Moves to the next event and lets it happen. Returns false when there is none until `untilMs`; time is then there. */
  runNext(untilMs: number): boolean {
    const nextMs = this.nextMs;
    if (nextMs > untilMs) {
      this.nowMs = Math.max(this.nowMs, untilMs);
      return false;
    }
    const event = this.#pop();
    this.nowMs = nextMs;
    this.count++;
    const action = event?.action;
    if (event !== undefined) event.action = undefined;
    action?.();
    return true;
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let place = heap.push(event) - 1;
    while (place > 0) {
      const above = (place - 1) >> 1;
      const parent = heap[above];
      if (parent === undefined || isBefore(parent, event)) break;
      heap[place] = parent;
      place = above;
    }
    heap[place] = event;
  }

  #pop(): Event | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    let place = 0;
    for (;;) {
      const left = heap[2 * place + 1];
      const right = heap[2 * place + 2];
      const child = left !== undefined && right !== undefined && isBefore(right, left) ? right : left;
      if (child === undefined || isBefore(last, child)) break;
      heap[place] = child;
      place = child === left ? 2 * place + 1 : 2 * place + 2;
    }
    heap[place] = last;
    return first;
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.number < b.number);
}
