// PUBLISH from clients: acknowledged when it is safe, once each, refused without a trace.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createPublish, writeForwardedProperties } from "@heirloom/codec";
import { Message } from "@heirloom/core";
import { MemoryBroker } from "@heirloom/core/testing";
import { clean, lasting, publishAll, resume } from "./support.ts";

/** A promise that a test settles when it wants. */
function gate(): { passed: Promise<void>; open: () => void } {
  let open = (): void => undefined;
  const passed = new Promise<void>((resolve) => (open = resolve));
  return { passed, open };
}

test("repeats PUBREC for a repeated PUBLISH, DUP or not, and hands the message on once - 5.0 [MQTT-4.3.3-10], 3.1.1 [MQTT-4.3.3-2] - attack QOS-01", async () => {
  const broker = await MemoryBroker.start();
  const watcher = await clean(broker, "w");
  await watcher.subscribe("t");
  const pub = await lasting(broker, "pub");
  const message = { topicName: "t", qos: 2, packetId: 7, payload: "x" } as const;
  assert.deepEqual(await pub.publish(message), ["PUBREC 7"]);
  assert.deepEqual(await pub.publish({ ...message, dup: true }), ["PUBREC 7"]);
  await pub.drop();
  const { client } = await resume(broker, "pub");
  assert.deepEqual(await client.publish(message), ["PUBREC 7"]);
  assert.deepEqual(watcher.words(), ['PUBLISH 1 t qos=2 dup=0 "x"']);
  await broker.restart();
  const again = (await resume(broker, "pub")).client;
  const late = await clean(broker, "w");
  await late.subscribe("t");
  assert.deepEqual(await again.publish({ ...message, dup: true }), ["PUBREC 7"]);
  assert.deepEqual(late.words(), []);
  assert.deepEqual(await again.pubrel(7), ["PUBCOMP 7"]);
  // 5.0 [MQTT-4.3.3-12]: now the identifier is new again.
  assert.deepEqual(await again.publish({ ...message, dup: true }), ["PUBREC 7"]);
  assert.deepEqual(late.words(), ['PUBLISH 1 t qos=2 dup=0 "x"']);
});

test("PUBREL for an unknown identifier is answered with PUBCOMP 0x92, in 3.1.1 without a code - 5.0 [MQTT-4.3.3-11], 3.1.1 [MQTT-4.3.3-2] - attack STATE-05", async () => {
  const broker = await MemoryBroker.start();
  assert.deepEqual(await (await clean(broker, "a")).pubrel(9), ["PUBCOMP 9 0x92"]);
  assert.deepEqual(await (await clean(broker, "b", {}, 4)).pubrel(9), ["PUBCOMP 9"]);
});

test("a released identifier is free on disk before PUBCOMP", async () => {
  const broker = await MemoryBroker.start();
  const pub = await lasting(broker, "pub");
  await pub.publish({ topicName: "t", qos: 2, packetId: 7 });
  broker.disk.state = "slow";
  assert.deepEqual(await pub.pubrel(7), []);
  broker.disk.state = "ok";
  await broker.settle();
  assert.deepEqual(pub.words(), ["PUBCOMP 7"]);
});

test("says 0x10 when nobody subscribes - 5.0 section 3.4.2.1", async () => {
  const broker = await MemoryBroker.start();
  const pub = await clean(broker, "pub");
  assert.deepEqual(await pub.publish({ topicName: "t", qos: 1 }), ["PUBACK 1 0x10"]);
  assert.deepEqual(await pub.publish({ topicName: "t", qos: 2 }), ["PUBREC 2 0x10"]);
  const old = await clean(broker, "old", {}, 4);
  assert.deepEqual(await old.publish({ topicName: "t", qos: 1 }), ["PUBACK 1"]);
});

test("an offline session's subscription counts as a match", async () => {
  const broker = await MemoryBroker.start();
  const sub = await lasting(broker, "sub");
  await sub.subscribe("t");
  await sub.drop();
  const pub = await clean(broker, "pub");
  assert.deepEqual(await pub.publish({ topicName: "t", qos: 1 }), ["PUBACK 1"]);
});

