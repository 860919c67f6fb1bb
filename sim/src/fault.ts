// What a planted fault is, and how one takes the place of a method of the production core.

import type { Plan, Step } from "./plan.ts";

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

/** Every other CONNECT has Clean Start 1, and wills wait. */
export function startClean(plan: Plan): Plan {
  const steps = plan.steps.map((step): Step => {
    const { what, seed } = step;
    if (what.kind !== "connect") return step;
    const will = what.will === undefined ? undefined : { ...what.will, delayInterval: 30 };
    return { ...step, what: { ...what, will, cleanStart: seed % 2 === 0 } };
  });
  return { ...plan, steps };
}
