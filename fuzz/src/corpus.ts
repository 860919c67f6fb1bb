// Inputs in files. The corpus: one file for each target, one input in hex a line. Regressions: one file for each, with
// what went wrong in `#` lines above the input, or above several that go wrong together.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bytesOf, hexOf } from "./hex.ts";

/** The folder of this package. */
const FOLDER = fileURLToPath(new URL("..", import.meta.url));
const REGRESSIONS = join(FOLDER, "regressions");
/** The clone, as stacks name it. */
const ROOT = new URL("../..", import.meta.url).href;

export interface Regression {
  /** File name. */
  readonly name: string;
  /** What failed when played in this order. */
  readonly inputs: readonly Uint8Array[];
}

export function readCorpus(target: string): Uint8Array[] {
  const path = corpusPath(target);
  return existsSync(path) ? readInputs(path) : [];
}

/** Replaces the corpus; the smallest inputs come first. */
export function writeCorpus(target: string, inputs: readonly Uint8Array[]): void {
  writeInputs(corpusPath(target), inputs);
}

export function readRegressions(target: string): Regression[] {
  if (!existsSync(REGRESSIONS)) return [];
  return readdirSync(REGRESSIONS)
    .filter((name) => name.startsWith(`${target}-`) && name.endsWith(".hex"))
    .sort()
    .map((name) => ({ name, inputs: readInputs(join(REGRESSIONS, name)) }));
}

/** Keeps what went wrong. @returns the file's path. */
export function writeRegression(target: string, inputs: readonly Uint8Array[], what: string): string {
  mkdirSync(REGRESSIONS, { recursive: true });
  const hex = inputs.map(hexOf).join("\n");
  const name = `${target}-${createHash("sha256").update(hex).digest("hex").slice(0, 10)}.hex`;
  const path = join(REGRESSIONS, name);
  // Where the clone lies is nobody's business.
  const says = what
    .replaceAll(ROOT, "")
    .split("\n")
    .map((line) => `# ${line}\n`);
  writeFileSync(path, `${says.join("")}${hex}\n`);
  return path;
}

function corpusPath(target: string): string {
  return join(FOLDER, "corpus", `${target}.hex`);
}

/** The inputs in one file. */
export function readInputs(path: string): Uint8Array[] {
  return readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map(bytesOf);
}

/** Writes them to one file, the smallest first. */
export function writeInputs(path: string, inputs: readonly Uint8Array[]): void {
  const lines = inputs.map(hexOf).sort((a, b) => a.length - b.length || (a < b ? -1 : 1));
  writeFileSync(path, lines.map((line) => `${line}\n`).join(""));
}
