// The command: `node sim/dist/main.js --seeds 1000 --steps 2000 [--seed N]`.

import { parseArgs } from "node:util";
import { makePlan } from "./plan.ts";
import { shrink } from "./shrink.ts";
import { simulate } from "./simulation.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "100" },
    steps: { type: "string", default: "500" },
    seed: { type: "string" },
    shrink: { type: "boolean", default: false },
    from: { type: "string", default: "1" },
  },
});

const steps = Number(values.steps);
if (values.seed !== undefined) {
  let plan = makePlan(Number(values.seed), steps);
  if (values.shrink) plan = await shrink(plan);
  if (values.shrink) console.log(JSON.stringify({ limits: plan.limits, clients: plan.clients }, null, 0));
  const outcome = await simulate(plan, true);
  console.log((outcome.transcript ?? []).join("\n"));
  console.log(outcome.violations, outcome.hash, outcome.events);
} else {
  const started = performance.now();
  const from = Number(values.from);
  const rules = new Map<string, number[]>();
  let events = 0, faults = 0, hours = 0;
  for (let seed = from; seed < from + Number(values.seeds); seed++) {
    const outcome = await simulate(makePlan(seed, steps));
    events += outcome.events; faults += outcome.faults; hours += outcome.elapsedMs / 3_600_000;
    for (const rule of new Set(outcome.violations.map((v) => v.rule))) rules.set(rule, [...(rules.get(rule) ?? []), seed]);
    const first = outcome.violations[0];
    if (first !== undefined) console.log(seed, first.rule, first.text.slice(0, 300));
  }
  const s = (performance.now() - started) / 1000;
  console.log({ seconds: s, events, faults, hours });
  for (const [rule, seeds] of rules) console.log(rule, seeds.length, seeds.slice(0, 10).join(" "));
}
