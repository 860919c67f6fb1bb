// Everything that falls due at a time: keep alive, session expiry, will delay, retries. One heap, one request to the world.
// Knows no clock: the broker asks what is due.

/** One thing that may fall due. It is in the heap at most once. */
export class Deadline {
  readonly due: (nowMs: number) => void;
  atMs: number = Infinity;
  /** Place in the heap, -1 = not waiting. Owned by {@link Deadlines}. */
  position = -1;

  constructor(due: (nowMs: number) => void) {
    this.due = due;
  }
}

/** A heap of deadlines, the earliest on top. Setting and clearing cost O(log n). */
export class Deadlines {
  readonly #heap: Deadline[] = [];

  get size(): number {
    return this.#heap.length;
  }

  /** The time of the earliest deadline, or `undefined`. */
  get nextMs(): number | undefined {
    return this.#heap[0]?.atMs;
  }

  /** Sets or moves a deadline. `Infinity` clears it. */
  set(deadline: Deadline, atMs: number): void {
    if (atMs === Infinity) {
      this.clear(deadline);
      return;
    }
    if (deadline.position === -1) {
      deadline.position = this.#heap.length;
      this.#heap.push(deadline);
    }
    deadline.atMs = atMs;
    this.#sink(this.#rise(deadline.position));
  }

  clear(deadline: Deadline): void {
    const position = deadline.position;
    if (position === -1) return;
    deadline.position = -1;
    deadline.atMs = Infinity;
    const last = this.#heap.pop();
    if (last === undefined || last === deadline) return;
    this.#place(last, position);
    this.#sink(this.#rise(position));
  }

  /**
   * Calls what is due at `nowMs`, earliest first, at most `most` of them, so that a million expiries of the same
   * second do not stop the broker. Returns whether more are due.
   */
  run(nowMs: number, most: number): boolean {
    for (let count = 0; count < most; count++) {
      const first = this.#heap[0];
      if (first === undefined || first.atMs > nowMs) return false;
      this.clear(first);
      first.due(nowMs);
    }
    const first = this.#heap[0];
    return first !== undefined && first.atMs <= nowMs;
  }

  #place(deadline: Deadline, position: number): void {
    this.#heap[position] = deadline;
    deadline.position = position;
  }

  #rise(start: number): number {
    let position = start;
    const moving = this.#heap[position];
    if (moving === undefined) return position;
    while (position > 0) {
      const parentPosition = (position - 1) >> 1;
      const parent = this.#heap[parentPosition];
      if (parent === undefined || parent.atMs <= moving.atMs) break;
      this.#place(parent, position);
      position = parentPosition;
    }
    this.#place(moving, position);
    return position;
  }

  #sink(start: number): void {
    let position = start;
    const moving = this.#heap[position];
    if (moving === undefined) return;
    for (;;) {
      const left = this.#heap[2 * position + 1];
      const right = this.#heap[2 * position + 2];
      const child = right !== undefined && left !== undefined && right.atMs < left.atMs ? right : left;
      if (child === undefined || child.atMs >= moving.atMs) break;
      const childPosition = child.position;
      this.#place(child, position);
      position = childPosition;
    }
    this.#place(moving, position);
  }
}
