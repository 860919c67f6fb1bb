// The codes of errors and the exit codes of the server are those of docs/reference/errors.md, both ways.

import assert from "node:assert/strict";
import { it } from "node:test";
import { read, SOURCES } from "./src/files.ts";

const PAGE = read("docs/reference/errors.md");

it("documents every code of an error, and none that there is not", () => {
  const inSources = SOURCES.filter(({ text }) => /^export (abstract )?class \w+Error\b/m.test(text)).flatMap(
    ({ text }) => [...withoutComments(text).matchAll(/"([A-Z][A-Z0-9_]{2,})"/g)].map(([, code]) => code),
  );
  const onPage = [...PAGE.matchAll(/^\| `([A-Z0-9_]+)` +\|/gm)].map(([, code]) => code);
  assert.deepEqual([...new Set(onPage)].sort(), [...new Set(inSources)].sort());
});

it("documents every exit code of the server, and none that there is not", () => {
  const source = withoutComments(read("packages/heirloom/src/cli/exit-codes.ts"));
  const inSources = [...source.matchAll(/^ {2}[A-Z_]+: (\d+),$/gm)].map(([, code]) => Number(code));
  const onPage = [...PAGE.matchAll(/^\| (\d+) +\|/gm)].map(([, code]) => Number(code));
  assert.deepEqual(onPage, inSources);
});

function withoutComments(text: string): string {
  return text.replace(/\/\*[^]*?\*\/|\/\/.*$/gm, "");
}
