// Checks everything but behaviour: types, lint rules, formatting, and what test/tidy looks at. `npm run check`.
// The steps all run, so that one run shows all that is wrong.

import { spawn } from "node:child_process";
import { join } from "node:path";
import { ensureInstalled, root } from "./ensure.mjs";

const TOOLS = "node_modules";

ensureInstalled();
// The linter reads the declarations that the compiler writes, so types come first.
const results = [await step("types", [`${TOOLS}/typescript/bin/tsc`, "-b"])];
results.push(
  ...(await Promise.all([
    step("lint", [`${TOOLS}/eslint/bin/eslint.js`, "--max-warnings=0", "."]),
    format().then(tidy),
  ])),
);
process.exitCode = results.flat().every(Boolean) ? 0 : 1;

function format() {
  return step("format", [`${TOOLS}/prettier/bin/prettier.cjs`, "--check", "--log-level=warn", "."]);
}

async function tidy(before) {
  const reporter = join(root, "scripts/test-reporter.mjs");
  return [
    before,
    await step("tidy", ["--enable-source-maps", "--test", `--test-reporter=${reporter}`, "test/tidy/dist/"]),
  ];
}

/** Runs Node with `args`; prints the output together when it ends. @returns whether all is well. */
async function step(name, args) {
  const startMs = performance.now();
  const child = spawn(process.execPath, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
  const output = [];
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => output.push(chunk));
  const isWell = await new Promise((resolve) => child.on("close", (code) => resolve(code === 0)));
  const seconds = ((performance.now() - startMs) / 1_000).toFixed(1);
  process.stdout.write(`${isWell ? "ok    " : "FAILED"} ${name} (${seconds} s)\n`);
  if (!isWell) process.stdout.write(Buffer.concat(output));
  return isWell;
}
