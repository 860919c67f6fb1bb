// A text that must not be seen: passwords, tokens, keys. Printing it, in whatever way, prints asterisks.

import { inspect } from "node:util";

const MASK = "***";

/** Holds a secret. Only {@link Secret.reveal} gives it back. */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
    Object.defineProperty(this, inspect.custom, { value: () => MASK });
  }

  /** The secret itself, for the one place that needs it. */
  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return MASK;
  }

  toJSON(): string {
    return MASK;
  }
}
