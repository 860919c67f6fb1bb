// Builds mqttload, the load generator in bench/mqttload, and runs it against a broker.
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { RunningBroker } from "./brokers.mjs";

/** @typedef {import("./brokers.mjs").Broker} Broker */
/** @typedef {import("./rows.mjs").Load} Load */
/** @typedef {import("./rows.mjs").LoadReport} LoadReport */

const sourceFolder = fileURLToPath(new URL("../mqttload", import.meta.url));
const binFolder = fileURLToPath(new URL("../bin", import.meta.url));
const program = join(binFolder, "mqttload");
const longestRunSeconds = 600;

/** Compiles mqttload into bench/bin unless it is there and newer than its source. Needs `make` and a C compiler. */
export function buildLoadGenerator() {
  const source = statSync(join(sourceFolder, "mqttload.c"));
  if (existsSync(program) && statSync(program).mtimeMs > source.mtimeMs) return;
  mkdirSync(binFolder, { recursive: true });
  execFileSync("make", ["-s", "-B", "mqttload"], { cwd: sourceFolder, stdio: ["ignore", 2, 2] });
  renameSync(join(sourceFolder, "mqttload"), program);
}

/**
 * The arguments of mqttload for one run, without the target.
 *
 * @param {Load} load
 * @param {{seconds: number, warmup: number}} durations
 * @returns {string[]}
 */
export function loadArgs(load, { seconds, warmup }) {
  const rated = ["fanin", "fanout", "pair", "latency"].includes(load.args[0]);
  return [
    ...load.args,
    ...(load.timed ? ["-d", String(seconds)] : []),
    ...(rated && warmup > 0 ? ["--warmup", String(warmup)] : []),
  ];
}

/**
 * @typedef {object} LoadOutcome
 * @property {LoadReport | undefined} report missing when mqttload could not say anything
 * @property {string | undefined} failure why the run does not count; undefined when every check held
 */

/**
 * One run of mqttload against a fresh broker.
 *
 * @param {Broker} broker
 * @param {Load} load
 * @param {string[]} args from `loadArgs`
 * @returns {Promise<LoadOutcome>}
 */
export async function runLoad(broker, load, args) {
  let running;
  try {
    running = await RunningBroker.start(broker, load.ws === true);
  } catch (error) {
    return { report: undefined, failure: error.message };
  }
  const port = load.ws ? running.wsPort : running.port;
  try {
    const target = ["-p", String(port), "--pid", String(running.pid), "--tree"];
    const outcome = await runProgram([...args, ...target, "--max-s", String(longestRunSeconds)]);
    if (!running.alive) outcome.failure = `the broker ended during the run\n${running.log}`;
    return outcome;
  } finally {
    await running.end();
  }
}

/**
 * @param {string[]} args
 * @returns {Promise<LoadOutcome>}
 */
async function runProgram(args) {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  let out = "";
  let problems = "";
  child.stdout.setEncoding("utf8").on("data", (text) => (out += text));
  child.stderr.setEncoding("utf8").on("data", (text) => (problems += text));
  const code = await new Promise((resolve, reject) => {
    child.once("error", reject).once("close", resolve);
  });
  const report = parseReport(out);
  if (code === 0 && report !== undefined) return { report, failure: undefined };
  return { report, failure: `mqttload exit ${code}: ${describe(report)}\n${problems.trim()}`.trim() };
}

/** @returns {LoadReport | undefined} the JSON object on the last line */
function parseReport(out) {
  const line = out.trim().split("\n").at(-1) ?? "";
  return line.startsWith("{") ? JSON.parse(line) : undefined;
}

const checks =
  "lost dup_unflagged reorder bad qos_mismatch qos2_id_reuse qos2_open nacked bad_acks failed disconnects stalled truncated".split(
    " ",
  );

/** The counters of a report that are not as they should be. */
function describe(report) {
  if (report === undefined) return "no report";
  const counts = checks.filter((key) => report[key]).map((key) => `${key} ${report[key]}`);
  return [...counts, ...(report.problem ? [report.problem] : [])].join(", ");
}
