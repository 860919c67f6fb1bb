// Defaults, and what options have to do with each other.

import assert from "node:assert/strict";
import { totalmem } from "node:os";
import { describe, it } from "node:test";
import { DEFAULT_LIMITS } from "@heirloom/core";
import type { Finding } from "../dist/config/findings.js";
import { resolveSettings, type ServerOptions, type Settings } from "../dist/config/settings.js";

function resolved(options: ServerOptions, identifies = false): Settings {
  const findings: Finding[] = [];
  const settings = resolveSettings(options, identifies, findings);
  assert.deepEqual(findings, []);
  return settings;
}

describe("resolveSettings", () => {
  it("has a default for everything", () => {
    const settings = resolved({});
    const { memoryBytes } = settings.limits;
    assert.ok(memoryBytes > 0 && memoryBytes <= totalmem());
    assert.deepEqual(settings.limits, { ...DEFAULT_LIMITS, keepAliveMaximum: 1_200, memoryBytes });
    assert.equal(settings.store, "leveldb");
    assert.equal(settings.data, "./heirloom-data");
    assert.equal(settings.purgeInterval, 86_400);
    assert.equal(settings.listeners.length, 1);
    assert.equal(settings.listeners[0]?.name, "tcp");
    assert.equal(settings.listeners[0].port, 1883);
  });

  it("takes seconds, or never, for the time after which what is gone leaves the files", () => {
    assert.equal(resolved({ purgeInterval: 3_600 }).purgeInterval, 3_600);
    assert.equal(resolved({ purgeInterval: Infinity }).purgeInterval, Infinity);
    const findings: Finding[] = [];
    resolveSettings({ purgeInterval: 5 }, false, findings);
    assert.deepEqual(findings, [
      { path: ["purgeInterval"], message: "seen 5, expected seconds from 60 to 2073600" },
    ]);
  });

  it("listens on this machine only while anonymous clients are allowed and nobody said otherwise", () => {
    const hosts = (options: ServerOptions, identifies = false): (string | undefined)[] =>
      resolved(options, identifies).listeners.map(({ host }) => host);
    assert.deepEqual(hosts({}), ["127.0.0.1"]);
    assert.deepEqual(hosts({ listeners: [{ host: "0.0.0.0", allowAnonymous: true }, { port: 1 }] }), [
      "0.0.0.0",
      "127.0.0.1",
    ]);
    assert.deepEqual(hosts({ authentication: [{ passwordFile: "p" }] }), [undefined]);
    assert.deepEqual(hosts({ allowAnonymous: false }, true), [undefined]);
    assert.deepEqual(hosts({ allowAnonymous: false, listeners: [{ allowAnonymous: true }] }, true), [
      "127.0.0.1",
    ]);
    assert.deepEqual(hosts({ listeners: [{ allowAnonymous: false }] }, true), [undefined]);
  });

  it("gives each listener its own limits, and the broker's where it has none", () => {
    const { listeners } = resolved({
      limits: { maximumPacketSize: 5_000, receiveMaximum: 7 },
      listeners: [{ receiveMaximum: 9, protocolVersions: [5] }, { port: 1 }],
    });
    assert.deepEqual(
      listeners.map(({ limits }) => [
        limits.maximumPacketSize,
        limits.receiveMaximum,
        limits.protocolVersions,
      ]),
      [
        [5_000, 9, [5]],
        [5_000, 7, [3, 4, 5]],
      ],
    );
  });

  it("names listeners after their transport, with a number when there are several", () => {
    const names = (options: ServerOptions): string[] => resolved(options).listeners.map(({ name }) => name);
    assert.deepEqual(names({ listeners: [{}] }), ["tcp"]);
    assert.deepEqual(names({ listeners: [{}, { transport: "websocket" }, { name: "inner" }] }), [
      "tcp-1",
      "websocket-2",
      "inner",
    ]);
  });
});
