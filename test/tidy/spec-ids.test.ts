// Statements of the standard that sources and tests name exist, in the version that they name.

import assert from "node:assert/strict";
import { it } from "node:test";
import { filesLike, read } from "./src/files.ts";

const STATEMENTS = new Map<string, ReadonlySet<string>>([
  ["5.0", statements("test/conformance/spec/mqtt-5.0.tsv")],
  ["3.1.1", statements("test/conformance/spec/mqtt-3.1.1.tsv")],
]);

/** What tests write that need a statement that there is not. */
const NO_STATEMENT = "MQTT-9.9.9-9";

/** A version, or a statement behind it. "3.x" is said of what holds in 3.1 too, which has no statements. */
const TOKEN = /\b(5\.0|3\.1\.1|3\.x)(?![-.\d])|\[(MQTT-[\d.]+-\d+)\]/g;

it("names statements of MQTT 3.1.1 and 5.0 that exist", () => {
  const faults = filesLike(/^(packages|test|sim|fuzz)\/.*\.(ts|md)$/).flatMap(({ path, text }) =>
    text.split("\n").flatMap((line, index) => unknownIn(line).map((id) => `${path}:${index + 1} ${id}`)),
  );
  assert.deepEqual(faults, []);
});

it("has read the tables of statements", () => {
  assert.ok([...STATEMENTS.values()].every(({ size }) => size > 100));
});

/** Statements of one line that its version does not have, or, where none is named, that no version has. */
function unknownIn(line: string): string[] {
  let version: string | undefined;
  const unknown: string[] = [];
  for (const [, named, id] of line.matchAll(TOKEN)) {
    if (named !== undefined) version = named.replace("3.x", "3.1.1");
    if (id !== undefined && !isKnown(id, version)) unknown.push(`${version ?? ""} [${id}]`);
  }
  return unknown;
}

function isKnown(id: string, version: string | undefined): boolean {
  if (id === NO_STATEMENT) return true;
  const tables = version === undefined ? [...STATEMENTS.values()] : [STATEMENTS.get(version)];
  return tables.some((table) => table?.has(id) === true);
}

function statements(path: string): ReadonlySet<string> {
  return new Set(
    read(path)
      .split("\n")
      .slice(1)
      .map((line) => line.split("\t")[0] ?? ""),
  );
}
