// Too much memory: what is given up, in the order that is promised, and taken back in the opposite order.

import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryBroker } from "@heirloom/core/testing";
import { clean, lasting, publishAll, resume } from "./support.ts";

const CEILING = 1_000_000;

test("sheds load step by step, and recovers - attack MEM-02", async () => {
  const broker = await MemoryBroker.start({ limits: { memoryBytes: CEILING } });
  const steps = (): number[] => broker.eventsOf("memory").map((event) => ("step" in event ? event.step : -1));
  const publisher = await clean(broker, "publisher");
  const stuck = await clean(broker, "stuck");
  await stuck.subscribe("t");
  const reader = await clean(broker, "reader");
  await reader.subscribe("t");
  stuck.transport.isStuck = true;
  for (let count = 0; count < 2; count++) {
    await publisher.publish({ topicName: "t", payload: "x".repeat(60_000) });
  }

  broker.world.usedBytes = CEILING + 1;
  await broker.advance(1);
  assert.deepEqual(steps(), [1]);
  assert.deepEqual(await broker.client("before").connect(), ["CONNACK 0x00 present=0"]);

  await broker.advance(1);
  assert.deepEqual(await broker.client("newcomer").connect(), ["CONNACK 0x89 present=0"]);
  assert.deepEqual(await broker.client("old", 4).connect(), ["CONNACK 0x03 present=0"]);

  await broker.advance(1);
  const droppedBefore = broker.counters.droppedQoS0;
  reader.take();
  await publisher.publish({ topicName: "t", payload: "y" });
  assert.equal(reader.take().length, 1);
  assert.equal(broker.counters.droppedQoS0, droppedBefore + 1);

  await broker.advance(1);
  assert.deepEqual(await publisher.publish({ topicName: "t", qos: 1 }), ["PUBACK 1 0x97"]);

  await broker.advance(1);
  assert.deepEqual(steps(), [1, 2, 3, 4, 5]);
  assert.equal(stuck.isClosed || broker.counters.memoryEnded === 1, true);
  assert.equal(broker.counters.memoryEnded, 1);
  assert.deepEqual(await reader.ping(), ["PINGRESP"]);

  broker.world.usedBytes = CEILING * 0.95;
  await broker.advance(3);
  assert.equal(broker.counters.memoryStep, 5);
  broker.world.usedBytes = CEILING / 2;
  await broker.advance(2);
  assert.deepEqual(await publisher.publish({ topicName: "t", qos: 1 }), ["PUBACK 2"]);
  await broker.advance(3);
  assert.equal(broker.counters.memoryStep, 0);
  assert.deepEqual(await broker.client("newcomer").connect(), ["CONNACK 0x00 present=0"]);
});

test("never looks where there is no ceiling", async () => {
  const broker = await MemoryBroker.start();
  broker.world.usedBytes = Infinity;
  await broker.advance(5);
  assert.equal(broker.counters.memoryStep, 0);
});

test("gives up the log blocks in memory first", async () => {
  const broker = await MemoryBroker.start({ limits: { memoryBytes: CEILING } });
  const sub = await lasting(broker, "sub");
  await sub.subscribe("t");
  await sub.drop();
  await publishAll(await clean(broker, "pub"), "t", 1, ["x".repeat(10_000)]);
  await broker.advance(1);
  assert.ok(broker.counters.logCacheBytes > 10_000);
  broker.world.usedBytes = CEILING + 1;
  await broker.advance(1);
  assert.equal(broker.counters.logCacheBytes, 0);
  assert.equal((await resume(broker, "sub")).words.length, 2);
});
