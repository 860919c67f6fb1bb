// What a planted fault is, and how one takes the place of a method of the production core.

import type { Plan } from "./plan.ts";

export interface Fault {
  readonly name: string;
  /** Seeds within which the model finds it, in runs of {@link FAULT_STEPS} steps. */
  readonly mostSeeds: number;
  /** Plants it; what is returned takes it away again. */
  readonly plant: () => () => void;
  /** Makes more of what a rare fault needs. */
  readonly emphasise?: (plan: Plan) => Plan;
}

export const FAULT_STEPS = 250;

/** Replaces one method. `make` gets the original, to be called with the right `this`. */
export function replace<Target extends object, Key extends keyof Target>(
  target: Target,
  key: Key,
  make: (original: Target[Key]) => Target[Key],
): () => void {
  const original = target[key];
  target[key] = make(original);
  return () => {
    target[key] = original;
  };
}

export const nothing = (): void => undefined;
