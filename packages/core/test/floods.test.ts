// Floods of what clients can make: each stops at its bound, is counted, and others go on being served.

import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryBroker } from "@heirloom/core/testing";
import { clean, lasting } from "./support.ts";

test("a flood of connections stops at the limit with 0x89, and those that are there go on", async () => {
  const broker = await MemoryBroker.start({ limits: { connections: 10 } });
  const first = await clean(broker, "first");
  for (let index = 0; index < 9; index++) await clean(broker, `client-${index}`);
  for (let index = 0; index < 20; index++) {
    assert.deepEqual(await broker.client(`late-${index}`).connect(), ["CONNACK 0x89 present=0"]);
  }
  assert.equal(broker.counters.connectionsOpen, 10);
  assert.equal(broker.counters.connectionsRefused, 20);
  assert.deepEqual(await first.ping(), ["PINGRESP"]);
});

test("connections that never say CONNECT are ended after the time that is allowed for it", async () => {
  const broker = await MemoryBroker.start({ limits: { connectTimeoutMs: 5_000 } });
  const silent = Array.from({ length: 100 }, (_, index) => broker.client(`silent-${index}`));
  for (const client of silent) client.sendBytes(Uint8Array.of(0x10));
  await broker.settle();
  assert.equal(broker.counters.connectionsOpen, 100);
  await broker.advance(6);
  assert.equal(broker.counters.connectionsOpen, 0);
  assert.equal(broker.counters.handshakesTimedOut, 100);
  assert.ok(silent.every((client) => client.isClosed));
});

test("a flood of subscriptions stops at the limit with 0x97, and the session keeps those it has", async () => {
  const broker = await MemoryBroker.start({ limits: { subscriptionsPerSession: 50 } });
  const bomber = await clean(broker, "bomber");
  const answers = [];
  for (let index = 0; index < 60; index++) {
    answers.push(...(await bomber.subscribe({ topicFilter: `bomb/${index}/#`, qos: 0 })));
  }
  assert.equal(answers.filter((words) => words.includes("0x97")).length, 10);
  assert.equal(broker.counters.subscriptions, 50);
  assert.deepEqual(await bomber.ping(), ["PINGRESP"]);
});

test("a flood of retained messages stops at the limit with 0x97; topics that are there can still change - attack RET-03", async () => {
  const broker = await MemoryBroker.start({ limits: { retainedMessages: 20 } });
  const flooder = await clean(broker, "flooder");
  const answers = [];
  for (let index = 0; index < 30; index++) {
    answers.push(
      ...(await flooder.publish({
        topicName: `flood/${index}`,
        payload: "x",
        qos: 1,
        retain: true,
        packetId: index + 1,
      })),
    );
  }
  assert.equal(answers.filter((words) => words.includes("0x97")).length, 10);
  assert.equal(broker.counters.retained, 20);
  const [changed] = await flooder.publish({
    topicName: "flood/3",
    payload: "y",
    qos: 1,
    retain: true,
    packetId: 99,
  });
  assert.ok(changed !== undefined && !changed.includes("0x97"), changed);
});

test("filters beyond the limit that come in one SUBSCRIBE are refused, and counted - attack MEM-05", async () => {
  const broker = await MemoryBroker.start({ limits: { subscriptionsPerSession: 3 } });
  const bomber = await clean(broker, "bomber");
  const filters = ["a", "b", "c", "d", "e"].map((topicFilter) => ({ topicFilter, qos: 0 as const }));
  assert.deepEqual(await bomber.subscribe(filters), ["SUBACK 1 0x00 0x00 0x00 0x97 0x97"]);
  assert.equal(broker.counters.refusedSubscriptions, 2);
  await bomber.unsubscribe("a");
  const [again] = await bomber.subscribe(filters);
  assert.ok(
    again?.endsWith("0x97 0x00 0x00 0x97 0x97") === false && again.endsWith("0x00 0x00 0x00 0x97 0x97"),
  );
});

test("long filters stop at the bytes that a session's filters may take; a filter that it has can be replaced - attack MEM-05", async () => {
  const broker = await MemoryBroker.start({ limits: { subscriptionBytesPerSession: 2_048 } });
  const bomber = await clean(broker, "bomber");
  const long = (name: string): string => name.padEnd(1_000, "x");
  const subscribe = async (name: string): Promise<string> =>
    (await bomber.subscribe({ topicFilter: long(name), qos: 1 }))[0]?.slice(-4) ?? "";
  assert.deepEqual(
    [await subscribe("a"), await subscribe("b"), await subscribe("c")],
    ["0x01", "0x01", "0x97"],
  );
  assert.equal(await subscribe("a"), "0x01");
  await bomber.unsubscribe(long("a"));
  assert.equal(await subscribe("c"), "0x01");
});

