// Several processes with a share of the seeds each. What each finds is printed as it comes; what each counted is added up.

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("main.js", import.meta.url));
/** Begins the line in which a process says what it counted. */
export const COUNTED = "counted ";

/** What a run of many seeds, or of many planted faults, counted. */
export type Counts = Record<string, number>;

/**
 * Runs the command once for each list of arguments, all at the same time, and adds up what they counted.
 *
 * @throws Error when one of them did not come to its end: then nobody may believe the sum.
 */
export async function runShares(shares: readonly (readonly string[])[]): Promise<Counts> {
  const sum: Counts = {};
  for (const counts of await Promise.all(shares.map(runShare))) {
    for (const [name, count] of Object.entries(counts)) sum[name] = (sum[name] ?? 0) + count;
  }
  return sum;
}

async function runShare(args: readonly string[]): Promise<Counts> {
  const child = spawn(process.execPath, [...process.execArgv, MAIN, ...args, "--counted"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let counts: Counts | undefined;
  const ended = new Promise((resolve) => child.once("close", resolve));
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith(COUNTED)) counts = JSON.parse(line.slice(COUNTED.length)) as Counts;
    else console.log(line);
  }
  await ended;
  if (counts === undefined) throw new Error(`a process did not come to its end: ${args.join(" ")}`);
  return counts;
}
