// Broker time over restarts: it never goes back, whatever the wall clock does.

import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryBroker } from "@heirloom/core/testing";
import { clean, lasting, resume } from "./support.ts";

const HOUR_MS = 3_600_000;

async function withExpiringMessage(): Promise<MemoryBroker> {
  const broker = await MemoryBroker.start();
  const sub = await lasting(broker, "sub", { properties: { sessionExpiryInterval: 0xffff_ffff } });
  await sub.subscribe("t");
  await sub.drop();
  const pub = await clean(broker, "pub");
  await pub.publish({ topicName: "t", qos: 1, payload: "x", messageExpiryInterval: 100 });
  return broker;
}

test("what expired stays so when the wall clock was set back before a restart - 5.0 [MQTT-3.3.2-5]", async () => {
  const broker = await withExpiringMessage();
  await broker.advance(200);
  broker.world.setTo(broker.world.now() - HOUR_MS);
  await broker.restart();
  assert.deepEqual((await resume(broker, "sub")).words, ["CONNACK 0x00 present=1"]);
  assert.equal(broker.counters.expired, 1);
});

test("what had time left keeps it when the wall clock was set back before a restart", async () => {
  const broker = await withExpiringMessage();
  await broker.advance(1);
  await broker.stop();
  broker.world.setTo(broker.world.now() - HOUR_MS);
  await broker.restart();
  const { words } = await resume(broker, "sub");
  assert.equal(words[1], 'PUBLISH 1 t qos=1 dup=0 "x" expiry=99');
});

test("deadlines are woken for although broker time is ahead of the world's", async () => {
  const broker = await MemoryBroker.start();
  const sub = await lasting(broker, "sub", { properties: { sessionExpiryInterval: 30 } });
  await sub.drop();
  await broker.advance(2);
  broker.world.setTo(broker.world.now() - HOUR_MS);
  await broker.restart();
  await broker.advance(31);
  assert.equal(broker.counters.sessions, 0);
});

test("an idle broker with something stored writes its time once a minute, an empty one never", async () => {
  const empty = await MemoryBroker.start();
  await empty.advance(300);
  assert.equal(empty.counters.batches, 0);
  const broker = await withExpiringMessage();
  await broker.advance(3);
  const before = broker.counters.batches;
  await broker.advance(310);
  assert.equal(broker.counters.batches, before + 5);
});
