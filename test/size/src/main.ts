// The command `npm run size`: what a million queued messages and a hundred thousand offline sessions cost in memory, time
// and disk, and that nothing of it is lost or out of order. Run with --expose-gc.
//   node --expose-gc test/size/dist/src/main.js [--messages N] [--sessions N]

import { parseArgs } from "node:util";
import { Harness, residentBytes } from "./harness.ts";

const { values } = parseArgs({
  options: {
    messages: { type: "string", default: "1000000" },
    sessions: { type: "string", default: "100000" },
  },
});
const messages = Number(values.messages);
const sessions = Number(values.sessions);
const MEGABYTE = 1_048_576;

function report(what: string, figure: string): void {
  console.log(`${what.padEnd(66)} ${figure}`);
}

const megabytes = (bytes: number): string => `${(bytes / MEGABYTE).toFixed(0)} MiB`;

async function timed(work: () => Promise<void>): Promise<{ wallMs: number; cpuUs: number }> {
  const wall = performance.now();
  const cpu = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(cpu);
  return { wallMs: performance.now() - wall, cpuUs: user + system };
}

async function queueOfOneSession(): Promise<void> {
  const harness = await Harness.create();
  await harness.start();
  await harness.makeOfflineSessions(1, "size/#");
  const before = residentBytes();
  const tenth = messages / 10;
  await harness.publish("size/a", tenth);
  const afterTenth = residentBytes();
  const rest = await timed(() => harness.publish("size/a", messages - tenth));
  const after = residentBytes();
  report(
    `resident before, with ${tenth}, with ${messages} messages queued`,
    [before, afterTenth, after].map(megabytes).join(", "),
  );
  report("CPU to publish one, on disk before PUBACK", `${(rest.cpuUs / (messages - tenth)).toFixed(1)} us`);
  report("data directory", megabytes(await harness.diskBytes()));
  await harness.stop();
  const startMs = await harness.start();
  report("restart", `${startMs.toFixed(0)} ms`);
  // The numbers begin anew after the first tenth.
  await harness.drain("device-0", tenth);
  const drained = await timed(() => harness.drain("device-0", messages - tenth));
  report(
    "drain, complete and in order: CPU for one",
    `${(drained.cpuUs / (messages - tenth)).toFixed(1)} us`,
  );
  report("resident after", megabytes(residentBytes()));
  let bytes = await harness.diskBytes();
  for (let waits = 0; waits < 100 && bytes > MEGABYTE * 32; waits++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    bytes = await harness.diskBytes();
  }
  report("data directory after", megabytes(bytes));
  await harness.stop();
  await harness.remove();
}

async function manySessions(): Promise<void> {
  const harness = await Harness.create();
  await harness.start();
  await harness.makeOfflineSessions(1, "size/#");
  await harness.publish("size/a", 20_000);
  const one = await timed(() => harness.publish("size/a", 20_000));
  const before = residentBytes();
  const made = await timed(() => harness.makeOfflineSessions(sessions, "size/#"));
  const after = residentBytes();
  report(`${sessions} sessions made: CPU each`, `${(made.cpuUs / sessions).toFixed(0)} us`);
  report("resident for each", `${((after - before) / sessions).toFixed(0)} bytes`);
  const many = await timed(() => harness.publish("size/a", 20_000));
  report("CPU to publish one with 1 session offline", `${(one.cpuUs / 20_000).toFixed(2)} us`);
  report(`CPU to publish one with ${sessions} sessions offline`, `${(many.cpuUs / 20_000).toFixed(2)} us`);
  await harness.stop();
  report("restart", `${(await harness.start()).toFixed(0)} ms`);
  await harness.drain(`device-${sessions - 1}`, 20_000);
  report("one of them drained, complete and in order", "20000 messages");
  await harness.stop();
  await harness.remove();
}

console.log(`one offline session, ${messages} messages`);
await queueOfOneSession();
console.log(`\n${sessions} offline sessions on one filter`);
await manySessions();
