// The option `permissions` and files of rules: what is read, and what is said of mistakes.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ConfigError } from "heirloom";
import { parseConfig } from "../dist/config/file.js";
import { settingsOf } from "../dist/create-broker.js";
import { readRulesFile } from "../dist/permissions/open.js";
import { readPermissions } from "../dist/permissions/settings.js";

function problemsOf(act: () => unknown): string[] {
  try {
    act();
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.message.split("\n");
  }
  return [];
}

describe("permissions in a configuration file", () => {
  it("are a list of sources", () => {
    const { options } = parseConfig(
      `permissions:
  - aclFile: acl
  - rulesFile: rules.yaml
  - rules:
      - allow: [publish, subscribe]
        users: anna
        topics: a/%u/#
        maximumQoS: 1
        retain: false
      - deny: all
        topics: [secret/#]
        except: { groups: ops, addresses: [10.0.0.0/8] }
  - claims: { publish: pub, subscribe: subs }
`,
      "file",
    );
    const settings = readPermissions(options.permissions ?? [], []);
    assert.deepEqual(
      settings.map(({ kind }) => kind),
      ["aclFile", "rulesFile", "rules", "claims"],
    );
    const rules = settings[2]?.kind === "rules" ? settings[2].rules : [];
    assert.deepEqual(
      rules.map(({ effect, actions, pattern, maximumQoS, retain }) => [
        effect,
        actions,
        pattern.text,
        maximumQoS,
        retain,
      ]),
      [
        ["allow", 7, "a/%u/#", 1, false],
        ["deny", 7, "secret/#", undefined, undefined],
      ],
    );
  });

  it("are refused with line, option, what was seen and what was expected - attack AUTHZ-12", () => {
    const problems = problemsOf(() =>
      parseConfig(
        `permissions:
  - aclfile: acl
  - aclFile: acl
    rules: []
  - rules:
      - allow: everything
        topics: a/#/b
      - topics: a
      - allow: publish
        deny: publish
        topics: $share/g/a
        user: anna
      - deny: publish
        topics: a
        retain: false
        addresses: [nowhere, 10.0.0.0/33]
        except: {}
      - allow: publish
        topics: []
        maximumQoS: 3
  - claims: {}
  - 7
`,
        "file",
      ),
    );
    for (const [index, part] of [
      "file:2: permissions[0].aclfile: there is no such option; did you mean aclFile?",
      "file:3: permissions[1]: expected exactly one of aclFile, rules,",
      'file:7: permissions[2].rules[0].topics: seen "a/#/b", expected a topic filter: in the topic filter "#" is not',
      'file:6: permissions[2].rules[0].allow: seen "everything", expected publish, subscribe, receive or all',
      "rules[1]: expected either `allow` or `deny`",
      "rules[2]: expected either `allow` or `deny`",
      "rules[2].user: there is no such option; did you mean users?",
      'rules[2].topics: seen "$share/g/a", expected the filter alone, and `shareNames` if need be',
      "rules[3].retain: only a rule with `allow` has this option",
      'rules[3].addresses: seen "nowhere", expected an address or a network such as 10.0.0.0/8',
      'rules[3].addresses: seen "10.0.0.0/33", expected an address',
      "rules[3].except: expected some of users, ",
      "rules[4].topics: seen an empty list, expected a text or a list of texts",
      "rules[4].maximumQoS: seen 3, expected a whole number from 0 to 2",
      "permissions[3].claims: expected `publish`, `subscribe` or both",
      "permissions[4]: seen 7, expected a group of options",
    ].entries()) {
      assert.ok(
        problems.some((problem) => problem.includes(part)),
        `${index} ${part}\n${problems.join("\n")}`,
      );
    }
  });

  it("name a webhook with units, and not one that could be read along", () => {
    const webhook = (text: string): unknown =>
      readPermissions(
        parseConfig(`permissions: [{ webhook: { ${text} } }]`, "/etc/h/file").options.permissions ?? [],
        [],
      );
    assert.deepEqual(webhook("url: 'https://x/y', timeout: 2s, cacheFor: 1m, bearerTokenFile: token"), [
      {
        kind: "webhook",
        webhook: {
          url: "https://x/y",
          timeoutMs: 2_000,
          cacheForMs: 60_000,
          bearerTokenFile: "/etc/h/token",
        },
      },
    ]);
    for (const [text, part] of [
      ["timeout: 2s", "permissions[0].webhook.url: seen no URL"],
      ["url: 'http://example.org/'", "seen http: to another machine"],
      ["url: 'https://user:hunter2@x/'", "seen a URL with a user name or a password"],
      ["url: 'https://x/', cacheFor: 2m", 'webhook.cacheFor: seen "2m", expected seconds'],
      ["url: 'https://x/', timeoutMs: 5", "webhook.timeoutMs: there is no such option"],
    ] as const) {
      const problems = problemsOf(() => webhook(text)).join("\n");
      assert.ok(problems.includes(part), problems);
      assert.ok(!problems.includes("hunter2"));
    }
    assert.throws(
      () => settingsOf({ permissions: [{ webhook: { url: "https://x/", cacheForMs: 60_001 } }] }),
      {
        message: "permissions[0].webhook.cacheForMs: seen 60001, expected milliseconds from 0 to 60000",
      },
    );
  });

  it("an empty list is a mistake, not a broker that allows all or nothing - attack AUTHZ-12", () => {
    for (const value of ["[]", "", "all", "{}"]) {
      assert.match(
        problemsOf(() => parseConfig(`permissions: ${value}`, "file")).join(),
        /^file:1: permissions: seen .*, expected a list with some of/,
      );
    }
  });
});

describe("readRulesFile", () => {
  it("takes a list, or a list named `rules`; an empty file allows nothing - attack AUTHZ-12", () => {
    assert.equal(readRulesFile("- { allow: all, topics: a }\n- { deny: all, topics: b }", "f").length, 2);
    assert.equal(readRulesFile("rules:\n  - { allow: all, topics: [a, b] }", "f").length, 2);
    assert.deepEqual(readRulesFile("", "f"), []);
    assert.deepEqual(readRulesFile("# nothing\n", "f"), []);
  });

  it("names the line of what is wrong", () => {
    assert.deepEqual(
      problemsOf(() =>
        readRulesFile("rules:\n  - allow: all\n    topics: a\n  - alow: all\n    topics: a\n", "f"),
      ),
      [
        "f:4: rules[1].alow: there is no such option; did you mean allow?",
        "f:4: rules[1]: expected either `allow` or `deny`",
      ],
    );
    assert.match(problemsOf(() => readRulesFile("a: [", "f")).join(), /^f:\d+: is not YAML/);
    assert.match(problemsOf(() => readRulesFile("7", "f")).join(), /^f: seen 7, expected a list of rules$/);
  });
});
