// Configuration files: what is read, and every complaint with its line.

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { ConfigError } from "heirloom";
import { parseConfig, readConfigFile } from "../dist/config/file.js";
import { throwFindings, type Finding } from "../dist/config/findings.js";
import { resolveSettings } from "../dist/config/settings.js";

/** Everything that is said about a file, as the server says it. */
function complaints(source: string): string {
  try {
    const file = parseConfig(source, "heirloom.yaml");
    const findings: Finding[] = [];
    resolveSettings(file.options, false, findings);
    throwFindings(findings, "heirloom.yaml", (path) => file.locate(path));
    return "";
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    assert.equal(error.code, "CONFIG_INVALID");
    return error.message;
  }
}

describe("a configuration file", () => {
  it("may be empty, or have nothing but comments", () => {
    assert.deepEqual(parseConfig("", "x").options, {});
    assert.deepEqual(parseConfig("# nothing\n", "x").options, {});
  });

  it("gives general options, limits in their own units, and listeners", () => {
    const { options } = parseConfig(
      `store: memory
data: /var/lib/heirloom
connectTimeout: 500ms
keepAliveMaximum: 20m
maximumPacketSize: 1MiB
sessionExpiryDefault: never
sessionExpiryMaximum: 30d
maximumQoS: 1
protocolVersions: [3.1, 3.1.1, 5.0]
queuePolicy: hold
redirect: { serverReference: other.example, permanent: true }
listeners:
  - port: 0
    receiveMaximum: 20
    protocolVersions: ["5.0"]
  - { transport: websocket, host: "::", path: /mqtt, connections: 10, allowedOrigins: [https://example.org] }
`,
      "x",
    );
    assert.deepEqual(options, {
      store: "memory",
      data: "/var/lib/heirloom",
      limits: {
        connectTimeoutMs: 500,
        keepAliveMaximum: 1_200,
        maximumPacketSize: 1_048_576,
        sessionExpiryDefault: 0xffff_ffff,
        sessionExpiryMaximum: 2_592_000,
        maximumQoS: 1,
        protocolVersions: [3, 4, 5],
        queuePolicy: "hold",
        redirect: { serverReference: "other.example", permanent: true },
      },
      listeners: [
        { port: 0, receiveMaximum: 20, protocolVersions: [5] },
        {
          transport: "websocket",
          host: "::",
          path: "/mqtt",
          connections: 10,
          allowedOrigins: ["https://example.org"],
        },
      ],
    });
  });

  it("takes plain numbers as bytes and as seconds", () => {
    const { options } = parseConfig(
      "maximumPacketSize: 2048\nkeepAliveMaximum: 90\nconnectTimeout: 2.5\n",
      "x",
    );
    assert.deepEqual(options.limits, {
      maximumPacketSize: 2_048,
      keepAliveMaximum: 90,
      connectTimeoutMs: 2_500,
    });
  });

  it("may be JSON", () => {
    const { options } = parseConfig('{\n\t"store": "memory",\n\t"listeners": [{ "port": 1 }]\n}', "x.json");
    assert.deepEqual(options, { store: "memory", limits: {}, listeners: [{ port: 1 }] });
  });

  const wrong: readonly (readonly [name: string, source: string, complaint: string])[] = [
    [
      "an option that does not exist",
      "frobnicate: 1",
      "heirloom.yaml:1: frobnicate: there is no such option",
    ],
    [
      "a misspelt option",
      "# first\nallowAnonymus: false",
      "heirloom.yaml:2: allowAnonymus: there is no such option; did you mean allowAnonymous?",
    ],
    [
      "a misspelt option of a listener",
      "listeners:\n  - port: 1\n    pth: /mqtt",
      "heirloom.yaml:3: listeners[0].pth: there is no such option; did you mean path?",
    ],
    ["a name from JavaScript", "__proto__: { a: 1 }", "heirloom.yaml:1: __proto__: there is no such option"],
    ["another one", "constructor: 1", "heirloom.yaml:1: constructor: there is no such option"],
    [
      "a size without meaning",
      "maximumPacketSize: 16MX",
      'heirloom.yaml:1: maximumPacketSize: seen "16MX", expected bytes, or a size such as 16MiB, from 64 to 268435460',
    ],
    [
      "a number out of range",
      "receiveMaximum: 0",
      "heirloom.yaml:1: receiveMaximum: seen 0, expected a whole number from 1 to 65535",
    ],
    [
      "infinity",
      "queueMessages: .inf",
      `heirloom.yaml:1: queueMessages: seen Infinity, expected a whole number from 1 to ${2 ** 50}`,
    ],
    [
      "no number",
      "queueMessages: .nan",
      `heirloom.yaml:1: queueMessages: seen NaN, expected a whole number from 1 to ${2 ** 50}`,
    ],
    [
      "a fraction of a second",
      "keepAliveMaximum: 1500ms",
      'heirloom.yaml:1: keepAliveMaximum: seen "1500ms", expected seconds, or a duration such as 2h, from 0 to 65535s',
    ],
    [
      "no truth value",
      "allowAnonymous: yes",
      'heirloom.yaml:1: allowAnonymous: seen "yes", expected true or false',
    ],
    ["a value that is missing", "data:", "heirloom.yaml:1: data: seen nothing, expected a path"],
    [
      "a version that does not exist",
      "protocolVersions: [3.1, 6, [5]]",
      "heirloom.yaml:1: protocolVersions: seen [3.1, 6, ...], expected a list, each 3.1, 3.1.1 or 5.0",
    ],
    [
      "an empty list of listeners",
      "listeners: []",
      "heirloom.yaml:1: listeners: seen an empty list, expected a list of listeners",
    ],
    [
      "a listener that is no group",
      "listeners:\n  - 1883",
      'heirloom.yaml:2: listeners[0]: seen 1883, expected options such as "port: 1883"',
    ],
    [
      "a file that is no group",
      "just a text",
      'heirloom.yaml: seen "just a text", expected options such as "store: leveldb"',
    ],
    [
      "a path on TCP",
      "listeners:\n  - path: /mqtt",
      "heirloom.yaml:2: listeners[0].path: only a listener with `transport: websocket` has this option",
    ],
    [
      "a path without a slash",
      "listeners:\n  - transport: websocket\n    path: mqtt",
      'heirloom.yaml:3: listeners[0].path: seen "mqtt", expected a path that begins with /',
    ],
    [
      "two listeners of one name",
      "listeners:\n  - name: a\n    port: 1\n  - name: a\n    port: 2",
      'heirloom.yaml:4: listeners[1].name: seen "a" twice, expected unique names',
    ],
    [
      "no anonymous clients and nobody to tell others apart",
      "\nallowAnonymous: false",
      "heirloom.yaml:2: allowAnonymous: seen false, but nothing here can tell who a client is, so nobody could connect; " +
        "expected true, or `authentication`, or in a program a `connect` hook",
    ],
    [
      "the same for one listener",
      "listeners:\n  - port: 1\n    allowAnonymous: false",
      "heirloom.yaml:3: listeners[0].allowAnonymous: seen false, but nothing here can tell who a client is, so nobody " +
        "could connect; expected true, or `authentication`, or in a program a `connect` hook",
    ],
  ];
  for (const [name, source, complaint] of wrong) {
    it(`is refused for ${name}`, () => assert.equal(complaints(source), complaint));
  }

  it("is refused with all that is wrong in it, from top to bottom", () => {
    const lines = complaints("listeners:\n  - prt: 1\nstor: memory\nmaximumQoS: 3\n").split("\n");
    assert.deepEqual(
      lines.map((line) => line.split(" ", 2).join(" ")),
      ["heirloom.yaml:2: listeners[0].prt:", "heirloom.yaml:3: stor:", "heirloom.yaml:4: maximumQoS:"],
    );
  });

  for (const [name, source] of [
    ["broken brackets", "store: memory\nlisteners: ["],
    ["an option that stands twice", "store: memory\nstore: leveldb"],
  ] as const) {
    it(`is refused with its line for ${name}`, () => {
      assert.match(complaints(source), /^heirloom\.yaml:\d: is not YAML: /);
    });
  }

  it("is refused when its aliases lead nowhere or multiply without end", () => {
    assert.match(complaints("store: *nothing"), /^heirloom\.yaml: is not YAML: /);
    const doubled = Array.from(
      { length: 30 },
      (_, index) => `a${index + 1}: &a${index + 1} [*a${index}, *a${index}]`,
    );
    assert.match(complaints(`a0: &a0 [x]\n${doubled.join("\n")}`), /^heirloom\.yaml: is not YAML: /);
  });

  it("that cannot be read says so", async () => {
    await assert.rejects(readConfigFile("/nowhere/heirloom.yaml"), (error) => {
      assert.ok(error instanceof ConfigError);
      assert.match(error.message, /^\/nowhere\/heirloom\.yaml: cannot be read: ENOENT/);
      return true;
    });
  });

  it("names a data directory beside itself", async (context) => {
    const directory = await mkdtemp(join(tmpdir(), "heirloom-config-"));
    context.after(() => rm(directory, { recursive: true }));
    const file = join(directory, "heirloom.yaml");
    await writeFile(file, "data: ./kept\n");
    const { options } = await readConfigFile(file);
    assert.equal(options.data, join(directory, "kept"));
  });
});
