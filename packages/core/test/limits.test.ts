// Limits on what one packet or one client may have, each with the reason code that the standard names and its counter.

import assert from "node:assert/strict";
import { test } from "node:test";
import { writeForwardedProperties } from "@heirloom/codec";
import { MemoryBroker, type WillInit } from "@heirloom/core/testing";
import { clean, lasting } from "./support.ts";

test("a topic name that is too long ends the connection with 0x90, a filter is refused with 0x97 - attack MEM-06", async () => {
  const broker = await MemoryBroker.start({ limits: { topicLength: 8 } });
  const client = await clean(broker, "c");
  assert.deepEqual(await client.subscribe(["12345678", "123456789"]), ["SUBACK 1 0x02 0x97"]);
  const publisher = await clean(broker, "p");
  assert.deepEqual(await publisher.publish({ topicName: "12345678", qos: 1 }), ["PUBACK 1"]);
  const words = await publisher.publish({ topicName: "123456789", qos: 1 });
  assert.deepEqual(words, ["DISCONNECT 0x90"]);
  const bearer = broker.client("w");
  assert.deepEqual(await bearer.connect({ will: { topicName: "123456789" } }), ["CONNACK 0x90 present=0"]);
});

test("filters of one SUBSCRIBE, of one session and of all sessions are bounded: 0x97 - attack MEM-05", async () => {
  const broker = await MemoryBroker.start({
    limits: { subscriptionsPerPacket: 2, subscriptionsPerSession: 3, subscriptions: 4 },
  });
  const client = await clean(broker, "c");
  assert.deepEqual(await client.subscribe(["a", "b", "c"]), ["SUBACK 1 0x02 0x02 0x97"]);
  assert.deepEqual(await client.subscribe(["c"]), ["SUBACK 2 0x02"]);
  assert.deepEqual(await client.subscribe(["d"]), ["SUBACK 3 0x97"]);
  assert.deepEqual(await client.subscribe(["a"]), ["SUBACK 4 0x02"]);
  const other = await clean(broker, "other");
  assert.deepEqual(await other.subscribe(["a"]), ["SUBACK 1 0x02"]);
  assert.deepEqual(await other.subscribe(["b"]), ["SUBACK 2 0x97"]);
  assert.equal(broker.counters.subscriptions, 4);
});

test("too many user properties end the connection with 0x97, in any packet - attack MEM-07", async () => {
  const broker = await MemoryBroker.start({ limits: { userProperties: 2 } });
  const pairs = (count: number): [string, string][] => Array.from({ length: count }, () => ["n", "v"]);
  const client = await clean(broker, "c");
  const watcher = await clean(broker, "watcher");
  await watcher.subscribe("t");
  const forwarded = (count: number): Uint8Array => writeForwardedProperties({ userProperties: pairs(count) });
  await client.publish({ topicName: "t", forwarded: forwarded(2) });
  assert.equal(watcher.take().length, 1);
  assert.deepEqual(await client.publish({ topicName: "t", forwarded: forwarded(3) }), ["DISCONNECT 0x97"]);
  assert.equal(watcher.take().length, 0);
  const connecting = broker.client("d");
  assert.deepEqual(await connecting.connect({ properties: { userProperties: pairs(3) } }), [
    "CONNACK 0x97 present=0",
  ]);
});

test("the wills of all clients have room for so many bytes; what goes makes room - attack WILL-03", async () => {
  const will = { topicName: "w", payload: "x".repeat(935) };
  const broker = await MemoryBroker.start({ limits: { willBytes: 10_000 } });
  const bearers = [];
  for (let index = 0; index < 10; index++) bearers.push(await lasting(broker, `c${index}`, { will }));
  assert.equal(broker.counters.willBytes, 10_000);
  assert.deepEqual(await broker.client("more").connect({ will }), ["CONNACK 0x97 present=0"]);
  assert.deepEqual(await broker.client("none").connect(), ["CONNACK 0x00 present=0"]);
  await lasting(broker, "c0", { will });
  assert.equal(
    broker.counters.willBytes,
    10_000,
    "a client that comes again puts its will in place of the old one",
  );
  await bearers[1]?.disconnect();
  assert.equal(broker.counters.willBytes, 9_000);
  await broker.restart();
  assert.equal(broker.counters.willBytes, 0, "wills of clients that are gone are published at the restart");
});

test("a will may not be larger than a packet, and its delay no longer than the session lives - attack WILL-03", async () => {
  const broker = await MemoryBroker.start({
    limits: { sessionExpiryMaximum: 60 },
    listener: { maximumPacketSize: 1_000 },
  });
  const watcher = await clean(broker, "watcher");
  await watcher.subscribe("w");
  const of = (bytes: number): { will: WillInit } => ({
    will: { topicName: "w", payload: "x".repeat(bytes) },
  });
  assert.deepEqual(await broker.client("large").connect(of(1_000)), ["CONNACK 0x95 present=0"]);
  assert.deepEqual(await broker.client("large", 4).connect(of(1_000)), ["CONNACK 0x03 present=0"]);
  const client = broker.client("c");
  const will = { topicName: "w", willDelayInterval: 0xffff_ffff };
  await client.connect({ will, properties: { sessionExpiryInterval: 0xffff_ffff } });
  await client.drop();
  await broker.advance(59);
  assert.equal(watcher.take().length, 0);
  await broker.advance(2);
  assert.equal(watcher.take().length, 1);
  assert.equal(broker.counters.sessions, 1, "only the watcher is left");
});

test("subscriptions that were replaced and are not read to their end are bounded as those that stand: 0x97 - attack MEM-05", async () => {
  const broker = await MemoryBroker.start({ limits: { subscriptionsPerSession: 3, sendMaximum: 1 } });
  const client = await lasting(broker, "c");
  const pub = await clean(broker, "p");
  await client.subscribe({ topicFilter: "t", qos: 1 });
  await pub.publish({ topicName: "t", qos: 1 });
  client.take();
  // Each leaves a message that is not read behind.
  const reasonCodes: string[] = [];
  for (let identifier = 1; identifier <= 5; identifier++) {
    await pub.publish({ topicName: "t", qos: 1 });
    reasonCodes.push(...(await client.subscribe({ topicFilter: "t", qos: 1 }, identifier)));
  }
  assert.deepEqual(
    reasonCodes.map((words) => words.split(" ")[2]),
    ["0x01", "0x01", "0x01", "0x97", "0x97"],
  );
  assert.equal(broker.counters.refusedSubscriptions, 2);
  assert.deepEqual(await client.subscribe({ topicFilter: "u", qos: 1 }), ["SUBACK 7 0x97"]);
  for (let packetId = 1; packetId <= 6; packetId++) await client.puback(packetId);
  client.take();
  assert.deepEqual(await client.subscribe({ topicFilter: "u", qos: 1 }), ["SUBACK 8 0x01"]);
});
