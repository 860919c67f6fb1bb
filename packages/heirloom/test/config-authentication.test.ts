// The options of authentication in files and programs: what is read, what is refused, and what follows for listeners.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ConfigError, createBroker, type BrokerOptions } from "heirloom";
import { parseConfig } from "../dist/config/file.js";
import { resolveSettings } from "../dist/config/settings.js";
import { settingsOf } from "../dist/create-broker.js";

/** What is wrong with a file, or nothing. */
function problems(source: string): string {
  try {
    const { options } = parseConfig(source, "/etc/h.yaml");
    const findings: Parameters<typeof resolveSettings>[2] = [];
    resolveSettings(options, false, findings);
    return findings.map(({ path, message }) => `${path.join(".")}: ${message}`).join("\n");
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.message;
  }
}

describe("authentication in a file", () => {
  it("is read, with paths that begin at the file", () => {
    const { options } = parseConfig(
      `
authentication:
  - passwordFile: passwords
  - certificate: { field: dnsName }
  - jwt: { jwksUrl: "https://login/keys", audience: mqtt, clockTolerance: 30s, caFile: ca.pem }
  - webhook: { url: "http://127.0.0.1:1/x", timeout: 500ms, cacheFor: 0, bearerTokenFile: /run/token }
  - scram: { passwordFile: /var/passwords }
loginLimits: { failuresPerUser: 5, banFor: 1h, trustedSources: [10.0.0.0/8, "::1"] }
`,
      "/etc/heirloom/h.yaml",
    );
    assert.deepEqual(options.authentication, [
      { passwordFile: "/etc/heirloom/passwords" },
      { certificate: { field: "dnsName" } },
      {
        jwt: {
          jwksUrl: "https://login/keys",
          audience: ["mqtt"],
          clockTolerance: 30,
          caFile: "/etc/heirloom/ca.pem",
        },
      },
      {
        webhook: {
          url: "http://127.0.0.1:1/x",
          timeoutMs: 500,
          cacheForMs: 0,
          bearerTokenFile: "/run/token",
        },
      },
      { scram: { passwordFile: "/var/passwords" } },
    ]);
    assert.deepEqual(options.loginLimits, {
      failuresPerUser: 5,
      banMs: 3_600_000,
      trustedSources: ["10.0.0.0/8", "::1"],
    });
  });

  for (const [source, message] of [
    ["authentication: []", "authentication: seen an empty list, expected a list"],
    ["authentication: [x]", 'authentication[0]: seen "x", expected one of passwordFile, certificate, jwt'],
    ["authentication: [{}]", "authentication[0]: seen none, expected one of"],
    ["authentication: [{ passwordfile: x }]", "did you mean passwordFile?"],
    [
      "authentication: [{ passwordFile: x, scram: { passwordFile: y } }]",
      "seen passwordFile and scram in one item",
    ],
    ["authentication: [{ passwordFile: 7 }]", "seen 7, expected a text"],
    ["authentication: [{ certificate: commonName }]", 'seen "commonName", expected a group of options'],
    ["authentication: [{ certificate: { feild: uri } }]", "did you mean field?"],
    ["authentication: [{ certificate: { field: cn } }]", 'seen "cn", expected commonName, dnsName'],
    [
      "authentication: [{ jwt: {} }]",
      "seen none, expected one of jwksFile, jwksUrl, publicKeyFile, secretFile",
    ],
    [
      "authentication: [{ jwt: { jwksFile: a, secretFile: b } }]",
      "seen jwksFile and secretFile, expected one of",
    ],
    [
      "authentication: [{ jwt: { jwksFile: a, algorithms: [none] } }]",
      'seen ["none"], expected a list, each RS256',
    ],
    [
      "authentication: [{ jwt: { jwksFile: a, algorithms: [HS256] } }]",
      "seen HS256, expected those of public keys",
    ],
    ["authentication: [{ jwt: { secretFile: a, algorithms: [RS256] } }]", "seen RS256, expected HS256"],
    ["authentication: [{ jwt: { jwksFile: a, clockTolerance: 61 } }]", "seen 61, expected seconds"],
    ["authentication: [{ jwt: { jwksUrl: 'http://login/keys' } }]", "seen http: to another machine"],
    ["authentication: [{ webhook: {} }]", "expected a text"],
    ["authentication: [{ webhook: { url: 'ftp://x' } }]", "seen a URL that is neither https: nor http:"],
    ["authentication: [{ scram: {} }]", 'seen "", expected a text'],
    [
      "authentication: [{ passwordFile: x }]\nloginLimits: { hashesAtOnce: 0 }",
      "seen 0, expected a whole number",
    ],
    [
      "authentication: [{ passwordFile: x }]\nloginLimits: { trustedSources: [10.0.0.0/33] }",
      "expected a list, each an address",
    ],
    ["authentication: [{ passwordFile: x }]\nloginLimits: { banfor: 1 }", "did you mean banFor?"],
  ] as const) {
    it(`is refused: ${source.slice(0, 70)} - attack CFG-02`, () => {
      const found = problems(source);
      assert.ok(found.includes(message), found);
    });
  }

  it("shows no password of a URL - attack AUTHN-14", () => {
    const found = problems('authentication: [{ webhook: { url: "https://user:canary@example.org/" } }]');
    assert.match(found, /a URL with a user name or a password/);
    assert.doesNotMatch(found, /canary/);
  });
});

describe("listeners and who may come in", () => {
  const files = { authentication: [{ passwordFile: "/passwords" }] } as const;
  const allowed = { allowAnonymous: true } as const;
  for (const [what, options, host, isAnonymous] of [
    ["nothing said", {}, "127.0.0.1", true],
    ["authentication", files, undefined, false],
    ["authentication, anonymous clients too", { ...files, ...allowed }, "127.0.0.1", true],
    ["authentication and an address", { ...files, host: "0.0.0.0" }, "0.0.0.0", false],
    ["a hook and an address", { hooks: { connect: () => undefined }, host: "0.0.0.0" }, "0.0.0.0", true],
    ["an address, and that anybody may come in", { host: "0.0.0.0", ...allowed }, "0.0.0.0", true],
    ["an address of this machine", { host: "127.0.0.2" }, "127.0.0.2", true],
    ["the name of this machine", { host: "localhost" }, "localhost", true],
  ] as const satisfies readonly (readonly [string, BrokerOptions, string | undefined, boolean])[]) {
    it(`${what}: ${host ?? "all addresses"}, ${isAnonymous ? "anybody" : "known clients"} - attack AUTHN-08`, () => {
      const [listener] = settingsOf(options).listeners;
      assert.equal(listener?.host, host);
      assert.equal(listener?.allowAnonymous, isAnonymous);
    });
  }

  for (const host of ["0.0.0.0", "::", "192.0.2.1", "example.org", ""]) {
    it(`does not start at ${JSON.stringify(host)} when nobody asks who clients are - attack AUTHN-08`, async () => {
      await assert.rejects(createBroker({ host, port: 0, store: "memory" }), { code: "CONFIG_INVALID" });
      const listeners = [{ host, port: 0 }];
      await assert.rejects(createBroker({ listeners, store: "memory" }), { code: "CONFIG_INVALID" });
    });
  }

  it("is really bound where that was said - attack AUTHN-08", async (context) => {
    const broker = await createBroker({ port: 0, store: "memory" });
    context.after(() => broker.stop());
    assert.deepEqual(
      broker.listeners.map(({ host }) => host),
      ["127.0.0.1"],
    );
  });
});
