#!/usr/bin/env node
// The command: runs the suite against a broker that listens somewhere and prints what failed.
//   heirloom-conformance --host H --port P [--ws-port P] [--version V] [--only TEXT] [--concurrency N]
//                        [--controls MODULE] [--skipped] [--json]
import { parseArgs } from "node:util";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { type Controls, VERSIONS } from "./case.ts";
import { type Result, type RunOptions, runConformance } from "./run.ts";

const { values } = parseArgs({
  options: {
    host: { type: "string", default: "127.0.0.1" },
    port: { type: "string", default: "1883" },
    "ws-port": { type: "string" },
    version: { type: "string" },
    only: { type: "string" },
    concurrency: { type: "string", default: "20" },
    controls: { type: "string" },
    skipped: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
});

/** MODULE exports `controls`. */
async function loadControls(path: string): Promise<Controls> {
  const loaded: { readonly controls: Controls } = await import(pathToFileURL(resolve(path)).href);
  return loaded.controls;
}

async function runOptions(): Promise<RunOptions> {
  const version = VERSIONS.find((each) => each === values.version);
  if (values.version !== undefined && version === undefined) {
    throw new Error(`--version ${values.version}: expected one of ${VERSIONS.join(", ")}`);
  }
  return {
    host: values.host,
    port: Number(values.port),
    concurrency: Number(values.concurrency),
    ...(values["ws-port"] === undefined ? {} : { wsPort: Number(values["ws-port"]) }),
    ...(version === undefined ? {} : { version }),
    ...(values.only === undefined ? {} : { only: values.only }),
    ...(values.controls === undefined ? {} : { controls: await loadControls(values.controls) }),
  };
}

function print(results: readonly Result[]): void {
  const count = (status: Result["status"]): number =>
    results.filter((result) => result.status === status).length;
  for (const { status, version, title, id, reason, ms } of results) {
    if (status === "pass" || (status === "skip" && !values.skipped)) continue;
    console.log(`${status.toUpperCase()} ${version}  ${title}  (${id.join(", ")}; ${ms} ms)\n     ${reason}`);
  }
  console.log(`${count("pass")} passed, ${count("fail")} failed, ${count("skip")} skipped`);
}

const results = await runConformance(await runOptions());
if (values.json) console.log(JSON.stringify(results, null, 2));
else print(results);
process.exitCode = results.some(({ status }) => status === "fail") ? 1 : 0;
