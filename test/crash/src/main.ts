// `npm run crash -- --rounds 200 [--seed N] [--slow-disk MS]`: kills the real server again and again and says what was lost: nothing.

import { parseArgs } from "node:util";
import { type CampaignReport, runCampaign } from "./campaign.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "200" },
    seed: { type: "string" },
    "slow-disk": { type: "string", default: "0" },
  },
});
const rounds = Number(values.rounds);
const seed = values.seed === undefined ? Date.now() % 1_000_000 : Number(values.seed);
const slowDiskMs = Number(values["slow-disk"]);
if (!Number.isSafeInteger(rounds) || rounds < 1 || !Number.isSafeInteger(seed) || !(slowDiskMs >= 0)) {
  console.error("usage: npm run crash -- [--rounds N] [--seed N] [--slow-disk MS]");
  process.exit(64);
}

console.log(`${rounds} rounds, seed ${seed}, writes ${slowDiskMs} ms late`);
const report = await runCampaign({ rounds, seed, slowDiskMs, progress });
console.log(summary(report));
for (const violation of report.violations) console.log(`  ${violation}`);
if (report.data !== undefined) console.log(`the data is left in ${report.data}`);
process.exitCode = report.violations.length === 0 ? 0 : 1;

function progress(latest: CampaignReport): void {
  if (latest.rounds % 10 === 0) console.log(summary(latest));
}

function summary(report: CampaignReport): string {
  const { rounds, stops, killedStarts, acknowledged, arrived, repetitions, violations } = report;
  return (
    `${rounds - stops} kills and ${stops} stops under load, ${killedStarts} kills in a start: ` +
    `${acknowledged} messages acknowledged, ${arrived} arrived, ${repetitions} of them repetitions; ` +
    `${violations.length} violations`
  );
}
