// What is fuzzed: something that takes bytes and throws when a promise about them is broken.

export interface Target {
  readonly name: string;
  /** Leading bytes of an input that say how the rest is played. */
  readonly headerBytes: number;
  readonly maximumLength: number;
  /** Inputs to start from, besides the corpus. */
  readonly seeds: readonly Uint8Array[];
  /**
   * Plays one input, always in the same way.
   *
   * @throws Error when something happened that must not happen. Its message begins with what that is.
   */
  run(input: Uint8Array): Promise<void> | void;
}

/** Fails the input at hand. */
export class Finding extends Error {
  override get name(): string {
    return "Finding";
  }
}

/** @throws Finding unless `condition` holds. `says` is only called then. */
export function holds(condition: boolean, says: () => string): asserts condition {
  if (!condition) throw new Finding(says());
}