test("a refused QoS 2 PUBLISH leaves its identifier free - 5.0 [MQTT-4.3.3-9]", async () => {
  const broker = await MemoryBroker.start({
    hooks: { publish: (message) => (message.topicName === "no" ? { reasonCode: 0x87 } : undefined) },
  });
  const watcher = await clean(broker, "w");
  await watcher.subscribe("#");
  const pub = await clean(broker, "pub");
  assert.deepEqual(await pub.publish({ topicName: "no", qos: 2, packetId: 5, retain: true }), [
    "PUBREC 5 0x87",
  ]);
  assert.deepEqual(await pub.publish({ topicName: "yes", qos: 2, packetId: 5, payload: "x" }), ["PUBREC 5"]);
  assert.deepEqual(watcher.words(), ['PUBLISH 1 yes qos=2 dup=0 "x"']);
  assert.equal(broker.counters.retained, 0);
  assert.equal(broker.counters.refused, 1);
});

test("a refused PUBLISH of 3.1.1 is acknowledged and goes nowhere - 3.1.1 [MQTT-3.3.5-2]", async () => {
  const broker = await MemoryBroker.start({ hooks: { publish: () => ({ reasonCode: 0x87 }) } });
  const watcher = await clean(broker, "w");
  await watcher.subscribe("#");
  const pub = await clean(broker, "pub", {}, 4);
  assert.deepEqual(await pub.publish({ topicName: "t", qos: 1, retain: true }), ["PUBACK 1"]);
  assert.deepEqual(await pub.publish({ topicName: "t", qos: 2, retain: true }), ["PUBREC 2"]);
  assert.deepEqual(await pub.pubrel(2), ["PUBCOMP 2"]);
  assert.deepEqual(watcher.words(), []);
  assert.equal(broker.counters.retained, 0);
});

test("acknowledgements keep the order of arrival although hooks take their time - 3.1.1 [MQTT-4.6.0-2], [MQTT-4.6.0-3]", async () => {
  const slow = gate();
  const broker = await MemoryBroker.start({
    hooks: {
      async publish(message) {
        if (message.topicName === "slow") await slow.passed;
      },
    },
  });
  const pub = await clean(broker, "pub", {}, 4);
  pub.sendPublish({ topicName: "slow", qos: 1, packetId: 1 });
  pub.sendPublish({ topicName: "fast", qos: 2, packetId: 2 });
  pub.sendPublish({ topicName: "fast", qos: 1, packetId: 3 });
  await broker.settle();
  assert.deepEqual(pub.words(), []);
  assert.equal(pub.transport.isPaused, true);
  slow.open();
  await broker.settle();
  assert.deepEqual(pub.words(), ["PUBACK 1", "PUBREC 2", "PUBACK 3"]);
  assert.equal(pub.transport.isPaused, false);
});

test("a QoS 2 message that a hook still holds when its client comes back is not lost, and not doubled - 5.0 [MQTT-4.3.3-10]", async () => {
  const gates = [gate(), gate()];
  let asked = 0;
  const broker = await MemoryBroker.start({ hooks: { publish: () => gates[asked++]?.passed } });
  const watcher = await clean(broker, "w");
  await watcher.subscribe("t");
  const first = await lasting(broker, "pub");
  await first.publish({ topicName: "t", qos: 2, packetId: 7, payload: "x" });
  const { client: second } = await resume(broker, "pub");
  second.sendPublish({ topicName: "t", qos: 2, packetId: 7, dup: true, payload: "x" });
  await broker.settle();
  assert.deepEqual(second.words(), []);
  gates[0]?.open();
  gates[1]?.open();
  await broker.settle();
  assert.deepEqual(second.words(), ["PUBREC 7"]);
  assert.deepEqual(watcher.words(), ['PUBLISH 1 t qos=2 dup=0 "x"']);
});

test("a hook may put another message in place, and one that fails ends the connection only", async () => {
  const broker = await MemoryBroker.start({
    hooks: {
      publish(message) {
        if (message.topicName === "bad") throw new Error("no such rule");
        return Message.of({
          topicName: `eu/${message.topicName}`,
          payload: message.payload,
          qos: message.qos,
        });
      },
    },
  });
  const watcher = await clean(broker, "w");
  await watcher.subscribe("#");
  const pub = await clean(broker, "pub");
  assert.deepEqual(await pub.publish({ topicName: "t", qos: 1, payload: "x" }), ["PUBACK 1"]);
  assert.deepEqual(watcher.words(), ['PUBLISH 1 eu/t qos=1 dup=0 "x"']);
  assert.deepEqual(await pub.publish({ topicName: "bad", qos: 1 }), ["DISCONNECT 0x80"]);
  assert.deepEqual(await watcher.ping(), ["PINGRESP"]);
});

