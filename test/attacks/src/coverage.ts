// Joins the table of attacks with the tests and the reasons: how many are covered, what is wrong, and the page
// docs/security-coverage.md.

import { type Attack, readAttacks, readDifferences, readReasons } from "./rows.ts";
import { readTitles, type TestTitle } from "./titles.ts";

/** Whether an attack without test or reason, and a page that is not up to date, are failures. */
export const IS_STRICT: boolean = true;

/** Parts of the server that do not exist yet. Their attacks are open, unless a test shows one. */
const LATER = new Map([
  ["ADMIN", "open: the dashboard comes later"],
  ["BRIDGE", "open: the bridge comes later"],
]);

export interface Coverage {
  readonly attacks: readonly Attack[];
  readonly titles: ReadonlyMap<string, readonly TestTitle[]>;
  readonly reasons: ReadonlyMap<string, string>;
  readonly differences: ReadonlyMap<string, string>;
}

/** Reads the table, the reasons and the titles of all tests. */
export function readCoverage(): Coverage {
  const titles = new Map<string, TestTitle[]>();
  for (const title of readTitles()) {
    for (const id of title.ids) titles.set(id, [...(titles.get(id) ?? []), title]);
  }
  return { attacks: readAttacks(), titles, reasons: readReasons(), differences: readDifferences() };
}

/** `attacks covered N/182`. */
export function summary(coverage: Coverage): string {
  const covered = coverage.attacks.filter(({ id }) => isCovered(coverage, id));
  return `attacks covered ${covered.length}/${coverage.attacks.length}`;
}

/** Attacks that have neither a test nor a reason, and whose part of the server exists. */
export function missing(coverage: Coverage): string[] {
  return coverage.attacks
    .map(({ id }) => id)
    .filter((id) => !isCovered(coverage, id) && laterReason(id) === undefined);
}

/** What is wrong whoever is still at work: ids that do not exist, reasons that are not needed or empty, and differences too. */
export function problems({ attacks, titles, reasons, differences }: Coverage): string[] {
  const known = new Set(attacks.map(({ id }) => id));
  const unknown = [...titles].filter(([id]) => !known.has(id));
  return [
    ...unknown.map(([id, [title]]) => `${title?.path ?? ""}: no attack ${id} in the table`),
    ...[...reasons.keys()]
      .filter((id) => !known.has(id))
      .map((id) => `reasons.tsv: no attack ${id} in the table`),
    ...[...reasons].filter(([, reason]) => reason === "").map(([id]) => `reasons.tsv: ${id} has no reason`),
    ...[...reasons.keys()].filter((id) => titles.has(id)).map((id) => `reasons.tsv: ${id} has a test`),
    ...[...differences.keys()]
      .filter((id) => !known.has(id) || !titles.has(id))
      .map((id) => `differences.tsv: no test of ${id}`),
    ...[...differences].filter(([, text]) => text === "").map(([id]) => `differences.tsv: ${id} has no text`),
  ];
}

/** docs/security-coverage.md. */
export function page(coverage: Coverage): string {
  const rows = coverage.attacks.map(
    ({ id, attack, required }) =>
      `| ${id} | ${cell(attack)} | ${cell(required)} | ${shownBy(coverage, id)} |`,
  );
  return [
    `# Attacks, row by row

<!-- Written by test/attacks/src/main.ts. After a change: npm run attacks -->

What brokers were attacked with, or fell over by accident, what must happen instead, and the tests that show that it
does, here and at each run: ${summary(coverage)}. Where heirloom does something else, this stands behind the tests, with
the reason. How the tests run stands in [testing](testing.md).
`,
    "<!-- prettier-ignore -->",
    "| id | attack | what must happen | shown by |",
    "| --- | --- | --- | --- |",
    ...rows,
    "",
  ].join("\n");
}

function isCovered({ titles, reasons }: Coverage, id: string): boolean {
  return titles.has(id) || reasons.has(id);
}

function shownBy({ titles, reasons, differences }: Coverage, id: string): string {
  const tests = titles.get(id);
  const difference = differences.get(id);
  const last = difference === undefined ? [] : [`Difference: ${cell(difference)}`];
  if (tests !== undefined) return [...tests.map(testCell), ...last].join("<br>");
  return cell(reasons.get(id) ?? laterReason(id) ?? "missing");
}

/** The file and the title, without the ids at its end. */
function testCell({ path, title }: TestTitle): string {
  const words = title.replace(/^# /, "").replace(/ - (attacks? |[35]\.[01x]).*$/, "");
  return `[${path.split("/").at(-1) ?? ""}](../${path}): ${cell(words)}`;
}

function laterReason(id: string): string | undefined {
  return LATER.get(id.split("-")[0] ?? "");
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replace(/[<>*_$`[\]~]/g, "\\$&");
}