test("retained messages stop at their bytes with 0x97; what is there can shrink, stay as large, or go - attack RET-03", async () => {
  const broker = await MemoryBroker.start({ limits: { retainedBytes: 1_000 } });
  const flooder = await clean(broker, "flooder");
  const retain = async (topicName: string, bytes: number): Promise<boolean> => {
    const [answer] = await flooder.publish({ topicName, payload: "x".repeat(bytes), qos: 1, retain: true });
    return answer?.includes("0x97") === false;
  };
  assert.ok(await retain("a", 600));
  assert.equal(await retain("b", 600), false);
  assert.ok(await retain("b", 300));
  assert.ok(broker.counters.retainedBytes > 900 && broker.counters.retainedBytes <= 1_000);
  assert.ok(await retain("a", 600));
  assert.equal(await retain("a", 700), false);
  assert.ok(await retain("a", 100));
  assert.ok(await retain("a", 0));
  assert.ok(await retain("b", 0));
  assert.equal(broker.counters.retainedBytes, 0);
});

test("sessions stop at their limit with 0x97; those that are there can be taken up", async () => {
  const broker = await MemoryBroker.start({ limits: { sessions: 2 } });
  const first = await lasting(broker, "first");
  await lasting(broker, "second");
  await first.disconnect();
  assert.deepEqual(await broker.client("third").connect(), ["CONNACK 0x97 present=0"]);
  assert.deepEqual(await broker.client("first").connect({ cleanStart: false }), ["CONNACK 0x00 present=1"]);
});

test("a handshake beyond the limit ends the oldest; those that are connected do not count - attack CONN-01", async () => {
  const broker = await MemoryBroker.start({ limits: { pendingConnections: 3, connections: 2 } });
  const first = await clean(broker, "first");
  const silent = Array.from({ length: 5 }, (_, index) => broker.client(`silent-${index}`));
  assert.deepEqual(
    silent.map((client) => client.isClosed),
    [true, true, false, false, false],
  );
  // Half-open connections take no place from those that mean it.
  assert.deepEqual(await broker.client("second").connect(), ["CONNACK 0x00 present=0"]);
  assert.equal(broker.counters.handshakesDropped, 3);
  assert.deepEqual(await first.ping(), ["PINGRESP"]);
});

test("packets without an end stop at the bytes of all together: who keeps more than its share goes - attack MEM-02", async () => {
  const broker = await MemoryBroker.start({ limits: { totalInputBytes: 150_000 } });
  const small = await clean(broker, "small");
  const large = await clean(broker, "large");
  const other = await clean(broker, "other");
  const begin = (bytes: number): Uint8Array =>
    Uint8Array.of(0x30, 0xff, 0xff, 0x3f, ...new Uint8Array(bytes));
  small.sendBytes(begin(1_000));
  large.sendBytes(begin(60_000));
  await broker.settle();
  assert.ok(broker.counters.inputBytes > 61_000);
  large.sendBytes(new Uint8Array(70_000));
  await broker.settle();
  assert.deepEqual([large.words(), large.isClosed], [["DISCONNECT 0x97"], true]);
  assert.equal(broker.counters.inputDropped, 1);
  assert.deepEqual(await other.ping(), ["PINGRESP"]);
  assert.equal(small.isClosed, false);
  await small.drop();
  assert.equal(broker.counters.inputBytes, 0);
});

test("a packet other than PUBLISH is refused with 0x95 above its own size - attack CPU-05", async () => {
  const broker = await MemoryBroker.start({ limits: { maximumControlSize: 30_000 } });
  const bomber = await clean(broker, "bomber");
  const filters = Array.from({ length: 10_000 }, () => ({ topicFilter: "x", qos: 0 as const }));
  assert.deepEqual(await bomber.subscribe(filters), ["DISCONNECT 0x95"]);
  const writer = await clean(broker, "writer");
  const large = { topicName: "x", payload: "x".repeat(60_000), qos: 1 as const };
  assert.deepEqual(await writer.publish(large), ["PUBACK 1 0x10"]);
});

test("one message to many who do not read is copied for as many as there is room, and for the rest as it comes - attack MEM-10", async () => {
  const broker = await MemoryBroker.start({ limits: { totalOutputBytes: 100_000 } });
  const readers = [];
  for (let index = 0; index < 20; index++) {
    const reader = await clean(broker, `reader-${index}`);
    await reader.subscribe("t");
    reader.transport.isStuck = true;
    readers.push(reader);
  }
  const writer = await clean(broker, "writer");
  assert.deepEqual(await writer.publish({ topicName: "t", payload: "x".repeat(50_000), qos: 1 }), [
    "PUBACK 1",
  ]);
  assert.ok(broker.counters.outputBytes < 500_000, `${broker.counters.outputBytes}`);
  let arrived = 0;
  for (const reader of readers) arrived += (await reader.unstick()).length;
  await broker.settle();
  for (const reader of readers) arrived += reader.words().length;
  assert.equal(arrived, 20);
  assert.equal(broker.counters.outputBytes, 0);
});

test("who does not read the answers is not read while all together have too much waiting", async () => {
  const broker = await MemoryBroker.start({ limits: { totalOutputBytes: 1_000 } });
  const client = await clean(broker, "client");
  const other = await clean(broker, "other");
  client.transport.isStuck = true;
  for (let count = 0; count < 2_000 && !client.transport.isPaused; count++) {
    client.sendBytes(Uint8Array.of(0xc0, 0));
    await broker.settle();
  }
  assert.ok(client.transport.isPaused);
  assert.ok(broker.counters.outputBytes < 2_100, `${broker.counters.outputBytes}`);
  assert.deepEqual(await other.ping(), ["PINGRESP"]);
  await client.unstick();
  assert.equal(client.transport.isPaused, false);
});
