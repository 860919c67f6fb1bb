#!/usr/bin/env node
// The command for maintainers: plays the suite to heirloom, Mosquitto and Aedes, each started by its controls, and writes
// docs/conformance-results.md. Fails when a failure is not explained in explanations.ts, or an explanation explains none.
//   node dist/results.js FILE.md [NAME=FILE.json ...]     with what `--contract --json` printed for that broker before
import { readFile, writeFile } from "node:fs/promises";
import type { Controls } from "./case.ts";
import { BROKERS, explanations, type BrokerName } from "./explanations.ts";
import { resultsPage, unexplained } from "./results-page.ts";
import { type Result, type RunOptions, runConformance } from "./run.ts";

/** Few at once, so that the cases about time hold while the machine does other work, too. */
const CONCURRENCY = 8;

const [page, ...files] = process.argv.slice(2);

async function resultsOf(broker: BrokerName): Promise<readonly Result[]> {
  const path = files.find((argument) => argument.startsWith(`${broker}=`))?.slice(broker.length + 1);
  if (path === undefined) return playTo(broker);
  const results: readonly Result[] = JSON.parse(await readFile(path, "utf8"));
  return results;
}

async function playTo(broker: BrokerName): Promise<readonly Result[]> {
  const module = new URL(`../controls/${broker}.mjs`, import.meta.url);
  const { controls }: { readonly controls: Controls } = await import(module.href);
  let results: readonly Result[] = [];
  await controls.withBroker({}, async ({ target }) => {
    const options = { ...target, controls, contract: true, concurrency: CONCURRENCY };
    results = await Promise.all((await runConformance(options)).map((result) => again(result, options)));
  });
  const count = (wanted: Result["status"]): number =>
    results.filter(({ status }) => status === wanted).length;
  console.log(`${broker}: ${count("pass")} passed, ${count("fail")} failed, ${count("skip")} skipped`);
  return results;
}

let latest: Promise<unknown> = Promise.resolve();

/** What failed is played once more, alone: many cases measure time, of which a busy machine gives too little. */
function again(result: Result, options: RunOptions): Promise<Result> {
  if (result.status !== "fail") return Promise.resolve(result);
  const { title: only, version } = result;
  const played = latest.then(async () => {
    const results = await runConformance({ ...options, concurrency: 1, only, version });
    return results.find(({ title }) => title === only) ?? result;
  });
  latest = played;
  return played;
}

const runs = [];
// One after the other: they would take time from each other.
for (const { name } of BROKERS) runs.push({ broker: name, results: await resultsOf(name) });
const missing = unexplained(runs, explanations);
for (const line of missing) console.error(line);
if (page !== undefined && missing.length === 0) await writeFile(page, resultsPage(runs, explanations));
process.exitCode = missing.length === 0 && page !== undefined ? 0 : 1;
