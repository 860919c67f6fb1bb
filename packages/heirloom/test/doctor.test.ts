// What the doctor finds open, and what it says of a configuration that is not.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { resolveSettings, type ServerOptions } from "../dist/config/settings.js";
import { examine } from "../dist/doctor/examine.js";
import type { Facts } from "../dist/doctor/facts.js";
import { whenValid } from "../dist/transports/tls-files.js";
import { serverPair } from "./certificates.ts";
import { newDirectory } from "./support.ts";

const NOTHING: Facts = {
  isRoot: false,
  openFiles: undefined,
  coreDumpBytes: undefined,
  files: [],
  certificateDates: [],
  weakHashes: [],
};
const KEYS = { certificate: "c.pem", key: "k.pem" };

/** What is found, as "severity about". */
function found(options: ServerOptions, facts: Partial<Facts> = {}): string[] {
  const findings: Parameters<typeof resolveSettings>[2] = [];
  const settings = resolveSettings(options, false, findings);
  assert.deepEqual(findings, []);
  return examine(settings, { ...NOTHING, ...facts }).map(({ severity, about }) => `${severity} ${about}`);
}

/** A configuration that leaves nothing open. */
const CLOSED: ServerOptions = {
  listeners: [{ tls: KEYS }],
  authentication: [{ passwordFile: "passwords" }],
  permissions: [{ aclFile: "rules" }],
  limits: { packetRate: 1_000, sessionExpiryMaximum: 86_400 },
};

describe("examine", () => {
  it("has nothing to say of a configuration that is closed", () => {
    assert.deepEqual(found(CLOSED), []);
  });

  it("finds listeners that other machines reach without a password or without TLS", () => {
    const open = { ...CLOSED, listeners: [{ host: "0.0.0.0", allowAnonymous: true }] };
    assert.deepEqual(found(open), ["danger listeners[0].allowAnonymous", "danger listeners[0].tls"]);
    const local = { ...CLOSED, listeners: [{ host: "127.0.0.1", allowAnonymous: true }, { socket: "s" }] };
    assert.deepEqual(
      found(local).filter((line) => line.includes("listeners")),
      [],
    );
    const proxied = { ...CLOSED, listeners: [{ proxyProtocol: { trustedSources: ["10.0.0.1"] } }] };
    assert.deepEqual(found(proxied), ["note listeners[0].tls"]);
    const pages = [{ transport: "websocket", tls: KEYS, allowedOrigins: ["*"] }] as const;
    assert.deepEqual(found({ ...CLOSED, listeners: pages }), ["note listeners[0].allowedOrigins"]);
  });

  it("finds names that several kinds of authentication can give", () => {
    const passwordFile = "passwords";
    const certificate = { certificate: {} };
    const mixed = { ...CLOSED, authentication: [{ passwordFile }, certificate] };
    assert.deepEqual(found(mixed), ["note authentication"]);
    const one = { ...CLOSED, authentication: [{ scram: { passwordFile } }, { passwordFile }] };
    assert.deepEqual(found(one), []);
  });

  it("finds that everybody may do everything", () => {
    const { permissions, ...rest } = CLOSED;
    assert.ok(permissions !== undefined);
    assert.deepEqual(found(rest), ["warning permissions"]);
    const anyone = { ...CLOSED, limits: { ...CLOSED.limits, sessionOwner: "anyone" } } as const;
    assert.deepEqual(found(anyone), ["warning sessionOwner"]);
    const names = { ...CLOSED, limits: { ...CLOSED.limits, controlCharacters: "everywhere" } } as const;
    assert.deepEqual(found(names), ["warning controlCharacters"]);
  });

  it("finds files that others can read or change, and weak hashes", () => {
    const files = [
      { file: "key", holds: "secrets", mode: 0o644 },
      { file: "data", holds: "messages", mode: 0o755 },
      { file: "config", holds: "configuration", mode: 0o644 },
      { file: "other", holds: "configuration", mode: 0o666 },
      { file: "good", holds: "secrets", mode: 0o640 },
      { file: "absent", holds: "secrets", mode: undefined },
    ] as const;
    assert.deepEqual(found(CLOSED, { files }), ["danger key", "danger other", "warning data"]);
    assert.deepEqual(found(CLOSED, { weakHashes: [{ file: "passwords", users: 2 }] }), ["warning passwords"]);
  });

  it("finds certificates that are not valid, or not for long", () => {
    const certificateDates = [{ listener: 0, problem: "the certificate's validity ended" }];
    assert.deepEqual(found(CLOSED, { certificateDates }), ["warning listeners[0].tls"]);
    const [from, to] = ["Jan  1 00:00:00 2026 GMT", "Mar  1 00:00:00 2026 GMT"];
    const at = (month: number, day: number): string | undefined =>
      whenValid(Date.UTC(2026, month, day), from, to);
    assert.equal(at(-1, 31), `begins on ${from}`);
    assert.equal(at(0, 1), undefined);
    assert.equal(at(1, 15), undefined);
    assert.equal(at(1, 16), `ends on ${to}`);
    assert.equal(at(2, 2), `ended on ${to}`);
  });

  it("finds a process that may do too much, or too little - attack CFG-05", () => {
    assert.deepEqual(found(CLOSED, { isRoot: true }), ["danger process"]);
    assert.deepEqual(found(CLOSED, { coreDumpBytes: Infinity }), ["warning process"]);
    assert.deepEqual(found(CLOSED, { coreDumpBytes: 0 }), []);
    assert.deepEqual(found(CLOSED, { openFiles: 1_024 }), ["warning connections"]);
    assert.deepEqual(found(CLOSED, { openFiles: 100_000 }), ["note connections"]);
    const few = { ...CLOSED, limits: { ...CLOSED.limits, connections: 1_000 } };
    assert.deepEqual(found(few, { openFiles: 1_024 }), []);
  });

  it("finds limits that were switched off", () => {
    const limits = { memoryBytes: 0, keepAliveMaximum: 0, takeoversPerMinute: 0 };
    const off = { ...CLOSED, connectionsPerAddress: 0, connectRatePerAddress: 0, limits };
    assert.deepEqual(found(off), [
      "warning memoryBytes",
      "note connectionsPerAddress",
      "note connectRatePerAddress",
      "note keepAliveMaximum",
      "note takeoversPerMinute",
      "note packetRate",
      "note sessionExpiryMaximum",
    ]);
  });
});

