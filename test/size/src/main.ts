// The command `npm run size`: what a million queued messages and a hundred thousand offline sessions cost in memory, time
// and disk, and that nothing of it is lost or out of order. Ends with 1 when a bound is broken. Run with --expose-gc.
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

// Bounds that have to hold on any machine: a few times what was measured, as collectors and disks differ.

/** The journal (16 MiB), buffers of the database, recent blocks, and garbage: what a queue may add, whatever is in it. */
const MOST_GROWN_BYTES = 128 * MEGABYTE;
/** Bytes of memory of an offline session with one subscription. */
const MOST_SESSION_BYTES = 10_000;
/** What many offline sessions may make a publication dearer: larger heaps are dearer to collect, nothing else grows. */
const MOST_TIMES_DEARER = 5;
/** With a million messages, and with a hundred thousand sessions. */
const MOST_START_MS = 30_000;
/** The data directory after everything was read. */
const MOST_LEFT_BYTES = 32 * MEGABYTE;

const broken: string[] = [];

/** Prints a figure; with `bound`, one that must not be larger. */
function report(what: string, figure: string, bound?: { seen: number; most: number; text: string }): void {
  const isBroken = bound !== undefined && bound.seen > bound.most;
  const text = bound === undefined ? "" : `  (at most ${bound.text}${isBroken ? ": BROKEN" : ""})`;
  console.log(`${what.padEnd(66)} ${figure}${text}`);
  if (isBroken) broken.push(what);
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
    { seen: after - before, most: MOST_GROWN_BYTES, text: `${megabytes(MOST_GROWN_BYTES)} more` },
  );
  report("CPU to publish one, on disk before PUBACK", `${(rest.cpuUs / (messages - tenth)).toFixed(1)} us`);
  report("data directory", megabytes(await harness.diskBytes()));
  await harness.stop();
  const startMs = await harness.start();
  reportStart(startMs);
  // The numbers begin anew after the first tenth.
  await harness.drain("device-0", tenth);
  const drained = await timed(() => harness.drain("device-0", messages - tenth));
  report(
    "drain, complete and in order: CPU for one",
    `${(drained.cpuUs / (messages - tenth)).toFixed(1)} us`,
  );
  report("resident after", megabytes(residentBytes()));
  let bytes = await harness.diskBytes();
  for (let waits = 0; waits < 100 && bytes > MOST_LEFT_BYTES; waits++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    bytes = await harness.diskBytes();
  }
  report("data directory after", megabytes(bytes), {
    seen: bytes,
    most: MOST_LEFT_BYTES,
    text: megabytes(MOST_LEFT_BYTES),
  });
  await harness.stop();
  await harness.remove();
}

function reportStart(startMs: number): void {
  report("restart", `${startMs.toFixed(0)} ms`, {
    seen: startMs,
    most: MOST_START_MS,
    text: `${MOST_START_MS} ms`,
  });
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
  const each = (after - before) / sessions;
  report("resident for each", `${each.toFixed(0)} bytes`, {
    seen: each,
    most: MOST_SESSION_BYTES,
    text: `${MOST_SESSION_BYTES} bytes`,
  });
  // As before the first measurement: what making the sessions left to be written is not the publications' cost.
  await harness.publish("size/a", 20_000);
  const many = await timed(() => harness.publish("size/a", 20_000));
  report("CPU to publish one with 1 session offline", `${(one.cpuUs / 20_000).toFixed(2)} us`);
  report(`CPU to publish one with ${sessions} sessions offline`, `${(many.cpuUs / 20_000).toFixed(2)} us`, {
    seen: many.cpuUs / one.cpuUs,
    most: MOST_TIMES_DEARER,
    text: `${MOST_TIMES_DEARER} times as much`,
  });
  await harness.stop();
  reportStart(await harness.start());
  for (const _ of ["warm", "measured"]) await harness.drain(`device-${sessions - 1}`, 20_000);
  report("one of them drained, complete and in order", "40000 messages");
  await harness.stop();
  await harness.remove();
}

console.log(`one offline session, ${messages} messages`);
await queueOfOneSession();
console.log(`\n${sessions} offline sessions on one filter`);
await manySessions();
console.log(broken.length === 0 ? "\nevery bound held" : `\nBROKEN: ${broken.join("; ")}`);
process.exitCode = broken.length === 0 ? 0 : 1;
