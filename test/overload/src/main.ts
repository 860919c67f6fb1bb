// The command `npm run overload`: every flood, with what it cost and what others saw. In the size of the tests, or with
// `--full` ten times as large; other arguments are words that the floods' titles have to contain.

import { FLOODS } from "./floods/index.ts";
import { inMebibytes, type Outcome, runFlood, SLACK_BYTES, type Flood } from "./flood.ts";

const FULL_SCALE = 10;

const words = process.argv.slice(2).filter((word) => !word.startsWith("--"));
const scale = process.argv.includes("--full") ? FULL_SCALE : 1;
let failures = 0;

function show(flood: Flood, { grownBytes, standstillMs, served, report }: Outcome): void {
  const { longestMs, medianMs, messages } = served;
  console.log(`  bound ${inMebibytes(flood.boundBytes)} + ${inMebibytes(SLACK_BYTES)}: ${flood.boundReason}`);
  console.log(
    `  grew by ${inMebibytes(grownBytes)}, event loop stood still for ${standstillMs.toFixed(0)} ms`,
  );
  console.log(
    `  the other client: ${messages} messages, longest ${longestMs.toFixed(0)} ms, median ${medianMs.toFixed(1)} ms`,
  );
  const counters = flood.counters.map((name) => `${name} ${report.counters[name]}`);
  console.log(`  ${counters.join(", ")}\n`);
}

for (const flood of FLOODS) {
  if (words.length > 0 && !words.some((word) => flood.title.includes(word))) continue;
  const startedMs = performance.now();
  console.log(flood.title);
  try {
    const outcome = await runFlood(flood, scale);
    console.log(`  ${((performance.now() - startedMs) / 1_000).toFixed(1)} s`);
    show(flood, outcome);
  } catch (error) {
    failures++;
    console.log("  FAILED", error);
  }
}
process.exit(failures === 0 ? 0 : 1);
