#!/usr/bin/env node
// The command for maintainers: writes docs/conformance-results.md from what `--contract --json` printed for each broker.
// Fails when a failure is not explained in explanations.ts, or an explanation explains none.
//   node dist/results.js FILE.md heirloom=FILE.json mosquitto=FILE.json aedes=FILE.json
import { readFile, writeFile } from "node:fs/promises";
import { BROKERS, explanations, type BrokerName } from "./explanations.ts";
import { resultsPage, unexplained } from "./results-page.ts";
import type { Result } from "./run.ts";

const [page, ...files] = process.argv.slice(2);

async function readResults(broker: BrokerName): Promise<readonly Result[]> {
  const path = files.find((argument) => argument.startsWith(`${broker}=`))?.slice(broker.length + 1);
  if (path === undefined) throw new Error(`${broker}=FILE.json is missing`);
  const results: readonly Result[] = JSON.parse(await readFile(path, "utf8"));
  return results;
}

const runs = await Promise.all(
  BROKERS.map(async ({ name }) => ({ broker: name, results: await readResults(name) })),
);
const missing = unexplained(runs, explanations);
for (const line of missing) console.error(line);
if (page !== undefined && missing.length === 0) await writeFile(page, resultsPage(runs, explanations));
process.exitCode = missing.length === 0 && page !== undefined ? 0 : 1;
