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

/** What takes the place of a method: gets the original, to be called as it is, and the arguments; `this` is the object. */
type Body<Target, Method> = Method extends (...args: infer Args) => infer Result
  ? (this: Target, original: (...args: Args) => Result, ...args: Args) => Result
  : never;

/** Replaces one method. What is returned brings it back. */
export function replace<Key extends PropertyKey, Target extends Record<Key, (...args: never[]) => unknown>>(
  target: Target,
  key: Key,
  body: Body<Target, Target[Key]>,
): () => void {
  const original = target[key];
  const replacement = function (this: Target, ...args: unknown[]): unknown {
    return Reflect.apply(body, this, [original.bind(this), ...args]);
  };
  Reflect.set(target, key, replacement);
  return () => {
    target[key] = original;
  };
}

export const nothing = (): void => undefined;
