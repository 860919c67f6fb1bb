// The table of attacks, `attacks.tsv`, the reasons why some of them need no test here, `reasons.tsv`, and where heirloom does
// something else than the table says, `differences.tsv`.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The top of the clone. */
export const ROOT: string = fileURLToPath(new URL("../../../../", import.meta.url));

export interface Attack {
  /** Such as `PARSE-01`. */
  readonly id: string;
  readonly attack: string;
  /** What must happen. */
  readonly required: string;
}

/** All rows, in the order of the table. */
export function readAttacks(): Attack[] {
  return readTable("test/attacks/attacks.tsv").map(([id = "", attack = "", required = ""]) => ({
    id,
    attack,
    required,
  }));
}

/** Why an attack cannot apply, by its id. */
export function readReasons(): Map<string, string> {
  return readTexts("test/attacks/reasons.tsv");
}

/** What is done instead of what the table says, and why, by the attack's id. Tests show the rest. */
export function readDifferences(): Map<string, string> {
  return readTexts("test/attacks/differences.tsv");
}

function readTexts(path: string): Map<string, string> {
  return new Map(readTable(path).map(([id = "", text = ""]) => [id, text]));
}

/** The rows of a table without its head. */
function readTable(path: string): string[][] {
  return readFileSync(ROOT + path, "utf8")
    .split("\n")
    .slice(1)
    .filter((line) => line !== "")
    .map((line) => line.split("\t"));
}
