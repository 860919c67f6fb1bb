// Floods of what clients can make: each stops at its bound, is counted, and others go on being served.

import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryBroker } from "@heirloom/core/testing";
import { clean } from "./support.ts";

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

test("a flood of retained messages stops at the limit with 0x97; topics that are there can still change", async () => {
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