test("resolves topic aliases before anything else, also of a message that is refused - 5.0 [MQTT-3.3.2-12], [MQTT-3.3.2-7] - attack STATE-06", async () => {
  const broker = await MemoryBroker.start({
    hooks: { publish: (message) => (message.payloadLength === 0 ? { reasonCode: 0x87 } : undefined) },
  });
  const watcher = await clean(broker, "w");
  await watcher.subscribe("#");
  const pub = await clean(broker, "pub");
  assert.deepEqual(await pub.publish({ topicName: "a", qos: 1, topicAlias: 3 }), ["PUBACK 1 0x87"]);
  await pub.publish({ topicName: "", topicAlias: 3, payload: "1" });
  await pub.publish({ topicName: "b", topicAlias: 3, payload: "2" });
  await pub.publish({ topicName: "", topicAlias: 3, payload: "3", retain: true });
  assert.deepEqual(watcher.words(), ['PUBLISH a qos=0 "1"', 'PUBLISH b qos=0 "2"', 'PUBLISH b qos=0 "3"']);
  const late = await clean(broker, "late");
  assert.deepEqual(await late.subscribe("#"), ["SUBACK 1 0x02", 'PUBLISH b qos=0 retain=1 "3"']);
  // Aliases end with the connection.
  await pub.drop();
  const back = await clean(broker, "pub");
  assert.deepEqual(await back.publish({ topicName: "", topicAlias: 3, payload: "4" }), ["DISCONNECT 0x82"]);
});

test("closes with 0x94 for an alias above the maximum - 5.0 [MQTT-3.3.2-9] - attack STATE-06", async () => {
  const broker = await MemoryBroker.start({ limits: { topicAliasMaximum: 2 } });
  const pub = await clean(broker, "pub");
  assert.deepEqual(await pub.publish({ topicName: "a", topicAlias: 3 }), ["DISCONNECT 0x94"]);
});

test("closes with 0x93 when more QoS 2 are open than Receive Maximum allows - 5.0 section 3.3.4 - attack STATE-07", async () => {
  const broker = await MemoryBroker.start({ limits: { receiveMaximum: 2 } });
  const pub = broker.client("pub");
  assert.deepEqual(await pub.connect(), ["CONNACK 0x00 present=0 receive-maximum=2"]);
  await publishAll(pub, "t", 2, ["completed", "completed", "completed"]);
  await pub.publish({ topicName: "t", qos: 2 });
  await pub.publish({ topicName: "t", qos: 2 });
  assert.deepEqual(await pub.publish({ topicName: "t", qos: 2 }), ["DISCONNECT 0x93"]);
});

test("closes with 0x9A for RETAIN and 0x9B for QoS that are not available - 5.0 [MQTT-3.2.2-14], [MQTT-3.2.2-11]", async () => {
  const broker = await MemoryBroker.start({ limits: { retainAvailable: false, maximumQoS: 1 } });
  assert.deepEqual(await (await clean(broker, "a")).publish({ topicName: "t", retain: true }), [
    "DISCONNECT 0x9A",
  ]);
  assert.deepEqual(await (await clean(broker, "b")).publish({ topicName: "t", qos: 2 }), ["DISCONNECT 0x9B"]);
});

test("says 0x99 for a payload that is not what its format indicator says - 5.0 section 3.3.2.3.2", async () => {
  const broker = await MemoryBroker.start({ limits: { checkPayloadFormat: true } });
  const pub = await clean(broker, "pub");
  const forwarded = writeForwardedProperties({ payloadFormatIndicator: 1 });
  assert.deepEqual(await pub.publish({ topicName: "t", qos: 1, payload: "good", forwarded }), [
    "PUBACK 1 0x10",
  ]);
  pub.send(
    createPublish({ topicName: "t", qos: 1, packetId: 2, payload: Uint8Array.of(0xc0, 0xaf), forwarded }),
  );
  await broker.settle();
  assert.deepEqual(pub.words(), ["PUBACK 2 0x99"]);
});

