// Compares the registry with the tables in spec/: which statement is shown by which case, and what is missing.
import { readFile } from "node:fs/promises";
import { BEYOND, type Case, versionOf, versionsOf } from "./case.ts";
import { allCases } from "./registry.ts";
import { unobservable } from "./unobservable.ts";

export interface Statement {
  /** With its version: "5.0 [MQTT-3.1.0-1]". */
  readonly id: string;
  readonly side: string;
  readonly text: string;
}

const spec = new URL("../spec/", import.meta.url);

async function statementsOf(version: string): Promise<readonly Statement[]> {
  const table = await readFile(new URL(`mqtt-${version}.tsv`, spec), "utf8");
  const rows = table.trim().split("\n").slice(1);
  return rows.map((row) => {
    const [id = "", side = "", , text = ""] = row.split("\t");
    return { id: `${version} [${id}]`, side, text };
  });
}

/** The lines of hard-cases.md: the section's first word in lower case and the line's number in it. */
async function hardCases(): Promise<ReadonlyMap<string, string>> {
  const lines = (await readFile(new URL("hard-cases.md", spec), "utf8")).split("\n");
  const found = new Map<string, string>();
  let section = "";
  let number = 0;
  for (const line of lines) {
    const heading = /^## (\w+)/.exec(line)?.[1];
    if (heading !== undefined) [section, number] = [heading.toLowerCase(), 0];
    if (line.startsWith("- ")) found.set(`${section}/${(number += 1)}`, line.slice(2));
  }
  return found;
}

function casesOf(id: string): readonly Case[] {
  return allCases.filter((one) => one.ids.includes(id));
}

function tags({ hardCase }: Case): readonly string[] {
  return hardCase === undefined ? [] : [hardCase].flat();
}

export interface Spec {
  readonly statements: readonly Statement[];
  /** The lines of hard-cases.md by tag. */
  readonly hard: ReadonlyMap<string, string>;
}

export async function readSpec(): Promise<Spec> {
  const statements = [...(await statementsOf("3.1.1")), ...(await statementsOf("5.0"))];
  return { statements, hard: await hardCases() };
}

/** How many statements have a case. */
export function coveredCount({ statements }: Spec): number {
  return statements.filter(({ id }) => casesOf(id).length > 0).length;
}

/** What does not fit between the tables and the cases, one sentence each. */
export function problems({ statements, hard }: Spec): readonly string[] {
  const known = new Set(statements.map(({ id }) => id));
  const listed = new Set(unobservable.map(({ id }) => id));
  const shown = new Set(allCases.flatMap(({ ids }) => ids));
  const required = new Set(allCases.flatMap(({ ids, contract }) => (contract === true ? [] : ids)));
  const covered = new Set(allCases.flatMap(tags));
  const titles = allCases.map(({ title }) => title);
  return [
    ...statements
      .filter(({ id, side }) => side !== "client" && !required.has(id) && !listed.has(id))
      .map(({ id, text }) => `no case: ${id} ${text}`),
    ...[...shown]
      .filter((id) => id.includes("[") && !known.has(id))
      .map((id) => `unknown statement in a case: ${id}`),
    ...[...shown].filter((id) => versionOf(id) === undefined).map((id) => `no version in: ${id}`),
    ...unobservable
      .filter(({ id }) => !known.has(id))
      .map(({ id }) => `unknown statement in unobservable.ts: ${id}`),
    ...unobservable.filter(({ id }) => shown.has(id)).map(({ id }) => `both shown and unobservable: ${id}`),
    ...[...hard.keys()]
      .filter((tag) => !covered.has(tag))
      .map((tag) => `no case for hard case ${tag}: ${hard.get(tag)}`),
    ...[...covered].filter((tag) => !hard.has(tag)).map((tag) => `unknown hard case: ${tag}`),
    ...titles
      .filter((title, index) => titles.indexOf(title) !== index)
      .map((title) => `two cases are called: ${title}`),
    ...allCases
      .filter(({ title, contract }) => title.startsWith(BEYOND) !== (contract === true))
      .map(({ title }) => `title and contract do not agree: ${title}`),
    ...allCases
      .filter((one) => versionsOf(one).length === 0)
      .map(({ title }) => `runs in no version: ${title}`),
  ];
}

/** docs/reference/conformance.md. */
export function markdown(spec: Spec): string {
  const { statements, hard } = spec;
  const reasons = new Map(unobservable.map(({ id, reason }) => [id, `not observable: ${reason}`]));
  const rows = statements.map(({ id, side, text }) => {
    const shown = titlesOf(casesOf(id)) || (reasons.get(id) ?? (side === "client" ? "binds clients" : ""));
    return `| ${id} | ${cell(text)} | ${cell(shown)} |`;
  });
  const hardRows = [...hard].map(([tag, text]) => {
    const shown = titlesOf(allCases.filter((one) => tags(one).includes(tag)));
    return `| ${tag} | ${cell(text.split(/[.;:]/)[0] ?? "")} | ${cell(shown)} |`;
  });
  return [
    introduction(spec),
    "<!-- prettier-ignore -->",
    "| statement | paraphrase | cases |",
    "| --- | --- | --- |",
    ...rows,
    "",
    "## Hard cases",
    "",
    "What released brokers got wrong, from [the list of hard cases](../../test/conformance/spec/hard-cases.md).",
    "",
    "<!-- prettier-ignore -->",
    "| line | about | cases |",
    "| --- | --- | --- |",
    ...hardRows,
    "",
  ].join("\n");
}

function introduction(spec: Spec): string {
  return `# Conformance, statement by statement

<!-- Written by test/conformance/src/coverage.ts; a test compares them. After a change:
     npx tsc -b test/conformance && node test/conformance/dist/trace.js docs/reference/conformance.md -->

Which cases of [the conformance suite](../../test/conformance/README.md) show which statement of MQTT 3.1.1 and 5.0:
${coveredCount(spec)} of ${spec.statements.length} statements have cases, ${allCases.length} cases in all. The others bind clients only, or say why no case can show
them. The statements are paraphrased; the standard's text is what counts. What other brokers do stands in
[the results](../conformance-results.md).
`;
}

function titlesOf(cases: readonly Case[]): string {
  return cases.map(({ title }) => title).join("<br>");
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}
