// The options of listeners that are groups, or belong together.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ConfigError } from "heirloom";
import { parseConfig } from "../dist/config/file.js";
import type { Finding } from "../dist/config/findings.js";
import { resolveSettings } from "../dist/config/settings.js";

/** What is said about one listener of a file. */
function complaints(listener: string): string[] {
  try {
    const { options } = parseConfig(`listeners: [${listener}]`, "x");
    const findings: Finding[] = [];
    resolveSettings(options, false, findings);
    return findings.map(({ path, message }) => `${path.join(".")}: ${message}`);
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.problems.map(({ option, message }) => `${option}: ${message}`);
  }
}

describe("the options of listeners", () => {
  it("read groups, with paths from the directory of the file", () => {
    const source = `
listeners:
  - tls:
      certificate: server.pem
      key: /etc/key.pem
      minimumVersion: 1.3
      serverNames: [{ name: a.example, certificate: a.pem, key: a.key }]
    proxyProtocol: { trustedSources: [10.0.0.0/8, "::1"] }
    mountPoint: tenant/
`;
    const { options } = parseConfig(source, "/etc/heirloom/x.yaml", "/etc/heirloom");
    assert.deepEqual(options.listeners, [
      {
        tls: {
          certificate: "/etc/heirloom/server.pem",
          key: "/etc/key.pem",
          minimumVersion: "1.3",
          serverNames: [
            { name: "a.example", certificate: "/etc/heirloom/a.pem", key: "/etc/heirloom/a.key" },
          ],
        },
        proxyProtocol: { trustedSources: ["10.0.0.0/8", "::1"] },
        mountPoint: "tenant/",
      },
    ]);
  });

  it("have ports of their own with TLS", () => {
    const tls = { certificate: "c", key: "k" };
    const listeners = [{ tls }, { tls, transport: "websocket" as const }];
    const settings = resolveSettings({ listeners }, false, []).listeners;
    assert.deepEqual(
      settings.map(({ port }) => port),
      [8883, 8084],
    );
  });

  for (const [listener, message] of [
    ["{ tls: yes }", /tls: seen "yes", expected options: certificate, key/],
    ["{ tls: { certificate: c } }", /tls\.key: seen nothing, expected/],
    ["{ tls: { certificate: c, key: k, cert: x } }", /tls\.cert: there is no such option/],
    [
      "{ tls: { certificate: c, key: k, minimumVersion: 1.1 } }",
      /minimumVersion: seen 1.1, expected 1.2 or 1.3/,
    ],
    [
      "{ tls: { certificate: c, key: k, serverNames: [{ name: a, key: b }] } }",
      /serverNames\[0\]\.certificate: seen nothing/,
    ],
    ["{ tls: { certificate: c, key: k, crl: r } }", /tls\.crl: is of no use without/],
    ["{ proxyProtocol: {} }", /proxyProtocol\.trustedSources: seen nothing/],
    [
      "{ proxyProtocol: { trustedSources: [10.0.0.0/33] } }",
      /trustedSources: seen \["10\.0\.0\.0\/33"\], expected a list, each an address/,
    ],
    ["{ trustedProxies: [::1] }", /trustedProxies: only a listener with `transport: websocket`/],
    ["{ socket: /run/x, port: 1 }", /port: a listener with a `socket` does not have this option/],
    ["{ socket: /run/x, tls: { certificate: c, key: k } }", /tls: a listener with a `socket` does not/],
    ['{ socketMode: "0660" }', /socketMode: only a listener with a `socket`/],
    [
      "{ socket: /run/x, socketMode: 0660 }",
      /socketMode: seen 660, expected octal digits in quotation marks/,
    ],
    ["{ mountPoint: tenant }", /mountPoint: seen "tenant", expected the beginning of topics/],
    ["{ mountPoint: a/+/ }", /mountPoint: seen/],
    ["{ mountPoint: $SYS/ }", /mountPoint: seen/],
  ] as const) {
    it(`refuse ${listener}`, () => {
      const said = complaints(listener);
      assert.equal(said.length, 1, said.join("\n"));
      assert.match((said[0] ?? "").replace(/^listeners(\.0|\[0\])\./, ""), message);
    });
  }
});
