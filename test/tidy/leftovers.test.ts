// What is not finished, or says where it was written, does not belong into the repository.

import assert from "node:assert/strict";
import { it } from "node:test";
import { filesLike } from "./src/files.ts";

// This folder names what it looks for.
const FILES = filesLike(/\.(ts|mjs|js|md|json|yaml|yml|sh|c|hex)$/).filter(
  ({ path }) => !path.startsWith("test/tidy/"),
);

it("has no note about work that is left", () => {
  assert.deepEqual(linesLike(/\b(TODO|FIXME|XXX|HACK)\b/), []);
});

it("does not know the machine that it was written on", () => {
  assert.deepEqual(linesLike(/(^|[^\w.-])\/(work|root|home\/\w+)\/|\.\.\/shared\b/), []);
});

it("runs every test: none is marked to be the only one", () => {
  assert.deepEqual(linesLike(/\b(it|test|describe)\.only\(|\bonly: true\b/), []);
});

function linesLike(pattern: RegExp): string[] {
  return FILES.flatMap(({ path, text }) =>
    text
      .split("\n")
      .flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1} ${line.trim()}`] : [])),
  );
}
