// Writes docs/reference/configuration.md from the table of options, so that the page cannot be wrong.

import {
  GENERAL_OPTIONS,
  LIMIT_OPTIONS,
  LISTENER_LIMIT_OPTIONS,
  LISTENER_OPTIONS,
  type Option,
  type OptionTable,
} from "./options.ts";

const INTRODUCTION = `# Configuration

<!-- Written by packages/heirloom/src/config/page.ts from the options in options.ts; a test compares them.
     After a change: npx tsc -b packages/heirloom && node packages/heirloom/dist/config/write-page.js -->

The server reads options from a file in YAML or JSON: \`heirloom --config heirloom.yaml\`. Everything has a default;
an empty file is a complete one. An option that does not exist, and a value that does not fit, keeps the server from
starting: it names the file, the line and the option, what it saw and what it expected, and exits with code 78.

\`\`\`yaml
data: /var/lib/heirloom
sessionExpiryMaximum: 30d
maximumPacketSize: 1MiB
listeners:
  - port: 1883
    host: 0.0.0.0
  - transport: websocket
    port: 8083
    path: /mqtt
    connections: 1000
\`\`\`

The options of the command line \`--host\`, \`--port\` and \`--ws-port\` describe listeners and do not go together with
\`listeners\` in a file; \`--data\` and \`--store\` win over the file.

**Sizes** are bytes as a plain number, or have a unit: \`KiB\`, \`MiB\`, \`GiB\` (1024) or \`kB\`, \`MB\`, \`GB\` (1000).
**Durations** are seconds as a plain number, or have units: \`500ms\`, \`10s\`, \`5m\`, \`2h\`, \`1h30m\`, \`7d\`, \`2w\`.

In a program, \`createBroker\` takes the same names. The limits stand in \`limits\` there, and are plain numbers of the unit
that their type says: \`createBroker({ limits: { sessionExpiryMaximum: 86_400 } })\`.
`;

/** The whole page. */
export function configurationPage(): string {
  return [
    INTRODUCTION,
    section("General", "", GENERAL_OPTIONS),
    section(
      "Listeners",
      "`listeners` is a list; each item has these options. Without the list there is one: TCP on port 1883.",
      LISTENER_OPTIONS,
    ),
    `A listener may also set for itself: ${namesOf(LISTENER_LIMIT_OPTIONS).join(", ")}.\n`,
    section("Limits", "Whatever a client can make grow has its bound here.", LIMIT_OPTIONS),
  ].join("\n");
}

function section<T>(title: string, introduction: string, table: OptionTable<T>): string {
  const options: string[] = [];
  for (const field in table) options.push(describe(table[field]));
  return [`## ${title}\n`, ...(introduction === "" ? [] : [`${introduction}\n`]), ...options].join("\n");
}

function describe<T>(option: Option<T>): string {
  return [
    `### ${option.name}\n`,
    `${option.description}\n`,
    `- Expected: ${option.kind.expected}`,
    `- Default: ${option.default}\n`,
  ].join("\n");
}

function namesOf<T>(table: OptionTable<T>): string[] {
  const names: string[] = [];
  for (const field in table) names.push(`\`${table[field].name}\``);
  return names;
}
