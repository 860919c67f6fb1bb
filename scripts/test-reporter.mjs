// How `npm test` shows results: a line per file, failures in full, and at the end what was skipped and the sum.

import { relative } from "node:path";
import { inspect } from "node:util";

/** What Node counts itself at the end. */
const SUM = /^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) [\d.]+$/;

/** A reporter of node:test: events in, text out. */
export default async function* report(events) {
  const titles = [];
  const failures = [];
  const skips = [];
  let passed = 0;
  let file;
  let inFile = 0;
  const fileLine = () => `${relative(process.cwd(), file)}: ${inFile}\n`;

  for await (const { type, data } of events) {
    if (type === "test:start") titles[data.nesting] = data.name;
    if (type === "test:stderr" || type === "test:stdout") yield data.message;
    if (type === "test:diagnostic" && !SUM.test(data.message)) yield `${data.message}\n`;
    if (type !== "test:pass" && type !== "test:fail") continue;
    if (data.file !== undefined && data.file !== file) {
      if (file !== undefined && inFile > 0) yield fileLine();
      file = data.file;
      inFile = 0;
    }
    const title = [...titles.slice(0, data.nesting), data.name].join(" > ");
    if (type === "test:fail") {
      if (isOnlySum(data)) continue;
      failures.push(title);
      yield failureText(title, data);
    } else if (data.skip !== undefined || data.todo !== undefined) {
      skips.push(`${title}: ${reasonOf(data.skip ?? data.todo)}`);
    } else if (data.details.type !== "suite") {
      passed++;
      inFile++;
    }
  }
  if (file !== undefined && inFile > 0) yield fileLine();
  for (const skip of skips) yield `skipped: ${skip}\n`;
  for (const failure of failures) yield `failed: ${failure}\n`;
  const { TEST_REPORT_LINE: line } = process.env;
  if (line !== undefined) yield `${line}\n`;
  yield `${passed} passed, ${failures.length} failed${skips.length === 0 ? "" : `, ${skips.length} skipped`}\n`;
}

/** A suite, or a file, that failed because something in it failed, which was told already. */
function isOnlySum({ details }) {
  return details.error?.failureType === "subtestsFailed";
}

function failureText(title, { file, line, details: { error } }) {
  const place = file === undefined ? "" : ` (${relative(process.cwd(), file)}:${line ?? 1})`;
  const text = textOf(error?.cause ?? error);
  const end = error?.exitCode === undefined ? "" : `, exit code ${error.exitCode ?? error.signal}`;
  return `\nFAILED ${title}${place}\n${indent(withoutNode(text))}${end}\n\n`;
}

function textOf(error) {
  if (typeof error === "string") return error;
  // Its text has the difference already.
  return error?.code === "ERR_ASSERTION" ? error.stack : inspect(error, { depth: 4 });
}

/** Lines of the stack that are Node's own tell nothing. */
function withoutNode(text) {
  return text.replace(/\n +at .*\(?node:.*/g, "");
}

function indent(text) {
  return text.replace(/^/gm, "    ");
}

function reasonOf(reason) {
  return typeof reason === "string" && reason !== "" ? reason : "no reason given";
}
