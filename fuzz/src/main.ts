// The command:
//   node fuzz/dist/main.js --target NAME --executions N [--seed S] [--processes P] [--save]
//
// Plays regressions and corpus, then N new inputs. Ends with 1 when anything failed; each failure is kept in
// `regressions/`. SIGINT ends it early, in order. With --processes the inputs are shared out among so many processes, with
// the seeds S, S + 1 and so on, and what they found is put together. With --save the corpus is replaced by few and small
// inputs that reach everything that was reached.

import { readdirSync } from "node:fs";
import { parseArgs } from "node:util";
import { readCorpus, readRegressions, writeCorpus, writeInputs, writeRegression } from "./corpus.ts";
import { Coverage } from "./coverage.ts";
import { explore } from "./explorers.ts";
import { Fuzzer } from "./fuzzer.ts";
import { isTargetModule, type Target } from "./target.ts";
import { Watchdog } from "./watchdog.ts";

const REPORT_MS = 30_000;
const BATCH = 500;

const { values } = parseArgs({
  options: {
    target: { type: "string", default: "codec" },
    executions: { type: "string", default: "100000" },
    seed: { type: "string", default: "1" },
    processes: { type: "string", default: "1" },
    save: { type: "boolean", default: false },
    // Where one of several processes leaves what it kept.
    kept: { type: "string" },
  },
});
const [executions, seed, processes] = [values.executions, values.seed, values.processes].map(Number);
if (!isCount(executions) || !isCount(seed) || !isCount(processes) || processes < 1) {
  throw new RangeError("--executions, --seed and --processes are whole numbers");
}
const startedMs = performance.now();

// Before anything loads the codec or the core.
const coverage = new Coverage();
const target = await targetOf(values.target);
const watchdog = new Watchdog(target.name, target.maximumLength);
const fuzzer = new Fuzzer({
  target,
  coverage,
  seed,
  playing: (input) => watchdog.playing(input),
  failed: (inputs, error) => {
    const path = writeRegression(target.name, inputs, error.stack ?? error.message);
    console.error(`${path}\n${error.stack ?? error.message}`);
  },
});

await playKnown();
const played = processes === 1 ? await playNew(executions) : await playApart(executions, processes);
if (values.kept !== undefined) writeInputs(values.kept, fuzzer.inputs);
const kept = values.save ? await fuzzer.minimised() : fuzzer.inputs;
if (values.save) writeCorpus(target.name, kept);
console.log(summary(played, kept.length));
await watchdog.stop();
if (fuzzer.failureCount > 0) process.exitCode = 1;

function isCount(value: number | undefined): value is number {
  return Number.isSafeInteger(value) && (value ?? -1) >= 0;
}

async function targetOf(name: string): Promise<Target> {
  const names = targetNames();
  if (!names.includes(name)) throw new RangeError(`--target ${name}; ${names.join(", ")} are known`);
  const module: unknown = await import(`./targets/${name}.js`);
  if (!isTargetModule(module)) throw new TypeError(`targets/${name}.ts exports no makeTarget`);
  return module.makeTarget({ allocated: () => coverage.allocatedBytes });
}

/** Each file in `targets/` is one. */
function targetNames(): string[] {
  return readdirSync(new URL("targets", import.meta.url))
    .filter((name) => name.endsWith(".js"))
    .map((name) => name.slice(0, -".js".length))
    .sort();
}

async function playKnown(): Promise<void> {
  coverage.clear();
  for (const { inputs } of readRegressions(target.name)) {
    for (const input of inputs) await fuzzer.play(input);
    await fuzzer.renew();
  }
  for (const input of [...readCorpus(target.name), ...target.seeds]) await fuzzer.play(input);
  await fuzzer.renew();
}

/** @returns how many were played. */
async function playNew(count: number): Promise<number> {
  const known = fuzzer.executions;
  let reportedMs = startedMs;
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort());
  while (!stop.signal.aborted && fuzzer.executions - known < count) {
    await fuzzer.playNew(Math.min(BATCH, count - (fuzzer.executions - known)));
    // Lets signals in.
    await new Promise((resolve) => setImmediate(resolve));
    if (performance.now() - reportedMs < REPORT_MS) continue;
    reportedMs = performance.now();
    console.log(summary(fuzzer.executions - known, fuzzer.inputs.length));
  }
  await fuzzer.renew();
  return fuzzer.executions - known;
}

async function playApart(count: number, processCount: number): Promise<number> {
  watchdog.rest();
  const found = await explore({ target: target.name, executions: count, seed: seed ?? 1, processCount });
  for (const input of found.inputs) await fuzzer.play(input);
  await fuzzer.renew();
  if (found.failedCount > 0) process.exitCode = 1;
  return found.executions;
}

function summary(executed: number, keptCount: number): string {
  const seconds = (performance.now() - startedMs) / 1000;
  const seeds = processes === 1 ? `seed ${seed}` : `seeds ${seed} to ${(seed ?? 1) + (processes ?? 1) - 1}`;
  return [
    `${target.name}: ${executed} executions`,
    `${keptCount} inputs kept`,
    `${coverage.blockCount} of ${coverage.counterCount} blocks`,
    `${seconds.toFixed(0)} seconds`,
    seeds,
    `${fuzzer.failureCount} failures`,
  ].join(", ");
}
