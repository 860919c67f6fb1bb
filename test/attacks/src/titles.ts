// Finds the tests that show an attack: those with its id in their title, `attack PARSE-01` or `attacks MEM-01 and CPU-02`.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { ROOT } from "./rows.ts";

export interface TestTitle {
  /** Relative to the root. */
  readonly path: string;
  /** As it is written; what a template puts in is `...`. */
  readonly title: string;
  /** The attacks that it names. */
  readonly ids: readonly string[];
}

const FOLDERS = ["packages", "test", "sim", "fuzz"];
/** The tests, and the floods, whose titles are those of tests. */
const HAS_TESTS = /(\.test\.ts|\/floods\/[^/]+\.ts|\/transcripts\/[^/]+\.txt)$/;
const SKIPPED = new Set(["node_modules", "dist", "dist-test"]);
/** Its titles are made up. */
const EXAMPLES = "test/attacks/coverage.test.ts";
const TITLED_CALLS = new Set(["it", "test", "describe"]);
const ID = "[A-Z]+-[0-9]+";
const IDS = new RegExp(`\\battacks? (${ID}(?:(?:, | and )${ID})*)`, "g");

/** All titles that name an attack, by path. */
export function readTitles(): TestTitle[] {
  return FOLDERS.flatMap(filesIn)
    .sort()
    .flatMap((path) => titlesOf(path, readFileSync(ROOT + path, "utf8")));
}

/** The titles of one file that name an attack. */
export function titlesOf(path: string, text: string): TestTitle[] {
  if (text.search(IDS) < 0) return [];
  const titles = path.endsWith(".txt") ? [text.split("\n", 1)[0] ?? ""] : titlesIn(text);
  return titles.map((title) => ({ path, title, ids: idsIn(title) })).filter(({ ids }) => ids.length > 0);
}

/** The attacks that a title names. */
export function idsIn(title: string): string[] {
  return [...title.matchAll(IDS)].flatMap(([, list = ""]) => list.split(/, | and /));
}

function filesIn(folder: string): string[] {
  return readdirSync(ROOT + folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return SKIPPED.has(entry.name) ? [] : filesIn(path);
    return HAS_TESTS.test(path) && path !== EXAMPLES ? [path] : [];
  });
}

function titlesIn(text: string): string[] {
  const titles: string[] = [];
  const visit = (node: ts.Node): void => {
    const title = titleNode(node);
    if (title !== undefined) titles.push(textOf(title));
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile("", text, ts.ScriptTarget.Latest));
  return titles;
}

/** What stands first in `test(...)`, or behind `title:`. */
function titleNode(node: ts.Node): ts.Node | undefined {
  if (ts.isPropertyAssignment(node) && ts.isIdentifier(node.name) && node.name.text === "title") {
    return node.initializer;
  }
  if (!ts.isCallExpression(node)) return undefined;
  const { expression } = node;
  const name = ts.isPropertyAccessExpression(expression) ? expression.name : expression;
  return ts.isIdentifier(name) && TITLED_CALLS.has(name.text) ? node.arguments[0] : undefined;
}

function textOf(node: ts.Node): string {
  if (ts.isStringLiteralLike(node)) return node.text;
  if (!ts.isTemplateExpression(node)) return "";
  return node.head.text + node.templateSpans.map(({ literal }) => `...${literal.text}`).join("");
}
