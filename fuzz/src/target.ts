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
  /**
   * For targets that play many inputs on one ground: the next one begins on a fresh one, as it does when `run` has thrown.
   * Looks at what the inputs so far have left, and throws like {@link run}; the ground is fresh then too.
   */
  renew?(): Promise<void>;
}

/** What a target may ask while it plays. */
export interface Meter {
  /** Bytes that the instrumented modules have asked for since the input began. */
  readonly allocated: () => number;
}

/** What a file in `targets/` has: the target is called as the file. */
export interface TargetModule {
  makeTarget(meter: Meter): Target;
}

export function isTargetModule(module: unknown): module is TargetModule {
  return (
    typeof module === "object" &&
    module !== null &&
    "makeTarget" in module &&
    typeof module.makeTarget === "function"
  );
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
