// `npm run crash -- --rounds 200 [--seed N] [--slow-disk MS] [--processes P]`: kills the real server again and again and says
// what was lost: nothing.

import { parseArgs } from "node:util";
import { type CampaignReport, runCampaign } from "./campaign.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "200" },
    seed: { type: "string" },
    "slow-disk": { type: "string", default: "0" },
    // So many servers at the same time, each with its own data, clients, seed and share of the rounds.
    processes: { type: "string", default: "1" },
  },
});
const startedMs = performance.now();
const [rounds, processes] = [Number(values.rounds), Number(values.processes)];
const seed = values.seed === undefined ? Date.now() % 1_000_000 : Number(values.seed);
const slowDiskMs = Number(values["slow-disk"]);
const isRight = [rounds, processes].every((count) => Number.isSafeInteger(count) && count >= 1);
if (!isRight || processes > rounds || !Number.isSafeInteger(seed) || !(slowDiskMs >= 0)) {
  console.error("usage: npm run crash -- [--rounds N] [--seed N] [--slow-disk MS] [--processes P]");
  process.exit(64);
}

const seeds = Array.from({ length: processes }, (_, place) => seed + place);
console.log(`${rounds} rounds, seeds ${seeds.join(", ")}, writes ${slowDiskMs} ms late`);
const latest = new Map<number, CampaignReport>();
await Promise.all(seeds.map(runShare));
console.log(summary());
for (const [ownSeed, { violations, data }] of latest) {
  for (const violation of violations) console.log(`  seed ${ownSeed}: ${violation}`);
  if (data !== undefined) console.log(`the data of seed ${ownSeed} is left in ${data}`);
}
process.exitCode = sum(({ violations }) => violations.length) === 0 ? 0 : 1;

async function runShare(ownSeed: number, place: number): Promise<void> {
  const share = Math.floor((rounds + place) / processes);
  const progress = (report: CampaignReport): void => {
    latest.set(ownSeed, report);
    if (sum((each) => each.rounds) % 10 === 0) console.log(summary());
  };
  latest.set(ownSeed, await runCampaign({ rounds: share, seed: ownSeed, slowDiskMs, progress }));
}

function sum(count: (report: CampaignReport) => number): number {
  return [...latest.values()].reduce((total, report) => total + count(report), 0);
}

function summary(): string {
  const stops = sum((report) => report.stops);
  return (
    `${sum((report) => report.rounds) - stops} kills and ${stops} stops under load, ` +
    `${sum(({ killedStarts }) => killedStarts)} kills in a start: ` +
    `${sum(({ acknowledged }) => acknowledged)} messages acknowledged, ${sum(({ arrived }) => arrived)} arrived, ` +
    `${sum(({ repetitions }) => repetitions)} of them repetitions; ` +
    `${sum(({ violations }) => violations.length)} violations; ` +
    `${((performance.now() - startedMs) / 1000).toFixed(0)} seconds`
  );
}
