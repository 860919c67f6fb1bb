// Shortens a failing plan: leaves out steps as long as the same rule is still broken, so that what remains is a short story.

import type { Plan, Step } from "./plan.ts";
import { simulate } from "./simulation.ts";

/** Runs that one shortening may take. */
const MOST_RUNS = 2_000;

/** The shortest plan found that still breaks the rule that `plan` breaks first. */
export async function shrink(plan: Plan): Promise<Plan> {
  const rule = (await simulate(plan)).violations[0]?.rule;
  if (rule === undefined) return plan;
  let runs = 0;
  const stillFails = async (steps: readonly Step[]): Promise<boolean> => {
    runs++;
    const outcome = await simulate({ ...plan, steps });
    return outcome.violations[0]?.rule === rule;
  };
  let { steps } = plan;
  for (let size = Math.ceil(steps.length / 2); size >= 1 && runs < MOST_RUNS;) {
    const shorter = await leaveOut(steps, size, stillFails);
    if (shorter.length === steps.length || size > shorter.length) size = size === 1 ? 0 : Math.ceil(size / 2);
    steps = shorter;
  }
  return { ...plan, steps };
}

/** Leaves out every run of `size` steps that is not needed. */
async function leaveOut(
  steps: readonly Step[],
  size: number,
  stillFails: (steps: readonly Step[]) => Promise<boolean>,
): Promise<readonly Step[]> {
  let kept = steps;
  for (let start = Math.max(0, kept.length - size); ; start -= size) {
    const from = Math.max(0, start);
    const shorter = [
      ...kept.slice(0, from),
      ...mergeTime(kept.slice(from, start + size), kept.slice(start + size)),
    ];
    if (shorter.length < kept.length && (await stillFails(shorter))) kept = shorter;
    if (from === 0) return kept;
  }
}

/** The steps behind a gap come as late as before. */
function mergeTime(gone: readonly Step[], rest: readonly Step[]): readonly Step[] {
  const [first, ...others] = rest;
  if (first === undefined) return rest;
  const goneMs = gone.reduce((sum, { afterMs }) => sum + afterMs, 0);
  return [{ ...first, afterMs: first.afterMs + goneMs }, ...others];
}