test("a publisher that is disconnected by its own message is not acknowledged any more - 5.0 [MQTT-3.14.4-1]", async () => {
  const broker = await MemoryBroker.start({ limits: { cleanQueueMessages: 1, sendMaximum: 1 } });
  const both = await clean(broker, "both");
  await both.subscribe("t");
  both.sendPublish({ topicName: "t", qos: 1, packetId: 11, payload: "1" });
  both.sendPublish({ topicName: "t", qos: 1, packetId: 12, payload: "2" });
  both.sendPublish({ topicName: "t", qos: 1, packetId: 13, payload: "3" });
  await broker.settle();
  const words = both.words();
  assert.equal(words.at(-1), "DISCONNECT 0x97");
  assert.equal(words.includes("PUBACK 13"), false);
});

test("a will that is published in the middle of another's acceptance does not let that one be acknowledged early", async () => {
  const broker = await MemoryBroker.start({ limits: { cleanQueueMessages: 1, sendMaximum: 1 } });
  const keeper = await lasting(broker, "keeper");
  await keeper.subscribe("t");
  const slow = await clean(broker, "slow", { will: { topicName: "will" } });
  await slow.subscribe("t");
  const pub = await clean(broker, "pub");
  await publishAll(pub, "t", 1, ["1", "2"]);
  broker.disk.state = "slow";
  assert.deepEqual(await pub.publish({ topicName: "t", qos: 1, payload: "3" }), []);
  assert.equal(slow.words().at(-1), "DISCONNECT 0x97");
  broker.disk.state = "ok";
  await broker.settle();
  assert.deepEqual(pub.words(), ["PUBACK 3"]);
});

test("acknowledgements follow arrival when hooks take their time for some - 5.0 [MQTT-4.6.0-2], 3.1.1 [MQTT-4.6.0-2]", async () => {
  const waiting: (() => void)[] = [];
  const broker = await MemoryBroker.start({
    hooks: {
      publish: ({ topicName }) =>
        topicName === "slow" ? new Promise<void>((resolve) => waiting.push(resolve)) : undefined,
    },
  });
  const client = await clean(broker, "c");
  for (const topicName of ["slow", "t", "slow", "t", "t"]) client.sendPublish({ topicName, qos: 1 });
  await broker.settle();
  for (let resolve = waiting.shift(); resolve !== undefined; resolve = waiting.shift()) {
    resolve();
    await broker.settle();
  }
  assert.deepEqual(
    client.words().map((words) => words.split(" ")[1]),
    ["1", "2", "3", "4", "5"],
  );
});

test("a hook that makes a message which cannot be written spoils none of those beside it", async () => {
  let topicName = "t";
  const broker = await MemoryBroker.start({
    hooks: { publish: ({ payload, qos }) => Message.of({ topicName, payload, qos }) },
  });
  await lasting(broker, "sub").then((sub) => sub.subscribe({ topicFilter: "#", qos: 1 }));
  const pub = await clean(broker, "pub");
  for (const isFirst of [true, false]) {
    const other = await clean(broker, "other");
    if (!isFirst) pub.sendPublish({ topicName: "t", qos: 1, payload: "1" });
    await Promise.resolve();
    topicName = "x".repeat(65_536);
    other.sendPublish({ topicName: "t", qos: 1, payload: "spoilt" });
    for (let round = 0; round < 4; round++) await Promise.resolve();
    topicName = "t";
    pub.sendPublish({ topicName: "t", qos: 1, payload: isFirst ? "0" : "2" });
    await broker.settle();
    assert.deepEqual(other.words(), ["DISCONNECT 0x80"]);
  }
  assert.deepEqual(pub.words(), ["PUBACK 1", "PUBACK 2", "PUBACK 3"]);
  await broker.restart();
  assert.deepEqual((await resume(broker, "sub")).words, [
    "CONNACK 0x00 present=1",
    'PUBLISH 1 t qos=1 dup=1 "0"',
    'PUBLISH 2 t qos=1 dup=1 "1"',
    'PUBLISH 3 t qos=1 dup=1 "2"',
  ]);
  assert.deepEqual(broker.eventsOf("damaged"), []);
});
