// The loop: take an input that did something new once, change it, play it, keep it when it does something new again,
// or the same at less cost.

import { type Coverage, MAX_FEATURES } from "./coverage.ts";
import { Mutator } from "./mutator.ts";
import { Population } from "./population.ts";
import { Random } from "./random.ts";
import { shrink, shrinkList } from "./shrink.ts";
import type { Target } from "./target.ts";

export interface FuzzerOptions {
  readonly target: Target;
  readonly coverage: Pick<Coverage, "clear" | "cost" | "takeBlocks" | "takeFeatures">;
  readonly seed: number;
  /** Told of each kind of failure once, with the inputs made few and small: nearly always one. */
  readonly failed: (inputs: readonly Uint8Array[], error: Error) => void;
  /** Told of each input before it is played. */
  readonly playing: (input: Uint8Array) => void;
}

/** What a byte adds to the cost of an input: one that is not even looked at costs its descendants something. */
const BYTE_COST = 16;
/** Inputs that are played on one ground. */
const WINDOW = 1_000;
/** Of a failure. Otherwise none: most inputs are refused, and taking a stack costs more than the refusal. */
const SHOWN_FRAMES = 20;

export class Fuzzer {
  executions = 0;
  readonly #options: FuzzerOptions;
  readonly #random: Random;
  readonly #mutator: Mutator;
  readonly #population: Population = new Population(MAX_FEATURES);
  readonly #kinds = new Set<string>();
  /** What was played on the ground at hand, oldest first. */
  readonly #window: Uint8Array[] = [];

  constructor(options: FuzzerOptions) {
    this.#options = options;
    this.#random = new Random(options.seed);
    this.#mutator = new Mutator(this.#random, options.target);
    Error.stackTraceLimit = 0;
  }

  /** Inputs that each did something that no cheaper one did. */
  get inputs(): readonly Uint8Array[] {
    return this.#population.inputs;
  }

  /** Different failures so far. */
  get failureCount(): number {
    return this.#kinds.size;
  }

  /** Plays an input as it is, and keeps it if it does something new. */
  async play(input: Uint8Array): Promise<void> {
    this.#window.push(input);
    const error = await this.#run(input);
    this.executions++;
    const { coverage } = this.#options;
    const features = coverage.takeFeatures();
    if (error === undefined) this.#population.add(input, coverage.cost + BYTE_COST * input.length, features);
    else await this.#note(error, [...this.#window]);
    if (this.#window.length >= WINDOW) await this.renew();
  }

  /** Fresh ground for the next input. What those before have left on the old one may be a failure. */
  async renew(): Promise<void> {
    const inputs = [...this.#window];
    const error = await this.#refresh();
    this.#options.coverage.clear();
    if (error !== undefined) await this.#note(error, inputs);
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
    for (const input of this.#population.inputs.sort((a, b) => a.length - b.length)) {
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
    // Not what earlier inputs have to do with it.
    await this.#refresh();
    this.#options.coverage.clear();
    const error = await this.#run(input);
    const blocks = this.#options.coverage.takeBlocks();
    return error === undefined ? blocks : [];
  }

  #choose(): Uint8Array {
    return this.#population.choose(this.#random) ?? new Uint8Array(this.#options.target.headerBytes);
  }

  async #run(input: Uint8Array): Promise<Error | undefined> {
    this.#options.playing(input);
    try {
      const pending = this.#options.target.run(input);
      if (pending !== undefined) await pending;
      return undefined;
    } catch (error) {
      return errorOf(error);
    }
  }

  /** @returns what the inputs before have left on the old ground. */
  async #refresh(): Promise<Error | undefined> {
    this.#window.length = 0;
    try {
      await this.#options.target.renew?.();
      return undefined;
    } catch (error) {
      return errorOf(error);
    }
  }

  /** Plays inputs one after the other on fresh ground, up to the first that fails. */
  async #runAll(inputs: readonly Uint8Array[]): Promise<Error | undefined> {
    await this.#refresh();
    for (const input of inputs) {
      const error = await this.#run(input);
      if (error !== undefined) return error;
    }
    return this.#refresh();
  }

  // --- failures --------------------------------------------------------------------------------------------------

  /** The last of `inputs` failed, or what all of them have left on their ground. */
  async #note(seen: Error, inputs: readonly Uint8Array[]): Promise<void> {
    // Once more, with its stack.
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = SHOWN_FRAMES;
    const alone = inputs.slice(-1);
    const error = await this.#runAll(alone);
    if (error !== undefined) {
      await this.#report(alone, error);
    } else {
      const together = await this.#runAll(inputs);
      await this.#report(inputs, together ?? new Error(`not when played again: ${seen.message}`));
    }
    await this.#refresh();
    this.#options.coverage.clear();
    Error.stackTraceLimit = stackTraceLimit;
  }

  async #report(inputs: readonly Uint8Array[], error: Error): Promise<void> {
    const kind = kindOf(error);
    if (this.#kinds.has(kind)) return;
    this.#kinds.add(kind);
    const fails = async (candidate: readonly Uint8Array[]): Promise<boolean> => {
      const other = await this.#runAll(candidate);
      return other !== undefined && kindOf(other) === kind;
    };
    const small = [...(await shrinkList(inputs, fails))];
    for (const [index, input] of small.entries()) {
      small[index] = await shrink(input, this.#options.target.headerBytes, (candidate) =>
        fails(small.with(index, candidate)),
      );
    }
    this.#options.failed(small, (await this.#runAll(small)) ?? error);
  }
}

function errorOf(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

/** Failures of one kind: the same words, numbers aside, thrown at the same place. */
function kindOf(error: Error): string {
  const place = error.stack?.split("\n").find((line) => /^ +at /.test(line)) ?? "";
  return `${error.name} ${error.message.replace(/\n[^]*/, "").replace(/\d+/g, "N")} ${place}`;
}
