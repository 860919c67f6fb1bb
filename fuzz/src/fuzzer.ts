// The loop: take an input that did something new once, change it, play it, keep it when it does something new again.

import type { Coverage } from "./coverage.ts";
import { Mutator } from "./mutator.ts";
import { Random } from "./random.ts";
import { shrink } from "./shrink.ts";
import type { Target } from "./target.ts";

export interface FuzzerOptions {
  readonly target: Target;
  readonly coverage: Coverage;
  readonly seed: number;
  /** Told of each kind of failure once, with the input made small. */
  readonly failed: (input: Uint8Array, error: Error) => void;
  /** Told of each input before it is played. */
  readonly playing: (input: Uint8Array) => void;
}

/** Of all choices, this many in eight are among the newest inputs. */
const NEWEST_OF_EIGHT = 3;
const NEWEST = 64;
/** Of a failure. Otherwise none: most inputs are refused, and taking a stack costs more than the refusal. */
const SHOWN_FRAMES = 20;

export class Fuzzer {
  executions = 0;
  readonly #options: FuzzerOptions;
  readonly #random: Random;
  readonly #mutator: Mutator;
  readonly #inputs: Uint8Array[] = [];
  readonly #kinds = new Set<string>();

  constructor(options: FuzzerOptions) {
    this.#options = options;
    this.#random = new Random(options.seed);
    this.#mutator = new Mutator(this.#random, options.target);
    Error.stackTraceLimit = 0;
  }

  /** Inputs that each did something new. */
  get inputs(): readonly Uint8Array[] {
    return this.#inputs;
  }

  /** Different failures so far. */
  get failureCount(): number {
    return this.#kinds.size;
  }

  /** Plays an input as it is, and keeps it if it does something new. */
  async play(input: Uint8Array): Promise<void> {
    const error = await this.#run(input);
    this.executions++;
    const isNew = this.#options.coverage.takeNews();
    if (error !== undefined) await this.#note(input);
    else if (isNew) this.#inputs.push(input);
  }

  /** Plays `count` inputs made from those that are there. */
  async playNew(count: number): Promise<void> {
    for (let played = 0; played < count; played++) {
      await this.play(this.#mutator.mutate(this.#choose(), this.#choose()));
    }
  }

  /** Few and small inputs that together run every block that all of them run; how often is not looked at. */
  async minimised(): Promise<Uint8Array[]> {
    const covered = new Set<number>();
    const kept: Uint8Array[] = [];
    for (const input of [...this.#inputs].sort((a, b) => a.length - b.length)) {
      const blocks = await this.#blocksOf(input);
      const added = blocks.filter((block) => !covered.has(block));
      if (added.length === 0) continue;
      const small = await shrink(input, this.#options.target.headerBytes, async (candidate) => {
        const reached = new Set(await this.#blocksOf(candidate));
        return added.every((block) => reached.has(block));
      });
      for (const block of await this.#blocksOf(small)) covered.add(block);
      kept.push(small);
    }
    return kept;
  }

  /** None for an input that fails. */
  async #blocksOf(input: Uint8Array): Promise<number[]> {
    this.#options.coverage.clear();
    const error = await this.#run(input);
    const blocks = this.#options.coverage.takeBlocks();
    return error === undefined ? blocks : [];
  }

  #choose(): Uint8Array {
    const random = this.#random;
    const inputs = this.#inputs;
    const { length } = inputs;
    const isNewest = random.below(8) < NEWEST_OF_EIGHT;
    const index = isNewest
      ? Math.max(0, length - 1 - random.below(NEWEST))
      : random.below(Math.max(1, length));
    return inputs[index] ?? new Uint8Array(this.#options.target.headerBytes);
  }

  async #run(input: Uint8Array): Promise<Error | undefined> {
    this.#options.playing(input);
    try {
      const pending = this.#options.target.run(input);
      if (pending !== undefined) await pending;
      return undefined;
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  }

  async #note(input: Uint8Array): Promise<void> {
    // Once more, with its stack.
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = SHOWN_FRAMES;
    const error = await this.#run(input);
    if (error === undefined) await this.#report(input, new Error("failed, but not when played again"));
    else if (!this.#kinds.has(kindOf(error))) await this.#report(input, error);
    this.#options.coverage.clear();
    Error.stackTraceLimit = stackTraceLimit;
  }

  async #report(input: Uint8Array, error: Error): Promise<void> {
    const kind = kindOf(error);
    this.#kinds.add(kind);
    const small = await shrink(input, this.#options.target.headerBytes, async (candidate) => {
      const other = await this.#run(candidate);
      return other !== undefined && kindOf(other) === kind;
    });
    this.#options.failed(small, (await this.#run(small)) ?? error);
  }
}

/** Failures of one kind: the same words, numbers aside, thrown at the same place. */
function kindOf(error: Error): string {
  const place = error.stack?.split("\n").find((line) => /^ +at /.test(line)) ?? "";
  return `${error.name} ${error.message.replace(/\n[^]*/, "").replace(/\d+/g, "N")} ${place}`;
}
