// Names that mean something to JavaScript, and the largest numbers of the wire: both are what clients say, and no more.

import assert from "node:assert/strict";
import { test } from "node:test";
import { PacketType, readForwardedProperties, writeForwardedProperties } from "@heirloom/codec";
import type { AuthMethod } from "@heirloom/core";
import { MemoryBroker } from "@heirloom/core/testing";
import { answerTo, connected, ended, field, packet } from "./src/raw.ts";

/** Names that every object has, or that make something of one. */
const MAGIC = [
  ...["__proto__", "constructor", "prototype", "toString", "valueOf", "hasOwnProperty", "then", "toJSON"],
  ...["__defineGetter__", "length", "undefined", "null", "NaN", "0", "-1"],
];

/** What no test may leave behind. */
function assertUnpolluted(): void {
  assert.deepEqual(Object.keys(Object.prototype), []);
  assert.equal(Object.getPrototypeOf({}), Object.prototype);
  assert.equal(({} as { readonly polluted?: unknown }).polluted, undefined);
}

test("names from JavaScript are names like others: topics, filters, groups, clients, users, properties - attack JS-01", async () => {
  const broker = await MemoryBroker.start({
    hooks: { connect: ({ username }) => (username === undefined ? undefined : { account: username }) },
  });
  const own = { cleanStart: false, properties: { sessionExpiryInterval: 60 } } as const;
  for (const name of MAGIC) {
    const sub = broker.client(name);
    assert.deepEqual(await sub.connect({ ...own, username: name }), ["CONNACK 0x00 present=0"], name);
    const filters = [`${name}/+`, `+/${name}`, `$share/${name}/shared`];
    assert.match((await sub.subscribe(filters))[0] ?? "", / 0x02 0x02 0x02$/);
    const pub = await connected(broker, "pub");
    const userProperties = [[name, name]] as const;
    const forwarded = writeForwardedProperties({ userProperties });
    for (const topicName of [`${name}/x`, `x/${name}`, "shared", "constructor/other", "other/__proto__"]) {
      pub.sendPublish({ topicName, retain: true, payload: name, forwarded });
    }
    await broker.settle();
    const deliveries = sub.take().filter((one) => one.type === PacketType.PUBLISH);
    const topics = deliveries.map(({ topicName }) => topicName);
    assert.ok(
      [`${name}/x`, `x/${name}`, "shared"].every((topicName) => topics.includes(topicName)),
      name,
    );
    for (const delivery of deliveries) {
      assert.deepEqual(readForwardedProperties(delivery.forwarded).userProperties, userProperties);
    }
    // Another user of that name's neighbour does not get in: accounts are told apart by their names alone.
    assert.deepEqual(await broker.client(name).connect({ username: "other" }), ["CONNACK 0x87 present=0"]);
    await sub.drop();
    assert.deepEqual(await broker.client(name).connect({ ...own, username: name }), [
      "CONNACK 0x00 present=1",
    ]);
    await pub.disconnect();
  }
  assert.equal(broker.counters.sessions, MAGIC.length);
  await broker.restart();
  for (const name of MAGIC) {
    assert.equal(broker.broker.sessionInfo(name)?.account, name);
    assert.equal(broker.broker.sessionInfo(name)?.subscriptions, 3);
  }
  assertUnpolluted();
});

test("an authentication method of such a name is one that is not offered - attack JS-01", async () => {
  const offered: AuthMethod = { start: () => ({ step: () => ({ outcome: "success" }) }) };
  const broker = await MemoryBroker.start({ hooks: { authMethods: new Map([["real", offered]]) } });
  for (const authenticationMethod of MAGIC) {
    const client = broker.client("c");
    const words = await client.connect({ properties: { authenticationMethod } });
    assert.deepEqual(words, ["CONNACK 0x8C present=0"], authenticationMethod);
  }
  assertUnpolluted();
});

