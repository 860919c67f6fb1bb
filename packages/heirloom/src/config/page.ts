// Writes docs/reference/configuration.md from the table of options, so that the page cannot be wrong.

import { ADMISSION_OPTIONS } from "./admission-options.ts";
import {
  CERTIFICATE_OPTIONS,
  JWT_OPTIONS,
  LOGIN_LIMIT_OPTIONS,
  SCRAM_OPTIONS,
  WEBHOOK_OPTIONS,
} from "./authentication-tables.ts";
import { namesOf, optionsOf } from "./fields.ts";
import { LISTENER_LIMIT_OPTIONS, LISTENER_OPTIONS } from "./listener-options.ts";
import type { Option, OptionTable } from "./option.ts";
import { GENERAL_OPTIONS, LIMIT_OPTIONS } from "./options.ts";
import { WEBHOOK_PERMISSION_OPTIONS } from "./permission-tables.ts";

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
authentication:
  - passwordFile: passwords
listeners:
  - port: 1883
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

const AUTHENTICATION = `## Authentication

\`authentication\` is a list of ways in which clients show who they are. They are asked in this order; the first that knows
the client decides. Each item has one of these names:

- \`passwordFile\`: the path of a file with names and hashes of passwords, made by \`heirloom passwd\` or by Mosquitto.
- \`certificate\`: a group of options for client certificates.
- \`jwt\`: a group of options for JSON Web Tokens.
- \`webhook\`: a group of options for a server of yours that is asked.
- \`scram\`: a group of options for SCRAM-SHA-256, a method of enhanced authentication of MQTT 5.0.

In a program, an item may also be a function. Relative paths begin at the directory of the configuration file. See
[the guide](../guides/identity.md).
`;

const PERMISSIONS = `## Permissions

\`permissions\` is a list of sources that say who may use which topics. They are asked in this order; the first that says
something about a question has answered it, and what none of them allows is refused. Without the list, everybody may use all
topics but the broker's own. Each item has one of these names:

- \`aclFile\`: the path of an ACL file of Mosquitto.
- \`rules\`: a list of rules.
- \`rulesFile\`: the path of a YAML file with rules.
- \`claims\`: a group with \`publish\`, \`subscribe\` or both: the names of claims that hold lists of topic filters.
- \`webhook\`: a group of options for a server of yours that is asked.

In a program, an item may also be a function. Relative paths begin at the directory of the configuration file. Files are read
anew on SIGHUP. What a rule may say stands in [the guide](../guides/permissions.md).
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
    `A listener may also set for itself: ${quoted(LISTENER_LIMIT_OPTIONS)}.\n`,
    AUTHENTICATION,
    section("Authentication: certificate", "", CERTIFICATE_OPTIONS),
    section("Authentication: jwt", "Exactly one of the first four says where the keys are.", JWT_OPTIONS),
    section("Authentication: webhook", "", WEBHOOK_OPTIONS),
    section("Authentication: scram", "", SCRAM_OPTIONS),
    section(
      "Login limits",
      "`loginLimits` is a group with these options: what logging in may cost, and what guessing leads to.",
      LOGIN_LIMIT_OPTIONS,
    ),
    PERMISSIONS,
    section("Permissions: webhook", "", WEBHOOK_PERMISSION_OPTIONS),
    section(
      "Admission",
      "What is looked at before a byte of a client was read. In a program, these stand beside `limits`, not in it.",
      ADMISSION_OPTIONS,
    ),
    section("Limits", "Whatever a client can make grow has its bound here.", LIMIT_OPTIONS),
  ].join("\n");
}

function section<T>(title: string, introduction: string, table: OptionTable<T>): string {
  const options = optionsOf(table).map((option) => describe(option, option.name));
  return [`## ${title}\n`, ...(introduction === "" ? [] : [`${introduction}\n`]), ...options].join("\n");
}

/** An option; behind a group come its own options, with the group's name in front. */
function describe(option: Option<unknown>, name: string): string {
  const { group } = option.kind;
  const inner = (group?.options ?? []).map((part) =>
    describe(part, `${name}${group?.isList === true ? "[]" : ""}.${part.name}`),
  );
  return [
    `### ${name}\n`,
    `${option.description}\n`,
    ...(group === undefined ? [`- Expected: ${option.kind.expected}`] : []),
    `- Default: ${option.default}\n`,
    ...inner,
  ].join("\n");
}

function quoted<T>(table: OptionTable<T>): string {
  return namesOf(table)
    .map((name) => `\`${name}\``)
    .join(", ");
}
