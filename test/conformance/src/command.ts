// The command: runs the suite against a broker that listens somewhere and prints what failed. Used by `main.ts` and by
// `heirloom conformance`.
import { connect } from "node:net";
import { parseArgs } from "node:util";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { type Controls, VERSIONS } from "./case.ts";
import { type Result, type RunOptions, runConformance } from "./run.ts";

const OPTIONS = {
  host: { type: "string", default: "127.0.0.1" },
  port: { type: "string", default: "1883" },
  "ws-port": { type: "string" },
  version: { type: "string" },
  only: { type: "string" },
  concurrency: { type: "string", default: "20" },
  controls: { type: "string" },
  contract: { type: "boolean", default: false },
  skipped: { type: "boolean", default: false },
  json: { type: "boolean", default: false },
} as const;

const REACH_MS = 10_000;
/** Characters of a column of the table. */
const COLUMN = 10;

type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>["values"];

/**
 * Runs the suite as the arguments say and prints what failed, a table of the versions, and the sum.
 * Sets the exit code: 0 when nothing failed, 1 when something did, 64 when the arguments are wrong, 69 when nobody listens.
 */
export async function runCommand(args: readonly string[]): Promise<void> {
  let values: Values;
  let options: RunOptions;
  try {
    ({ values } = parseArgs({ args: [...args], options: OPTIONS }));
    options = await runOptions(values);
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    process.exitCode = 64;
    return;
  }
  const unreachable = await whyUnreachable(options);
  if (unreachable !== undefined) {
    console.error(`no broker at ${options.host}:${options.port}: ${unreachable}`);
    process.exitCode = 69;
    return;
  }
  const results = await runConformance(options);
  if (values.json) console.log(JSON.stringify(results, null, 2));
  else print(results, values.skipped);
  process.exitCode = results.some(({ status }) => status === "fail") ? 1 : 0;
}

/** Hundreds of cases that all fail for want of a broker help nobody. */
function whyUnreachable({ host, port }: RunOptions): Promise<string | undefined> {
  return new Promise((done) => {
    const socket = connect({ host, port, timeout: REACH_MS });
    const ended = (why: string | undefined): void => {
      socket.destroy();
      done(why);
    };
    socket.once("connect", () => ended(undefined));
    socket.once("error", ({ message }) => ended(message));
    socket.once("timeout", () => ended(`no answer within ${REACH_MS} ms`));
  });
}

/** MODULE exports `controls`. */
async function loadControls(path: string): Promise<Controls> {
  const loaded: { readonly controls: Controls } = await import(pathToFileURL(resolve(path)).href);
  return loaded.controls;
}

async function runOptions(values: Values): Promise<RunOptions> {
  const version = VERSIONS.find((each) => each === values.version);
  if (values.version !== undefined && version === undefined) {
    throw new Error(`--version ${values.version}: expected one of ${VERSIONS.join(", ")}`);
  }
  return {
    host: values.host,
    port: Number(values.port),
    concurrency: Number(values.concurrency),
    contract: values.contract,
    ...(values["ws-port"] === undefined ? {} : { wsPort: Number(values["ws-port"]) }),
    ...(version === undefined ? {} : { version }),
    ...(values.only === undefined ? {} : { only: values.only }),
    ...(values.controls === undefined ? {} : { controls: await loadControls(values.controls) }),
  };
}

function print(results: readonly Result[], withSkipped: boolean): void {
  for (const { status, version, title, id, reason, ms } of results) {
    if (status === "pass" || (status === "skip" && !withSkipped)) continue;
    console.log(`${status.toUpperCase()} ${version}  ${title}  (${id.join(", ")}; ${ms} ms)\n     ${reason}`);
  }
  printTable(results);
  const { pass, fail, skip } = counts(results);
  console.log(`${pass} passed, ${fail} failed, ${skip} skipped`);
}

/** A row for each version. */
function printTable(results: readonly Result[]): void {
  const row = (...cells: readonly (string | number)[]): void =>
    console.log(cells.map((cell) => String(cell).padStart(COLUMN)).join(""));
  row("version", "passed", "failed", "skipped");
  for (const version of VERSIONS) {
    const ofVersion = results.filter((result) => result.version === version);
    const { pass, fail, skip } = counts(ofVersion);
    if (ofVersion.length > 0) row(version, pass, fail, skip);
  }
}

function counts(results: readonly Result[]): Record<Result["status"], number> {
  const count = { pass: 0, fail: 0, skip: 0 };
  for (const { status } of results) count[status]++;
  return count;
}
