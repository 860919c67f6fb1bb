// Plants each fault in turn and tells after how many seeds the model found it, and by which rule.

import { FAULT_STEPS, type Fault } from "./fault.ts";
import type { Rule } from "./model/report.ts";
import { makePlan } from "./make-plan.ts";
import { simulate } from "./simulation.ts";

export interface Finding {
  readonly fault: Fault;
  /** How many seeds it took; `undefined` when it was not found within its number. */
  readonly seeds: number | undefined;
  readonly rule: Rule | undefined;
}

/** @param firstSeed the seed to begin with. */
export async function judgeTheJudge(
  faults: readonly Fault[],
  firstSeed: number,
  found: (finding: Finding) => void = () => undefined,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const fault of faults) {
    const finding = await seek(fault, firstSeed);
    findings.push(finding);
    found(finding);
  }
  return findings;
}

async function seek(fault: Fault, firstSeed: number): Promise<Finding> {
  const takeAway = fault.plant();
  try {
    for (let seeds = 1; seeds <= fault.mostSeeds; seeds++) {
      const plan = makePlan(firstSeed + seeds - 1, FAULT_STEPS);
      const { violations } = await simulate(fault.emphasise?.(plan) ?? plan);
      const [first] = violations;
      if (first !== undefined) return { fault, seeds, rule: first.rule };
    }
    return { fault, seeds: undefined, rule: undefined };
  } finally {
    takeAway();
  }
}
