// Measures heirloom beside other brokers: `node bench/run.mjs --help`. The rows and their targets are in lib/rows.mjs.
import { writeFileSync } from "node:fs";
import { dirname, sep } from "node:path";
import { parseArgs } from "node:util";
import { abandonBrokers, brokerFromCommand, brokerNamed } from "./lib/brokers.mjs";
import { buildLoadGenerator, loadArgs, runLoad } from "./lib/load.mjs";
import { describeMachine, markdownReport, number } from "./lib/report.mjs";
import { rows as allRows, selectRows } from "./lib/rows.mjs";
import { summarize } from "./lib/summary.mjs";

const help = `usage: node bench/run.mjs [options]

  --vs NAME[,NAME]      brokers to compare with: mosquitto, aedes
  --cmd 'NAME=COMMAND'  another broker; {port}, {wsPort} and {data} are filled in; may be repeated
  --without-heirloom    measure only the others
  --only NAME[,NAME]    only these rows, and those their targets refer to
  --runs N              runs of each row and broker, default 5; the rows that take minutes have 3 at most
  --seconds S           how long a timed run lasts, default 5
  --warmup S            leave the first S seconds of a flow out of its figures, default 0
  --out FILE.md         write the report there instead of stdout
  --json FILE           everything measured, as JSON
  --list                list the rows

Exit: 0 fine; 1 a run failed its checks; 2 usage, or something needed is missing.
`;

const usageExit = 2;

/** @typedef {import("./lib/summary.mjs").RunOutcome} RunOutcome */

function readOptions() {
  const { values } = parseArgs({
    options: {
      vs: { type: "string", default: "" },
      cmd: { type: "string", multiple: true, default: [] },
      "without-heirloom": { type: "boolean", default: false },
      only: { type: "string", default: "" },
      runs: { type: "string", default: "5" },
      seconds: { type: "string", default: "5" },
      warmup: { type: "string", default: "0" },
      out: { type: "string" },
      json: { type: "string" },
      list: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const own = values["without-heirloom"] ? [] : ["heirloom"];
  const brokers = [...own, ...words(values.vs)].map(brokerNamed).concat(values.cmd.map(brokerFromCommand));
  if (new Set(brokers.map((broker) => broker.name)).size < brokers.length) {
    throw new Error("two brokers have the same name");
  }
  return {
    ...values,
    brokers,
    rows: selectRows(words(values.only)),
    runs: numberOption("--runs", values.runs, 1),
    seconds: numberOption("--seconds", values.seconds, 0.1),
    warmup: numberOption("--warmup", values.warmup, 0),
  };
}

const words = (list) => list.split(",").filter((word) => word !== "");

function numberOption(name, text, least) {
  const value = Number(text);
  if (text.trim() === "" || !(value >= least))
    throw new Error(`${name} takes a number from ${least}: ${text}`);
  return value;
}

/** @returns {Promise<Map<string, Map<string, RunOutcome[]>>>} by row, then by broker */
async function measureAll(options) {
  const outcomes = new Map();
  for (const row of options.rows) {
    const brokers = options.brokers.filter((broker) => row.loads.every((load) => canTake(broker, load)));
    const byBroker = new Map(brokers.map((broker) => [broker.name, []]));
    outcomes.set(row.name, byBroker);
    const runs = Math.min(options.runs, row.mostRuns ?? Infinity);
    for (let run = 1; run <= runs; run++) {
      for (const broker of brokers) {
        const outcome = await measureOnce(row, broker, options);
        byBroker.get(broker.name).push(outcome);
        process.stderr.write(`${row.name} ${run}/${runs} ${broker.name}: ${progress(row, outcome)}\n`);
      }
    }
  }
  return outcomes;
}

const canTake = (broker, load) => (broker.mqtt5 || !load.mqtt5) && (broker.ws || !load.ws);

/** @returns {Promise<RunOutcome>} */
async function measureOnce(row, broker, options) {
  const reports = [];
  for (const load of row.loads) {
    const { report, failure } = await runLoad(broker, load, loadArgs(load, options));
    if (report !== undefined) reports.push(report);
    if (failure !== undefined) return { reports, failure };
  }
  return { reports, failure: undefined };
}

function progress(row, { reports, failure }) {
  if (failure !== undefined) return `FAILED ${failure}`;
  return row.figures
    .map((figure) => `${figure.name} ${number(figure.of(reports))} ${figure.unit}`)
    .join(", ");
}

/** What runs say beside their figures, as a list. */
function collect(outcomes, textOf) {
  const found = [];
  for (const [row, byBroker] of outcomes) {
    for (const [broker, runs] of byBroker) {
      runs.forEach((outcome, index) => {
        const text = textOf(outcome);
        if (text !== undefined) found.push({ row, broker, run: index + 1, text });
      });
    }
  }
  return found;
}

/** mqttload allows loss at QoS 0; a reader should know of it all the same. */
function lossNote({ reports }) {
  const lossy = reports.find((report) => report.qos_pub === 0 && report.lost > 0);
  return lossy && `${lossy.lost} of ${lossy.expected} not delivered`;
}

function session(options, outcomes, date) {
  const place = { port: "PORT", wsPort: undefined, data: "DATA" };
  return {
    date,
    machine: describeMachine(),
    options: { runs: options.runs, seconds: options.seconds, warmup: options.warmup },
    brokers: options.brokers.map((broker) => ({
      name: broker.name,
      version: broker.version(),
      command: broker.command(place).map(shortPath).join(" "),
      config: broker.config?.(place) ?? "",
    })),
    rows: options.rows.map((row) => ({
      name: row.name,
      what: row.what,
      commands: row.loads.map((load) =>
        ["mqttload", ...loadArgs(load, options), "-p PORT --pid PID --tree"].join(" "),
      ),
    })),
    results: summarize(options.rows, outcomes),
    failures: collect(outcomes, (outcome) => outcome.failure),
    notes: collect(outcomes, lossNote),
  };
}

/** A word of a command without the folders of this machine. */
function shortPath(word) {
  return word === process.execPath ? "node" : word.replace(dirname(import.meta.dirname) + sep, "");
}

function writeJson(file, report, outcomes) {
  const plain = {
    ...report,
    results: Object.fromEntries(report.results),
    runs: Object.fromEntries([...outcomes].map(([row, byBroker]) => [row, Object.fromEntries(byBroker)])),
  };
  writeFileSync(file, JSON.stringify(plain, undefined, 2) + "\n");
}

async function main() {
  const options = readOptions();
  if (options.help || options.list) {
    const list = allRows.map((row) => `${row.name.padEnd(24)}${row.what}\n`).join("");
    process.stdout.write(options.help ? help : list);
    return 0;
  }
  buildLoadGenerator();
  for (const broker of options.brokers) broker.prepare();
  const date = new Date().toISOString().slice(0, 10);
  const outcomes = await measureAll(options);
  const report = session(options, outcomes, date);
  const text = markdownReport(report);
  if (options.out === undefined) process.stdout.write(text);
  else writeFileSync(options.out, text);
  if (options.json !== undefined) writeJson(options.json, report, outcomes);
  return report.failures.length > 0 ? 1 : 0;
}

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, () => {
    abandonBrokers();
    process.exit(usageExit);
  });
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`bench: ${error.message}\n`);
  process.exitCode = usageExit;
}