test("numbers of four bytes are never negative: expiries, delays and sizes at the edges - attack JS-03", async () => {
  for (const seconds of [0x7fff_ffff, 0x8000_0000, 0xffff_fffe]) {
    const broker = await MemoryBroker.start();
    const watcher = await connected(broker, "watcher");
    await watcher.subscribe([
      { topicFilter: "will", qos: 0 },
      { topicFilter: "late", qos: 0 },
    ]);
    watcher.take();
    const client = broker.client("c");
    await client.connect({
      cleanStart: false,
      will: { willDelayInterval: seconds, messageExpiryInterval: seconds },
      properties: { sessionExpiryInterval: seconds, maximumPacketSize: seconds },
    });
    await client.subscribe("t");
    await client.drop();
    const pub = await connected(broker, "pub");
    await pub.publish({ topicName: "t", qos: 1, messageExpiryInterval: seconds, payload: "x" });
    await jump(broker, seconds / 2);
    assert.deepEqual(watcher.words(), []);
    const back = broker.client("c");
    back.sendConnect({ cleanStart: false, properties: { sessionExpiryInterval: seconds } });
    await broker.settle();
    const delivery = back.take().find((one) => one.type === PacketType.PUBLISH);
    assert.equal(delivery?.messageExpiryInterval, Math.ceil(seconds / 2), `${seconds}`);
    await back.drop();
    await jump(broker, seconds + 1);
    assert.equal(broker.broker.sessionInfo("c"), undefined, "it ended, and not before");
  }
});

/** Decades in one step: deadlines in between are late, but that is all that happens to them. */
async function jump(broker: MemoryBroker, seconds: number): Promise<void> {
  broker.world.moveTo(broker.world.now() + seconds * 1_000);
  broker.broker.wake();
  await broker.settle();
}

test("the largest lengths are announced, judged and refused, and cost nothing - attack JS-03", async () => {
  const broker = await MemoryBroker.start();
  const largest = Uint8Array.of(0x30, 0xff, 0xff, 0xff, 0x7f);
  const client = await connected(broker, "c");
  assert.deepEqual(await answerTo(broker, client, largest), ended(5, 0x95));
  const wide = await MemoryBroker.start({
    limits: { maximumPacketSize: 268_435_460, totalInputBytes: 2 ** 40 },
  });
  const patient = await connected(wide, "c");
  assert.deepEqual(await answerTo(wide, patient, largest), { words: [], isClosed: false });
  assert.ok(
    wide.counters.inputBytes < 2_048,
    `${wide.counters.inputBytes} bytes for 256 MiB that are announced`,
  );
  for (const bytes of [
    packet(0x30, [0xff, 0xff, 0x61]),
    packet(0x30, [...field("t"), 0xff, 0xff, 0xff, 0x7f]),
    packet(0x30, [...field("t"), 0x05, 0x02, 0xff, 0xff, 0xff]),
    packet(0x82, [0, 1, 0xff, 0xff, 0xff, 0xff, 0x7f, ...field("t"), 0]),
  ]) {
    assert.deepEqual(await answerTo(broker, await connected(broker, "c"), bytes), ended(5, 0x81));
  }
});

test("identifiers and subscription identifiers at the edges of their range come back as they are - attack JS-03", async () => {
  const broker = await MemoryBroker.start();
  for (const subscriptionIdentifier of [1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152, 268_435_455]) {
    const client = await connected(broker, "c");
    await client.subscribe({ topicFilter: "t", qos: 1 }, subscriptionIdentifier);
    client.sendPublish({ topicName: "t", qos: 1, packetId: 65_535, payload: "x" });
    await broker.settle();
    const packets = client.take();
    const delivery = packets.find((one) => one.type === PacketType.PUBLISH);
    assert.deepEqual([...(delivery?.subscriptionIdentifiers ?? [])], [subscriptionIdentifier]);
    assert.ok(packets.some((one) => one.type === PacketType.PUBACK && one.packetId === 65_535));
    await client.disconnect();
  }
});
