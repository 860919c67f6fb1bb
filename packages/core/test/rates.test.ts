// Who sends too fast has to wait or is disconnected; clients that drive each other out are slowed down.

import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryBroker } from "@heirloom/core/testing";
import { clean, lasting } from "./support.ts";

test("a client that sends faster than its rate is not read for a while, and loses nothing - attack CPU-04, attack MEM-12", async () => {
  const broker = await MemoryBroker.start({ limits: { publishRate: 10 } });
  const watcher = await clean(broker, "watcher");
  await watcher.subscribe("#");
  const fast = await clean(broker, "fast");
  for (let count = 0; count < 31; count++) fast.sendPublish({ topicName: "t", payload: `${count}` });
  await broker.settle();
  assert.equal(watcher.take().length, 11);
  assert.equal(fast.transport.isPaused, true);
  await broker.advance(1);
  assert.equal(watcher.take().length, 10);
  const other = await clean(broker, "other");
  await other.publish({ topicName: "t", payload: "at once" });
  assert.deepEqual(watcher.words(), ['PUBLISH t qos=0 "at once"']);
  await broker.advance(1);
  assert.equal(watcher.take().length, 10);
  assert.equal(fast.transport.isPaused, true);
  await broker.advance(1);
  assert.equal(fast.transport.isPaused, false);
  assert.ok(broker.counters.rateLimited > 0);
});

test("bytes and packets have rates of their own", async () => {
  const broker = await MemoryBroker.start({ limits: { publishByteRate: 1_000, packetRate: 5 } });
  const big = await clean(broker, "big");
  big.sendPublish({ topicName: "t", payload: "x".repeat(2_000) });
  assert.deepEqual(await big.ping(), []);
  await broker.advance(2);
  assert.deepEqual(big.words(), ["PINGRESP"]);
  const busy = await clean(broker, "busy");
  for (let count = 0; count < 9; count++) busy.send({ type: 12 });
  await broker.settle();
  // CONNECT was the first packet of this second; the one that goes too far is still answered.
  assert.equal(busy.take().length, 5);
  await broker.advance(1);
  assert.equal(busy.take().length, 4);
});

test("what waits keeps its connection alive, and ends with it", async () => {
  const broker = await MemoryBroker.start({ limits: { publishRate: 1 } });
  const client = await clean(broker, "c", { keepAlive: 2 });
  for (let count = 0; count < 8; count++) client.sendPublish({ topicName: "t" });
  await broker.advance(5);
  assert.equal(client.isClosed, false);
  await client.drop();
  await broker.advance(60);
  assert.equal(broker.counters.publishReceived < 8, true);
});

test("disconnects with 0x96 where that is wanted, and takes nothing of what is too much", async () => {
  const broker = await MemoryBroker.start({ limits: { publishRate: 2, ratePolicy: "disconnect" } });
  const watcher = await clean(broker, "watcher");
  await watcher.subscribe("#");
  const fast = await clean(broker, "fast");
  for (let count = 0; count < 5; count++) fast.sendPublish({ topicName: "t" });
  await broker.settle();
  assert.deepEqual(fast.words(), ["DISCONNECT 0x96"]);
  assert.equal(watcher.take().length, 2);
  assert.equal(broker.counters.rateLimited, 1);
});

test("the clients of one listener share its rate", async () => {
  const broker = await MemoryBroker.start({ listener: { totalPublishRate: 4 } });
  const watcher = await clean(broker, "watcher");
  await watcher.subscribe("#");
  for (const name of ["a", "b"]) {
    const client = await clean(broker, name);
    for (let count = 0; count < 4; count++) client.sendPublish({ topicName: "t" });
  }
  await broker.settle();
  assert.ok(watcher.take().length <= 6);
  await broker.advance(2);
  assert.ok(watcher.take().length >= 2);
});

test("two clients that drive each other out are slowed down with 0x9F; others are not concerned - attack SESS-04", async () => {
  const broker = await MemoryBroker.start({ limits: { takeoversPerMinute: 60 } });
  const answers: string[] = [];
  for (let count = 0; count < 20; count++) {
    answers.push(...(await broker.client("id").connect()));
    await (await lasting(broker, `other ${count}`)).drop();
  }
  assert.equal(answers.filter((answer) => answer.startsWith("CONNACK 0x00")).length, 11);
  assert.equal(answers.filter((answer) => answer.startsWith("CONNACK 0x9F")).length, 9);
  assert.equal(broker.counters.flapping, 9);
  await broker.advance(30);
  assert.deepEqual(await broker.client("id").connect(), ["CONNACK 0x00 present=0"]);
});
