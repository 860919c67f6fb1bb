// The command: runs the suite against a broker that listens somewhere and prints what failed. Used by `main.ts` and by
// `heirloom conformance`.
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

type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>["values"];

/**
 * Runs the suite as the arguments say and prints a line for each case that failed, then the sum.
 * Sets the exit code: 0 when nothing failed, 1 when something did, 64 when the arguments are wrong.
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
  const results = await runConformance(options);
  if (values.json) console.log(JSON.stringify(results, null, 2));
  else print(results, values.skipped);
  process.exitCode = results.some(({ status }) => status === "fail") ? 1 : 0;
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
  const count = (status: Result["status"]): number =>
    results.filter((result) => result.status === status).length;
  for (const { status, version, title, id, reason, ms } of results) {
    if (status === "pass" || (status === "skip" && !withSkipped)) continue;
    console.log(`${status.toUpperCase()} ${version}  ${title}  (${id.join(", ")}; ${ms} ms)\n     ${reason}`);
  }
  console.log(`${count("pass")} passed, ${count("fail")} failed, ${count("skip")} skipped`);
}
