// The differences between two brokers that the standard allows, each with the statement that allows it.

import type { Model } from "./model.ts";
import type { Step } from "./plan.ts";

export interface Difference {
  readonly index: number;
  readonly step: Step;
  readonly client: string;
  /** Empty for packets that are no PUBLISH. */
  readonly topic: string;
  readonly heirloom: readonly string[];
  readonly other: readonly string[];
}

/** @returns the name of the entry that explains the difference. */
export function allowedBy(_difference: Difference, _model: Model, _plan: readonly Step[]): string | undefined {
  return undefined;
}
