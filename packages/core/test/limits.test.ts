// Limits on what one packet or one client may have, each with the reason code that the standard names and its counter.

import assert from "node:assert/strict";
import { test } from "node:test";
import { writeForwardedProperties } from "@heirloom/codec";
import { MemoryBroker } from "@heirloom/core/testing";
import { clean } from "./support.ts";

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