function doctor(
  directory: string,
  ...args: string[]
): { code: number | null; output: string; errors: string } {
  const main = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
  const run = spawnSync(process.execPath, [main, "doctor", ...args], { cwd: directory, encoding: "utf8" });
  return { code: run.status, output: run.stdout, errors: run.stderr };
}

async function directoryWith(context: TestContext, files: Record<string, string>): Promise<string> {
  const directory = await newDirectory(context);
  for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text);
  return directory;
}

describe("heirloom doctor", () => {
  it("exits with 1 for a danger, and says what to change", async (context) => {
    const directory = await directoryWith(context, {
      "c.yaml": "listeners: [{ host: 0.0.0.0 }]\nauthentication: [{ passwordFile: passwords }]\n",
      passwords: "alice:$6$c2FsdHNhbHRzYWx0$" + `${"A".repeat(86)}==\n`,
    });
    await chmod(join(directory, "passwords"), 0o644);
    await mkdir(join(directory, "heirloom-data"), { mode: 0o700 });
    const { code, output } = doctor(directory, "--config", "c.yaml");
    assert.equal(code, 1);
    assert.match(output, /^danger {3}listeners\[0\]\.tls: .*passwords and messages\n {9}set `tls`/m);
    assert.match(output, /^danger {3}.*passwords: every user of this machine can read the secrets in it\n/m);
    assert.match(output, /^warning {2}.*passwords: the passwords of 1 users are stored as \$6\$/m);
    assert.ok(!output.includes("AAAA"), "no hash is shown");
  });

  it("prints JSON, and exits with 0 when nothing is a danger but root", async (context) => {
    const directory = await directoryWith(context, { "c.yaml": "store: memory\n" });
    const { code, output } = doctor(directory, "--config", "c.yaml", "--json");
    const advice: unknown = JSON.parse(output);
    assert.ok(Array.isArray(advice));
    const isRoot = process.getuid?.() === 0;
    assert.equal(code, isRoot ? 1 : 0);
    assert.equal(output.includes('"danger"'), isRoot);
  });

  it("exits as the server does when that would not start", async (context) => {
    const directory = await directoryWith(context, { "c.yaml": "stroe: memory\n" });
    const { code, errors } = doctor(directory, "--config", "c.yaml");
    assert.equal(code, 78);
    assert.match(errors, /^heirloom: c\.yaml:1: stroe: there is no such option; did you mean store\?\n$/);
    assert.equal(doctor(directory, "--jsn").code, 64);
  });

  it("reads every file that the server reads at its start", async (context) => {
    const tls = "{ certificate: absent, key: absent }";
    for (const [text, message] of [
      [`listeners: [{ tls: ${tls} }]`, /^heirloom: listener "tcp": tls\.certificate: cannot be read: /],
      ["permissions: [{ aclFile: absent }]", /absent: cannot be read: /],
      ["permissions: [{ rulesFile: absent }]", /absent: cannot be read: /],
      ["authentication: [{ passwordFile: absent }]", /absent: cannot be read: /],
      ["authentication: [{ jwt: { jwksFile: absent } }]", /absent: cannot be read: /],
      [
        "authentication: [{ webhook: { url: 'https://localhost/', bearerTokenFile: absent } }]",
        /absent: cannot be read: /,
      ],
      [
        "authentication: [{ webhook: { url: 'https://localhost/', caFile: absent } }]",
        /absent: cannot be read: /,
      ],
    ] as const) {
      const directory = await directoryWith(context, { "c.yaml": text });
      const { code, output, errors } = doctor(directory, "--config", "c.yaml");
      assert.deepEqual([code, output], [78, ""], text);
      assert.match(errors, message);
    }
  });

  it("finds rules and certificates that everybody can change", async (context) => {
    const { certificate, key } = serverPair("server");
    const directory = await directoryWith(context, {
      "c.yaml":
        "listeners: [{ tls: { certificate: server.pem, key: server.key } }]\n" +
        "authentication: [{ passwordFile: passwords }]\npermissions: [{ aclFile: acl }, { rulesFile: rules }]\n",
      acl: "topic a\n",
      rules: "",
      passwords: "",
      "server.pem": await readFile(certificate, "utf8"),
      "server.key": await readFile(key, "utf8"),
    });
    for (const name of ["passwords", "server.key"]) await chmod(join(directory, name), 0o600);
    const dangers = (): string[] => {
      const lines = doctor(directory, "--config", "c.yaml").output.split("\n");
      return lines.filter((line) => line.includes("can change it")).map((line) => line.slice(0, 7));
    };
    assert.deepEqual(dangers(), []);
    for (const name of ["acl", "rules", "server.pem"]) await chmod(join(directory, name), 0o666);
    assert.deepEqual(dangers(), ["danger ", "danger ", "danger "]);
  });

  it("tells how it is used", async (context) => {
    const directory = await newDirectory(context);
    const { code, output, errors } = doctor(directory, "--help");
    assert.deepEqual([code, errors], [0, ""]);
    assert.match(output, /^Usage: heirloom doctor /);
  });
});
