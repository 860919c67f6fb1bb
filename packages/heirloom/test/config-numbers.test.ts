// Numbers in options: what is no whole number in its range is refused, and a broker runs with each limit at both its ends.

import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_LIMITS, type Limits } from "@heirloom/core";
import { MemoryBroker } from "@heirloom/core/testing";
import { ConfigError } from "heirloom";
import { parseConfig } from "../dist/config/file.js";
import type { Finding } from "../dist/config/findings.js";
import { resolveSettings } from "../dist/config/settings.js";

/** Where ranges begin and end, with their neighbours. */
const EDGES = [
  ...[0, 1, 2, 3, 63, 64, 99, 100, 127, 128, 255, 256, 1_023, 1_024, 65_535, 65_536, 3_600_000, 3_600_001],
  ...[
    268_435_460,
    268_435_461,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    2 ** 32,
    2 ** 50,
    2 ** 50 + 1,
    2 ** 53,
  ],
];
const NO_WHOLE_NUMBERS = [NaN, Infinity, -Infinity, -1, 0.5, -0.5, 1e300, 2 ** 53 + 2];

/** The limits that are numbers. */
const NUMERIC = Object.entries(DEFAULT_LIMITS).flatMap(([field, value]: [string, unknown]) =>
  typeof value === "number" && field !== "maximumQoS" ? [{ field, value }] : [],
);

function limitsWith(field: string, value: number): Partial<Limits> {
  return { [field]: value };
}

function isAccepted(field: string, value: number): boolean {
  const findings: Finding[] = [];
  resolveSettings({ limits: limitsWith(field, value) }, false, findings);
  return findings.length === 0;
}

test("each number of the limits has a least and a largest value, and takes nothing else - attack JS-03, attack RET-07", () => {
  assert.ok(NUMERIC.length > 30, `${NUMERIC.length} limits`);
  for (const { field, value: usual } of NUMERIC) {
    for (const value of NO_WHOLE_NUMBERS) {
      assert.equal(isAccepted(field, value), false, `${field}: ${value}`);
    }
    const accepted = EDGES.filter((value) => isAccepted(field, value));
    assert.ok(accepted.length >= 1 && accepted.length < EDGES.length, field);
    // One range without holes, and the default is in it.
    const first = EDGES.indexOf(accepted[0] ?? NaN);
    assert.deepEqual(EDGES.slice(first, first + accepted.length), accepted, field);
    assert.ok(isAccepted(field, usual), field);
  }
});

test("a file says such numbers in vain too - attack JS-03", () => {
  for (const written of [
    ".nan",
    ".inf",
    "-.inf",
    "-1",
    "1.5",
    "1e400",
    "1e-3",
    "0x",
    "''",
    "[1]",
    "{}",
    "~",
    "9999999999999999999",
  ]) {
    for (const name of ["retainedMessages", "receiveMaximum", "maximumPacketSize", "keepAliveMaximum"]) {
      assert.throws(() => parseConfig(`${name}: ${written}`, "x"), ConfigError, `${name}: ${written}`);
    }
  }
});

for (const version of [4, 5] as const) {
  test(`a broker runs with each limit at its least and at its largest value: version ${version} - attack RET-07`, async () => {
    for (const { field } of NUMERIC) {
      const accepted = EDGES.filter((value) => isAccepted(field, value));
      for (const value of new Set([accepted[0] ?? 0, accepted.at(-1) ?? 0])) {
        const broker = await MemoryBroker.start({ limits: limitsWith(field, value) });
        const name = `${field}: ${value}`;
        const client = broker.client("c", version);
        const [connack] = await client.connect({
          cleanStart: false,
          keepAlive: 10,
          will: { topicName: "w", retain: true },
        });
        if (connack?.startsWith("CONNACK 0x00") === true && !client.isClosed) {
          client.sendSubscribe(["t", "#", { topicFilter: "r/+", qos: 1 }]);
          client.sendPublish({ topicName: "r/1", qos: 1, packetId: 1, retain: true, payload: "kept" });
          client.sendPublish({ topicName: "t", qos: 2, packetId: 2, payload: "x" });
          await broker.settle();
          client.sendSubscribe(["#"]);
          await broker.advance(5);
          assert.ok(client.take().length > 0 || client.isClosed, name);
        }
        await client.drop();
        await broker.advance(15);
        await broker.restart();
        const again = await broker.client("again", version).connect();
        assert.ok(again.length <= 1, name);
        assert.equal(broker.failure, undefined, name);
        for (const [counter, count] of Object.entries(broker.counters)) {
          assert.ok(Number.isFinite(count) && Number(count) >= 0, `${name}: ${counter} is ${String(count)}`);
        }
        await broker.stop();
      }
    }
  });
}
