// A rate with a burst: what is above it has to wait. Knows no clock.

/** How much per second, and how much at once. */
export class RateLimit {
  readonly #perMs: number;
  readonly #burst: number;
  #credit: number;
  #atMs: number;

  /** `burst`: how much may come at once after a pause; a second's worth unless given. */
  constructor(perSecond: number, nowMs: number, burst: number = perSecond) {
    this.#perMs = perSecond / 1000;
    this.#burst = burst;
    this.#credit = burst;
    this.#atMs = nowMs;
  }

  /** Takes `amount`, and returns for how many milliseconds nothing more may be taken; 0 = more may come at once. */
  take(amount: number, nowMs: number): number {
    this.#credit = Math.min(this.#burst, this.#credit + (nowMs - this.#atMs) * this.#perMs) - amount;
    this.#atMs = nowMs;
    return this.#credit >= 0 ? 0 : Math.ceil(-this.#credit / this.#perMs);
  }
}
