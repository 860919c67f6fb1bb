// The command: node test/differential/dist/src/main.js [--seeds N] [--from S] [--steps N]
//
// Plays conversations to heirloom and to mosquitto and prints what differs. Ends with 1 when something is not explained.

import { parseArgs } from "node:util";
import { newDirectory, removeDirectory } from "#interop/directory";
import { startHeirloom, startMosquitto } from "./brokers.ts";
import { compare } from "./compare.ts";
import { makePlan } from "./plan.ts";
import { play } from "./play.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "10" },
    from: { type: "string", default: "1" },
    steps: { type: "string", default: "60" },
  },
});
const allowed = new Map<string, number>();
let unexplainedCount = 0;
for (let seed = Number(values.from); seed < Number(values.from) + Number(values.seeds); seed++) {
  const comparison = await converse(seed, Number(values.steps));
  for (const [name, count] of comparison.allowed) allowed.set(name, (allowed.get(name) ?? 0) + count);
  unexplainedCount += comparison.unexplained.length;
  for (const text of comparison.unexplained) console.log(`seed ${seed}, ${text}`);
}
for (const [name, count] of allowed) console.log(`${count} times: ${name}`);
console.log(`${values.seeds} conversations, ${unexplainedCount} differences not explained`);
process.exitCode = unexplainedCount === 0 ? 0 : 1;

async function converse(seed: number, steps: number): Promise<ReturnType<typeof compare>> {
  const directory = await newDirectory("differential");
  const plan = makePlan(seed, steps);
  const heirloom = await startHeirloom(directory);
  const mosquitto = await startMosquitto(directory);
  try {
    return compare(plan, await play(heirloom.port, plan), await play(mosquitto.port, plan));
  } finally {
    await Promise.all([heirloom.stop(), mosquitto.stop()]);
    await removeDirectory(directory);
  }
}
