// The Markdown report of a benchmark session, and the description of the machine it ran on.
import { execFileSync } from "node:child_process";
import { statfsSync } from "node:fs";
import { cpus, release, tmpdir, totalmem } from "node:os";

/** @typedef {import("./summary.mjs").FigureResult} FigureResult */
/** @typedef {import("./summary.mjs").Spread} Spread */

const fileSystems = new Map([
  [0xef53, "ext4"],
  [0x58465342, "xfs"],
  [0x9123683e, "btrfs"],
  [0x01021994, "tmpfs: syncs cost nothing here"],
  [0x794c7630, "overlay"],
]);

/** @returns {Record<string, string | number>} what a reader has to know to judge the figures */
export function describeMachine() {
  const { type } = statfsSync(tmpdir());
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    dataFolder: `${tmpdir()} (${fileSystems.get(type) ?? `file system type 0x${type.toString(16)}`})`,
    commit: commit(),
  };
}

function commit() {
  try {
    const git = (...args) =>
      execFileSync("git", args, {
        cwd: import.meta.dirname,
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"],
      }).trim();
    return git("rev-parse", "--short", "HEAD") + (git("status", "--porcelain") === "" ? "" : " with changes");
  } catch {
    return "unknown";
  }
}

/**
 * @param {object} session
 * @param {string} session.date
 * @param {Record<string, string | number>} session.machine
 * @param {{runs: number, seconds: number, warmup: number}} session.options
 * @param {{name: string, version: string, command: string, config: string}[]} session.brokers
 * @param {{name: string, what: string, commands: string[]}[]} session.rows
 * @param {Map<string, FigureResult[]>} session.results by row name
 * @param {{row: string, broker: string, run: number, text: string}[]} session.failures
 * @param {{row: string, broker: string, run: number, text: string}[]} session.notes
 * @returns {string}
 */
export function markdownReport(session) {
  return [
    `# Benchmarks of ${session.date}`,
    machineSection(session),
    failureSection("Failed runs", session.failures, "Every run passed the checks of mqttload."),
    figureSection(session),
    failureSection("Lost at QoS 0", session.notes, ""),
    commandSection(session),
  ]
    .filter((part) => part !== "")
    .join("\n\n")
    .concat("\n");
}

function machineSection({ machine, options }) {
  const facts = Object.entries(machine).map(([name, value]) => `- ${name}: ${value}`);
  const { runs, seconds, warmup } = options;
  const text =
    `Median of ${runs} runs (smallest - largest; 3 at most of the offline and retained rows), ${seconds} s each where a run is timed, ` +
    `${warmup === 0 ? "no warm-up left out" : `${warmup} s of warm-up left out`}. ` +
    "Each run meets a fresh broker process; brokers take turns. CPU is that of the broker, on the same machine as " +
    "the load generator.";
  return [...facts, "", text].join("\n");
}

function failureSection(title, entries, otherwise) {
  if (entries.length === 0) return otherwise;
  const lines = entries.map(({ row, broker, run, text }) => {
    const [first, ...rest] = text.split("\n");
    return [
      `- **${row}**, ${broker}, run ${run}: ${first}`,
      ...rest.slice(0, 8).map((line) => `      ${line}`),
    ].join("\n");
  });
  return [`## ${title}`, "", ...lines].join("\n");
}

function figureSection({ brokers, rows, results }) {
  const names = brokers.map((broker) => broker.name);
  const head = ["row", "figure", "unit", ...names, "heirloom / mosquitto", "target", "target ratio"];
  const lines = rows.flatMap((row) => results.get(row.name).map((result) => figureLine(row, result, names)));
  return ["## Figures", "", tableRow(head), tableRow(head.map(() => "---")), ...lines].join("\n");
}

function figureLine(row, result, names) {
  const { figure, byBroker, ratio } = result;
  const base = figure.ownBase;
  return tableRow([
    row.name,
    figure.name,
    figure.unit,
    ...names.map((name) => cell(byBroker[name])),
    ratio === undefined ? "-" : number(ratio),
    target(figure, base ? `${base.times} x ${base.row}` : figure.ours, result.ours),
    target(figure, figure.ratio, result.againstMosquitto),
  ]);
}

function target(figure, limit, verdict) {
  if (verdict === "none") return "";
  const mark = { met: ": met", missed: ": **missed**", unknown: "" }[verdict];
  return `${figure.higherIsBetter ? "at least" : "at most"} ${limit}${mark}`;
}

const tableRow = (cells) => `| ${cells.join(" | ")} |`;

/** @param {Spread | undefined} figures */
function cell(figures) {
  if (figures === undefined) return "-";
  const { median, min, max, runs } = figures;
  return runs === 1 ? number(median) : `${number(median)} (${number(min)} - ${number(max)})`;
}

/**
 * @param {number} value
 * @returns {string} three significant digits, and never an exponent
 */
export function number(value) {
  const size = Math.abs(value);
  return value.toFixed(size >= 100 || size === 0 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3);
}

function commandSection({ brokers, rows }) {
  const started = brokers.map(({ name, version, command, config }) => {
    const settings = config === "" ? "" : `, configured with \`${config.split("\n").join("; ")}\``;
    return `- ${name}${version === "" ? "" : ` ${version}`}: \`${command}\`${settings}`;
  });
  const loads = rows.flatMap((row) => [
    `- **${row.name}**: ${row.what}`,
    ...row.commands.map((command) => `  - \`${command}\``),
  ]);
  return ["## Brokers", "", ...started, "", "## Loads", "", ...loads].join("\n");
}
