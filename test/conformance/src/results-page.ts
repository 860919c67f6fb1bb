// The page that compares brokers: a table of sums, each failure in one line, and what goes beyond the standard.
import { BEYOND, VERSIONS } from "./case.ts";
import { BROKERS, type BrokerName, type Explanation } from "./explanations.ts";
import type { Result } from "./run.ts";

/** What one broker did in all cases. */
export interface Run {
  readonly broker: BrokerName;
  readonly results: readonly Result[];
}

/** Failures without an explanation and explanations without a failure, one sentence each. */
export function unexplained(runs: readonly Run[], known: readonly Explanation[]): readonly string[] {
  const failed = runs.flatMap(({ broker, results }) =>
    failedTitles(results).map((title) => key(broker, title)),
  );
  const explained = known.map(({ broker, title }) => key(broker, title));
  return [
    ...failed.filter((one) => !explained.includes(one)).map((one) => `not explained: ${one}`),
    ...explained.filter((one) => !failed.includes(one)).map((one) => `did not fail: ${one}`),
  ];
}

export function resultsPage(runs: readonly Run[], known: readonly Explanation[]): string {
  return [
    INTRODUCTION,
    ...sums(runs),
    SKIPPED,
    ...BROKERS.flatMap(({ name }) => failures(name, resultsOf(runs, name), known)),
    ...beyond(runs),
    REPRODUCTION,
  ].join("\n");
}

function key(broker: BrokerName, title: string): string {
  return `${broker}: ${title}`;
}

function resultsOf(runs: readonly Run[], broker: BrokerName): readonly Result[] {
  return runs.find((run) => run.broker === broker)?.results ?? [];
}

/** Titles of the cases of the standard that failed in any version, each once, in order. */
function failedTitles(results: readonly Result[]): readonly string[] {
  const failed = results.filter(({ status, contract }) => status === "fail" && !contract);
  return [...new Set(failed.map(({ title }) => title))].sort();
}

function sums(runs: readonly Run[]): readonly string[] {
  const cell = (results: readonly Result[], version: string): string => {
    const mine = results.filter((result) => result.version === version && !result.contract);
    const count = (status: Result["status"]): number => mine.filter((one) => one.status === status).length;
    return `${count("pass")} / ${count("fail")} / ${count("skip")}`;
  };
  return table([
    ["passed / failed / skipped", ...VERSIONS],
    ...BROKERS.map(({ name, label }) => [
      label,
      ...VERSIONS.map((version) => cell(resultsOf(runs, name), version)),
    ]),
  ]);
}

function failures(
  broker: BrokerName,
  results: readonly Result[],
  known: readonly Explanation[],
): readonly string[] {
  const titles = failedTitles(results);
  if (titles.length === 0) return [];
  const lines = (lenient: boolean): readonly string[] =>
    known
      .filter((one) => one.broker === broker && titles.includes(one.title))
      .filter((one) => (one.lenient === true) === lenient)
      .map(({ title, seen }) => `- ${statements(results, title)}: ${seen}`)
      .sort();
  const label = BROKERS.find(({ name }) => name === broker)?.label ?? broker;
  return [
    `## ${label}`,
    "",
    "What clients that keep to the standard can notice:",
    "",
    ...lines(false),
    "",
    "What it takes although the standard wants it refused; clients that keep to the standard do not send it:",
    "",
    ...lines(true),
    "",
  ];
}

/** The statements of the versions in which the case failed. */
function statements(results: readonly Result[], title: string): string {
  const failed = results.filter((result) => result.title === title && result.status === "fail");
  const parts = VERSIONS.flatMap((version) => {
    const ids = failed.find((result) => result.version === version)?.id ?? [];
    const own = ids.filter((id) => id.startsWith(`${version} `)).map((id) => id.slice(version.length + 1));
    return ids.length === 0 ? [] : [`${version} ${own.join(" ")}`.trim()];
  });
  return `**${parts.join(", ")}**`;
}

function beyond(runs: readonly Run[]): readonly string[] {
  const titles = [
    ...new Set(
      runs.flatMap(({ results }) => results.filter((one) => one.contract)).map(({ title }) => title),
    ),
  ];
  const cell = (broker: BrokerName, title: string): string => {
    const seen = resultsOf(runs, broker).filter((one) => one.title === title && one.status !== "skip");
    if (seen.length === 0) return "skipped";
    return seen.some(({ status }) => status === "fail") ? "no" : "yes";
  };
  return [
    "## Beyond the standard",
    "",
    BEYOND_INTRODUCTION,
    "",
    ...table([
      ["", ...BROKERS.map(({ label }) => label)],
      ...titles
        .sort()
        .map((title) => [title.replace(BEYOND, ""), ...BROKERS.map(({ name }) => cell(name, title))]),
    ]),
  ];
}

/** Rows of a table as they are: aligning it would change every line with one. */
function table([head = [], ...rows]: readonly (readonly string[])[]): readonly string[] {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return ["<!-- prettier-ignore -->", line(head), line(head.map(() => "---")), ...rows.map(line), ""];
}

const INTRODUCTION = `# How brokers do in the conformance suite

<!-- Written by test/conformance/src/results.ts. -->

The suite in [test/conformance](../test/conformance/README.md) knows a broker by its port only. Here is what it found in
heirloom and in two brokers that many people use. Each failure was looked at by hand: where a case turned out to ask for
more than the standard's text, the case was changed. A failure is not a verdict. Mosquitto 2.0.11 is what Debian 12 ships
and is older than today's Mosquitto; much of what stands below concerns clients that misbehave, or corners that few
applications visit.

Which case shows which statement: [conformance by statement](reference/conformance.md). MQTT 3.1 has no numbered
statements; where a rule of 3.1.1 holds in 3.1 too, its case runs in both.
`;

const SKIPPED = `A case is skipped when the broker has no option for the configuration that it needs. Aedes speaks 3.1 and 3.1.1, so all of
5.0 is skipped; that is a choice and not a failure.
`;

const BEYOND_INTRODUCTION = `What the standard recommends or leaves open, and heirloom promises. Not doing so is no failure. For \`kill -9\`, Mosquitto
has \`autosave_on_changes true\` and \`autosave_interval 1\`; what outlives the process in Aedes needs a database.`;

const REPRODUCTION = `## To see it for yourself

\`\`\`sh
npm ci && npx tsc -b && npm ci --prefix bench
npm run conformance-results
\`\`\`

It needs \`mosquitto\` (of Debian: \`apt-get install mosquitto\`), starts each broker by its module in \`test/conformance/controls\`, and
writes this page. It fails when a failure is not explained here, or when something that is explained does not fail.
`;
