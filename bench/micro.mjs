// Micro-benchmarks of the built packages: time and memory that one operation of the codec, the topic trees and the
// match cache takes. `npm run build` first, then `node bench/micro.mjs [--only TEXT] [--json FILE]`.
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { codecCases } from "./lib/codec-cases.mjs";
import { topicCases } from "./lib/topic-cases.mjs";

const rounds = 9;
const roundMs = 60;
const warmupMs = 300;
const allocationRounds = 5;

/**
 * @typedef {object} MicroCase
 * @property {string} name
 * @property {number} [targetNs] an operation may take this at most
 * @property {() => Prepared} prepare builds what the case needs; called once, just before it runs
 *
 * @typedef {object} Prepared
 * @property {() => number} step does some operations and returns their number
 * @property {number} [steps] after so many steps the input is used up; unlimited if missing
 *
 * @typedef {{name: string, ns: number, minNs: number, maxNs: number, bytes: number, targetNs?: number}} MicroResult
 */

/**
 * @param {MicroCase} micro
 * @returns {MicroResult}
 */
function measure({ name, prepare, targetNs }) {
  const { step, steps = Infinity } = prepare();
  const share = Math.floor(steps / (1 + allocationRounds + rounds));
  repeat(step, warmupMs, share);
  // The smallest, because the compiler may allocate beside us.
  const bytes = Math.min(...Array.from({ length: allocationRounds }, () => allocated(step, share)));
  const times = [];
  for (let round = 0; round < rounds; round++) times.push(repeat(step, roundMs, share));
  times.sort((a, b) => a - b);
  return { name, ns: times[rounds >> 1], minNs: times[0], maxNs: times[rounds - 1], bytes, targetNs };
}

/**
 * @returns {number} nanoseconds of CPU for each operation, over at most `limitMs` and `share` steps. CPU time of all
 *   threads, so that the collector's helpers count and other processes on the machine do not.
 */
function repeat(step, limitMs, share) {
  const start = cpuMs();
  let operations = 0;
  let elapsedMs = 0;
  for (let taken = 0; elapsedMs < limitMs && taken < share; taken++) {
    operations += step();
    elapsedMs = cpuMs() - start;
  }
  return (elapsedMs * 1e6) / operations;
}

function cpuMs() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/**
 * @returns {number} bytes allocated for each operation, on the heap and in array buffers. Few enough operations to
 *   stay within the young generation, which is made large at the start: no collection hides anything.
 */
function allocated(step, share) {
  const most = Math.min(share, 50);
  globalThis.gc();
  const before = process.memoryUsage();
  let operations = 0;
  for (let taken = 0; taken < most; taken++) operations += step();
  const after = process.memoryUsage();
  const bytes = after.heapUsed - before.heapUsed + after.arrayBuffers - before.arrayBuffers;
  return Math.max(0, bytes / operations);
}

function table(results) {
  const line = (cells) => `| ${cells.join(" | ")} |`;
  const head = ["operation", "CPU ns (min - max)", "bytes allocated", "target ns"];
  const rows = results.map(({ name, ns, minNs, maxNs, bytes, targetNs }) =>
    line([
      name,
      `${ns.toFixed(0)} (${minNs.toFixed(0)} - ${maxNs.toFixed(0)})`,
      bytes.toFixed(bytes < 10 ? 1 : 0),
      targetNs === undefined ? "" : `${targetNs}: ${ns <= targetNs ? "met" : "**missed**"}`,
    ]),
  );
  return [line(head), line(head.map(() => "---")), ...rows].join("\n");
}

/** Runs this file again with the collector exposed and a young generation that `allocated` does not fill. */
function runAgainWithFlags() {
  const flags = ["--expose-gc", "--max-semi-space-size=128", "--min-semi-space-size=128"];
  const args = [...flags, fileURLToPath(import.meta.url), ...process.argv.slice(2)];
  return spawnSync(process.execPath, args, { stdio: "inherit" }).status ?? 1;
}

function main() {
  const { values } = parseArgs({
    options: { only: { type: "string", default: "" }, json: { type: "string" } },
  });
  const cases = [...codecCases, ...topicCases].filter((each) => each.name.includes(values.only));
  const results = cases.map(measure);
  process.stdout.write(table(results) + "\n");
  if (values.json !== undefined) writeFileSync(values.json, JSON.stringify(results, undefined, 2) + "\n");
  return 0;
}

process.exitCode = globalThis.gc === undefined ? runAgainWithFlags() : main();
