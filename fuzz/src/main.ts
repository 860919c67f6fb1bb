// The command: node fuzz/dist/main.js --target codec|connection --executions N [--seed S] [--save]
//
// Plays regressions and corpus, then N new inputs. Ends with 1 when anything failed; each failure is kept in
// `regressions/`. SIGINT ends it early, in order. With --save the corpus is replaced by few and small inputs that reach
// everything that was reached.

import { readdirSync } from "node:fs";
import { parseArgs } from "node:util";
import { readCorpus, readRegressions, writeCorpus, writeRegression } from "./corpus.ts";
import { Coverage } from "./coverage.ts";
import { Fuzzer } from "./fuzzer.ts";
import type { Target, TargetModule } from "./target.ts";
import { Watchdog } from "./watchdog.ts";

const REPORT_MS = 10_000;
const BATCH = 500;

const { values } = parseArgs({
  options: {
    target: { type: "string", default: "codec" },
    executions: { type: "string", default: "100000" },
    seed: { type: "string", default: "1" },
    save: { type: "boolean", default: false },
  },
});
const executions = Number(values.executions);
const seed = Number(values.seed);
if (!Number.isSafeInteger(executions) || executions < 0 || !Number.isSafeInteger(seed)) {
  throw new RangeError("--executions and --seed are whole numbers");
}

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

coverage.clear();
for (const { inputs } of readRegressions(target.name)) {
  for (const input of inputs) await fuzzer.play(input);
  await fuzzer.renew();
}
for (const input of [...readCorpus(target.name), ...target.seeds]) await fuzzer.play(input);
const known = fuzzer.executions;
const startedMs = performance.now();
let reportedMs = startedMs;
const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort());
while (!stop.signal.aborted && fuzzer.executions - known < executions) {
  await fuzzer.playNew(Math.min(BATCH, executions - (fuzzer.executions - known)));
  // Lets signals in.
  await new Promise((resolve) => setImmediate(resolve));
  if (performance.now() - reportedMs < REPORT_MS) continue;
  reportedMs = performance.now();
  console.log(summary());
}
if (values.save) writeCorpus(target.name, await fuzzer.minimised());
console.log(summary());
await watchdog.stop();
process.exitCode = fuzzer.failureCount === 0 ? 0 : 1;

async function targetOf(name: string): Promise<Target> {
  const names = targetNames();
  if (!names.includes(name)) throw new RangeError(`--target ${name}; ${names.join(", ")} are known`);
  const { makeTarget }: TargetModule = await import(`./targets/${name}.js`);
  return makeTarget({ allocated: () => coverage.allocatedBytes });
}

/** Each file in `targets/` is one. */
function targetNames(): string[] {
  return readdirSync(new URL("targets", import.meta.url))
    .filter((name) => name.endsWith(".js"))
    .map((name) => name.slice(0, -".js".length))
    .sort();
}

function summary(): string {
  const played = fuzzer.executions - known;
  const seconds = (performance.now() - startedMs) / 1000;
  return [
    `${target.name} seed ${seed}: ${known} known and ${played} new inputs in ${seconds.toFixed(0)} s`,
    `${Math.round(played / Math.max(seconds, 0.001))} a second`,
    `${coverage.blockCount} of ${coverage.counterCount} blocks, ${coverage.featureCount} features`,
    `${fuzzer.inputs.length} inputs kept`,
    `${Math.round(process.memoryUsage().heapUsed / 1_048_576)} MiB`,
    `${fuzzer.failureCount} failures`,
  ].join(", ");
}
