// Keeps clients from filling the log: of one kind and one source there is a line a minute, and of all of them a hundred. What
// is left out is counted, and the count is printed.

const INTERVAL_MS = 60_000;
const LINES_PER_INTERVAL = 100;
/** Kinds and sources that are remembered: those of the lines that one interval may have. */
const MOST_KEYS = LINES_PER_INTERVAL;

export class LineLimit {
  readonly #print: (line: string) => void;
  readonly #now: () => number;
  /** When a line of this kind and source may be printed again; the oldest first. */
  readonly #untilMs = new Map<string, number>();
  #lines = 0;
  #intervalEndMs = -Infinity;
  #suppressed = 0;
  #timer: NodeJS.Timeout | undefined;

  /** @param now milliseconds that never go back. */
  constructor(print: (line: string) => void, now: () => number) {
    this.#print = print;
    this.#now = now;
  }

  /** Prints a line, or counts it. */
  line(kind: string, source: string, text: string): void {
    const now = this.#now();
    if (now >= this.#intervalEndMs) {
      this.#intervalEndMs = now + INTERVAL_MS;
      this.#lines = 0;
    }
    const key = `${kind} ${source}`;
    if (this.#lines >= LINES_PER_INTERVAL || now < (this.#untilMs.get(key) ?? -Infinity)) {
      this.#suppressed++;
      this.#timer ??= setTimeout(() => this.flush(), INTERVAL_MS).unref();
      return;
    }
    this.#lines++;
    this.#untilMs.delete(key);
    this.#untilMs.set(key, now + INTERVAL_MS);
    if (this.#untilMs.size > MOST_KEYS) this.#forgetOldest();
    this.#print(text);
  }

  /** Prints how many lines were left out since the last time. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#suppressed === 0) return;
    this.#print(`suppressed: ${this.#suppressed} more lines about refused and disconnected clients`);
    this.#suppressed = 0;
  }

  #forgetOldest(): void {
    for (const oldest of this.#untilMs.keys()) {
      this.#untilMs.delete(oldest);
      return;
    }
  }
}
