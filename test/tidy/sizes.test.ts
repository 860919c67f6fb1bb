// Tells the longest files and functions, so that somebody looks at them. Forbids nothing.

import assert from "node:assert/strict";
import { it } from "node:test";
import ts from "typescript";
import { SOURCES } from "./src/files.ts";

interface Measured {
  readonly name: string;
  readonly lines: number;
}

const SHOWN = 5;

it("tells the longest files and functions", (t) => {
  const files = SOURCES.map(({ path, text }) => ({ name: path, lines: text.split("\n").length - 1 }));
  const functions = SOURCES.flatMap(({ path, text }) => functionsOf(path, text));
  assert.ok(files.length > 0 && functions.length > 0);
  t.diagnostic(`longest files: ${longest(files)}`);
  t.diagnostic(`longest functions: ${longest(functions)}`);
});

function longest(measured: readonly Measured[]): string {
  return [...measured]
    .sort((one, other) => other.lines - one.lines)
    .slice(0, SHOWN)
    .map(({ name, lines }) => `${name.replace("packages/", "")} ${lines}`)
    .join(", ");
}

/** Functions and methods with a name. */
function functionsOf(path: string, text: string): Measured[] {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.ES2023, true);
  const found: Measured[] = [];
  const visit = (node: ts.Node): void => {
    if ((ts.isFunctionDeclaration(node) || ts.isMethodDeclaration(node)) && node.name !== undefined) {
      found.push({ name: `${path}:${node.name.getText()}`, lines: node.getText().split("\n").length });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}
