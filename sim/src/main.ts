// The command: `npm run sim -- --seeds 1000 --steps 2000`, `--seed N` for one with its transcript, `--faults` to judge the judge.

import { parseArgs } from "node:util";
import { FAULT_STEPS } from "./fault.ts";
import { FAULTS } from "./faults.ts";
import { judgeTheJudge } from "./judge-judge.ts";
import type { Violation } from "./model/report.ts";
import { makePlan } from "./make-plan.ts";
import { COUNTED, type Counts, runShares } from "./shares.ts";
import { shrink } from "./shrink.ts";
import { simulate } from "./simulation.ts";

const USAGE = `usage: npm run sim -- [--seeds 1000] [--steps 2000] [--from 1] [--processes 1]   runs seeds
       npm run sim -- --seed N [--steps 2000] [--whole]   replays one; shortened first unless --whole
       npm run sim -- --faults [--fault WORD] [--from 1] [--processes 1]   plants faults; each has to be found`;

/** How often a long run says how far it is. */
const PROGRESS_MS = 60_000;

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "1000" },
    steps: { type: "string", default: "2000" },
    from: { type: "string", default: "1" },
    processes: { type: "string", default: "1" },
    seed: { type: "string" },
    whole: { type: "boolean", default: false },
    faults: { type: "boolean", default: false },
    fault: { type: "string", multiple: true, default: [] },
    // Of one of several processes: it says what it counted in one line, for the one that started it.
    counted: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

const startedMs = performance.now();
const [seeds, steps, from, processes] = [values.seeds, values.steps, values.from, values.processes].map(
  wholeNumber,
) as [number, number, number, number];

if (values.help) console.log(USAGE);
else if (values.faults) process.exitCode = await showFaults();
else if (values.seed !== undefined) process.exitCode = await showOne(wholeNumber(values.seed));
else process.exitCode = await showMany();

function wholeNumber(text: string): number {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number >= 0 && text.trim() !== "") return number;
  console.error(`${text} is no whole number\n${USAGE}`);
  process.exit(64);
}

/** Runs many seeds and counts. */
async function showMany(): Promise<number> {
  const counts = processes > 1 ? await runShares(seedShares()) : await runSeeds();
  if (values.counted) console.log(COUNTED + JSON.stringify(counts));
  else console.log(summary(seeds, counts));
  return counts["failed"] === 0 ? 0 : 1;
}

/** Each process has seeds of its own, one behind the other. */
function seedShares(): string[][] {
  return Array.from({ length: processes }, (_, place) => {
    const first = Math.floor((seeds * place) / processes);
    const end = Math.floor((seeds * (place + 1)) / processes);
    return ["--seeds", `${end - first}`, "--steps", `${steps}`, "--from", `${from + first}`];
  });
}

async function runSeeds(): Promise<Counts> {
  const counts = { events: 0, faults: 0, ms: 0, failed: 0 };
  let reportedMs = startedMs;
  for (let seed = from; seed < from + seeds; seed++) {
    const outcome = await simulate(makePlan(seed, steps));
    counts.events += outcome.events;
    counts.faults += outcome.faults;
    counts.ms += outcome.elapsedMs;
    const [first] = outcome.violations;
    if (first !== undefined) {
      counts.failed++;
      console.log(`seed ${seed}: ${violationText(first)}`);
    }
    if (performance.now() - reportedMs < PROGRESS_MS) continue;
    reportedMs = performance.now();
    console.log(`up to seed ${seed}: ${summary(seed - from + 1, counts)}`);
  }
  return counts;
}

function summary(count: number, { events = 0, faults = 0, ms = 0, failed = 0 }: Counts): string {
  const seconds = (performance.now() - startedMs) / 1000;
  return (
    `${count} seeds of ${steps} steps in ${seconds.toFixed(1)} s: ${(count / seconds).toFixed(1)} seeds per second, ` +
    `${events} events, ${faults} faults injected, ${Math.round(ms / 3_600_000)} simulated hours, ` +
    `${failed} seeds with violations`
  );
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
  const words = values.fault;
  const faults = FAULTS.filter(({ name }) => words.length === 0 || words.some((word) => name.includes(word)));
  const counts =
    processes > 1 ? await runShares(faultShares(faults.map(({ name }) => name))) : await seekAll();
  const { found = 0 } = counts;
  if (values.counted) console.log(COUNTED + JSON.stringify(counts));
  else console.log(`${found} of ${faults.length} planted faults found in runs of ${FAULT_STEPS} steps`);
  return found === faults.length && found > 0 ? 0 : 1;

  async function seekAll(): Promise<Counts> {
    const findings = await judgeTheJudge(faults, from, ({ fault, seeds: needed, rule }) => {
      const outcome =
        needed === undefined
          ? `NOT FOUND within ${fault.mostSeeds} seeds`
          : `seed ${needed} of at most ${fault.mostSeeds}: ${rule}`;
      console.log(`${fault.name}: ${outcome}`);
    });
    return { found: findings.filter((finding) => finding.seeds !== undefined).length };
  }
}

/** Every so manieth fault goes to the same process. */
function faultShares(names: readonly string[]): string[][] {
  const shares = Array.from({ length: Math.min(processes, names.length) }, () => [
    "--faults",
    "--from",
    `${from}`,
  ]);
  for (const [place, name] of names.entries()) shares[place % shares.length]?.push("--fault", name);
  return shares;
}

function violationText({ rule, text }: Violation): string {
  return `${rule}: ${text}`;
}
