// Ill-formed text against a whole broker: it ends the connection that sends it, and reaches nobody. Texts that are equal only
// to people name different clients.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { ProtocolVersion } from "@heirloom/codec";
import { MemoryBroker } from "@heirloom/core/testing";
import { answerTo, connected, ended, field, noProperties, packet, VERSIONS } from "./src/raw.ts";

/** Overlong forms, surrogates, U+0000, beyond U+10FFFF, cut sequences, lone bytes; as latin-1, as `field` writes it. */
const ILL_FORMED = [
  "\u00c0\u00af",
  "\u00e0\u0080\u00af",
  "\u00f0\u0080\u0080\u00af",
  "\u00ed\u00a0\u0080",
  "\u00ed\u00bf\u00bf",
  "a\u0000b",
  "\u00f4\u0090\u0080\u0080",
  "a\u00e2\u0082",
  "\u0080",
  "\u00ff",
];

/** CONNECT with a will; `parts` are fields that are another text than usual. */
function connectBytes(
  version: ProtocolVersion,
  parts: { readonly clientId?: string; readonly username?: string; readonly willTopic?: string },
): Uint8Array {
  const { clientId = "bearer", username = "u", willTopic = "t" } = parts;
  const none = noProperties(version);
  const head = [...field(version === 3 ? "MQIsdp" : "MQTT"), version, 0x86, 0, 0, ...none];
  return packet(0x10, [
    ...head,
    ...field(clientId),
    ...none,
    ...field(willTopic),
    ...field("will"),
    ...field(username),
  ]);
}

test("ill-formed UTF-8 in any text ends the connection, and no other client gets it - attack PARSE-13", async () => {
  const broker = await MemoryBroker.start();
  const watcher = await connected(broker, "watcher");
  await watcher.subscribe("#");
  watcher.take();
  const { sessions, subscriptions } = broker.counters;
  for (const version of VERSIONS) {
    const none = noProperties(version);
    for (const text of ILL_FORMED) {
      const packets = [
        packet(0x31, [...field(text), ...none, 0x78]),
        packet(0x33, [...field(text), 0, 1, ...none, 0x78]),
        packet(0x35, [...field(text), 0, 1, ...none, 0x78]),
        packet(0x82, [0, 1, ...none, ...field(text), 0]),
        packet(0x82, [0, 1, ...none, ...field("good"), 0, ...field(text), 0]),
        packet(0xa2, [0, 1, ...none, ...field(text)]),
      ];
      if (version === 5) {
        for (const property of [
          [0x03, ...field(text)],
          [0x08, ...field(text)],
          [0x26, ...field(text), ...field("v")],
          [0x26, ...field("k"), ...field(text)],
        ])
          packets.push(packet(0x31, [...field("t"), property.length, ...property, 0x78]));
      }
      for (const bytes of packets) {
        const client = await connected(broker, "c", version);
        assert.deepEqual(await answerTo(broker, client, bytes), ended(version, 0x81), bytes.toString());
      }
      for (const parts of [{ clientId: text }, { username: text }, { willTopic: text }]) {
        const bearer = broker.client("bearer", version);
        const { words, isClosed } = await answerTo(broker, bearer, connectBytes(version, parts));
        assert.ok(isClosed, JSON.stringify(parts));
        assert.deepEqual(words, version === 5 ? ["CONNACK 0x81 present=0"] : []);
      }
    }
    const good = broker.client("bearer", version);
    assert.equal(
      (await answerTo(broker, good, connectBytes(version, {}))).isClosed,
      false,
      "as it should be",
    );
    await good.disconnect();
  }
  const { retained, willsPublished } = broker.counters;
  assert.deepEqual([watcher.take(), retained, willsPublished], [[], 0, 0]);
  assert.deepEqual([broker.counters.sessions, broker.counters.subscriptions], [sessions, subscriptions]);
  assert.deepEqual(await watcher.ping(), ["PINGRESP"]);
});

test("topics that differ in form or by U+FEFF are different topics - 5.0 [MQTT-1.5.4-3], [MQTT-4.7.3-4] - attack PARSE-15", async () => {
  const names = ["\u00e9", "e\u0301", "\ufeff\u00e9", "\ufeffe\u0301", "\u212b", "\u00c5"];
  for (const version of VERSIONS) {
    const broker = await MemoryBroker.start();
    const publisher = await connected(broker, "publisher", version);
    for (const name of names) {
      const client = broker.client(`of ${name}`, version);
      await client.connect();
      await client.subscribe({ topicFilter: name, qos: 0 });
      client.take();
      await publisher.publish({ topicName: name, retain: true, payload: name });
      assert.deepEqual(client.words(), [`PUBLISH ${name} qos=0 ${JSON.stringify(name)}`]);
      for (const other of names) if (other !== name) await publisher.publish({ topicName: other });
      assert.deepEqual(client.words(), []);
    }
    assert.equal(broker.counters.sessions, names.length + 1);
  }
});
