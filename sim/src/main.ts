// The command: `npm run sim -- --seeds 1000 --steps 2000`, `--seed N` for one with its transcript, `--faults` to judge the judge.

import { parseArgs } from "node:util";
import { FAULT_STEPS } from "./faults.ts";
import { judgeTheJudge } from "./judge-judge.ts";
import type { Violation } from "./model/report.ts";
import { makePlan } from "./plan.ts";
import { shrink } from "./shrink.ts";
import { simulate } from "./simulation.ts";

const USAGE = `usage: node sim/dist/main.js [--seeds 1000] [--steps 2000] [--from 1]   runs seeds, one after the other
       node sim/dist/main.js --seed N [--steps 2000] [--whole]       replays one; shortened first unless --whole
       node sim/dist/main.js --faults [--from 1]                     plants faults; each has to be found`;

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "1000" },
    steps: { type: "string", default: "2000" },
    from: { type: "string", default: "1" },
    seed: { type: "string" },
    whole: { type: "boolean", default: false },
    faults: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

const steps = Number(values.steps);
const from = Number(values.from);

if (values.help) console.log(USAGE);
else if (values.faults) process.exitCode = await showFaults();
else if (values.seed !== undefined) process.exitCode = await showOne(Number(values.seed));
else process.exitCode = await showMany(Number(values.seeds));

/** Runs many seeds and counts. */
async function showMany(count: number): Promise<number> {
  const startedMs = performance.now();
  let events = 0;
  let faults = 0;
  let hours = 0;
  let failed = 0;
  for (let seed = from; seed < from + count; seed++) {
    const outcome = await simulate(makePlan(seed, steps));
    events += outcome.events;
    faults += outcome.faults;
    hours += outcome.elapsedMs / 3_600_000;
    const [first] = outcome.violations;
    if (first === undefined) continue;
    failed++;
    console.log(`seed ${seed}: ${violationText(first)}`);
  }
  const seconds = (performance.now() - startedMs) / 1000;
  console.log(
    `${count} seeds of ${steps} steps in ${seconds.toFixed(1)} s: ${(count / seconds).toFixed(1)} seeds per second, ` +
      `${events} events, ${faults} faults injected, ${Math.round(hours)} simulated hours, ${failed} seeds with violations`,
  );
  return failed === 0 ? 0 : 1;
}

/** Replays one seed, twice, to show that it is the same each time, and prints its story. */
async function showOne(seed: number): Promise<number> {
  const whole = makePlan(seed, steps);
  const plan = values.whole ? whole : await shrink(whole);
  const outcome = await simulate(plan, true);
  const again = await simulate(plan);
  for (const line of outcome.transcript ?? []) console.log(line);
  console.log(
    `seed ${seed}, ${plan.steps.length} of ${whole.steps.length} steps, trace ${outcome.hash}, again ${again.hash}`,
  );
  console.log(`limits ${JSON.stringify(plan.limits)}`);
  for (const violation of outcome.violations) console.log(violationText(violation));
  return outcome.violations.length === 0 && outcome.hash === again.hash ? 0 : 1;
}

async function showFaults(): Promise<number> {
  const findings = await judgeTheJudge(from, ({ fault, seeds, rule }) => {
    const outcome =
      seeds === undefined
        ? `NOT FOUND within ${fault.mostSeeds} seeds`
        : `seed ${seeds} of at most ${fault.mostSeeds}: ${rule}`;
    console.log(`${fault.name}: ${outcome}`);
  });
  const found = findings.filter(({ seeds }) => seeds !== undefined).length;
  console.log(`${found} of ${findings.length} planted faults found in runs of ${FAULT_STEPS} steps`);
  return found === findings.length ? 0 : 1;
}

function violationText({ rule, text }: Violation): string {
  return `${rule}: ${text}`;
}
