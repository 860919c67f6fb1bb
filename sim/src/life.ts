// One life of the broker's process. Every effect that it has on the world asks here first, so that it can be killed
// between any two of them: what the code does after its death reaches nobody.

export class Life {
  isDead = false;
  /** Effects until death; `Infinity` when none is planned. */
  #left = Infinity;
  readonly #died: () => void;
  readonly #threw: (error: unknown) => void;

  /** `died` is called when the planned effect is reached, `threw` when the broker's code throws. */
  constructor(died: () => void, threw: (error: unknown) => void) {
    this.#died = died;
    this.#threw = threw;
  }

  /** Lets the process die in place of its `count`-th effect from now. */
  dieAfter(count: number): void {
    this.#left = Math.min(this.#left, count);
  }

  /** Nothing is planned any more. */
  live(): void {
    this.#left = Infinity;
  }

  /** An effect is about to happen. Returns false when it does not any more. */
  effect(): boolean {
    if (this.isDead) return false;
    if (this.#left-- > 0) return true;
    this.isDead = true;
    this.#died();
    return false;
  }

  /** Runs code of the broker, unless the process is dead. */
  run(action: () => void): void {
    if (this.isDead) return;
    try {
      action();
    } catch (error) {
      this.#threw(error);
    }
  }
}
