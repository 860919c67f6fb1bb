// What happened in a run: always as a hash, which tells whether two runs were the same, and on request as lines for a reader.

export class Trace {
  readonly #now: () => number;
  readonly #startMs: number;
  #hash = 0x811c9dc5;
  /** Lines of the transcript, `undefined` when none is kept. */
  readonly lines: string[] | undefined;

  constructor(now: () => number, isKept: boolean) {
    this.#now = now;
    this.#startMs = now();
    this.lines = isKept ? [] : undefined;
  }

  get isKept(): boolean {
    return this.lines !== undefined;
  }

  /** Eight hexadecimal digits. */
  get hash(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, "0");
  }

  number(value: number): void {
    this.#hash = Math.imul(this.#hash ^ (value | 0), 0x01000193);
  }

  bytes(bytes: Uint8Array): void {
    this.number(Math.round((this.#now() - this.#startMs) * 16));
    this.number(bytes.length);
    const length = Math.min(bytes.length, 256);
    for (let index = 0; index < length; index++) this.number(bytes[index] ?? 0);
  }

  /** Adds a line. Callers ask {@link isKept} first where the text costs something. */
  say(who: string, what: string): void {
    this.lines?.push(`${timeText(this.#now() - this.#startMs)}  ${who.padEnd(14)}  ${what}`);
  }
}

/** `1:02:03.004`: hours, minutes, seconds since the start of the run. */
function timeText(elapsedMs: number): string {
  const ms = Math.floor(elapsedMs);
  const digits = (value: number, count: number): string => String(value).padStart(count, "0");
  const minutes = digits(Math.floor(ms / 60_000) % 60, 2);
  return `${Math.floor(ms / 3_600_000)}:${minutes}:${digits(Math.floor(ms / 1000) % 60, 2)}.${digits(ms % 1000, 3)}`;
}
