// Which packet is legal when, what is answered to those that are not, and what a slow reader costs.

import assert from "node:assert/strict";
import { test } from "node:test";
import { PacketType } from "@heirloom/codec";
import type { AuthExchange } from "@heirloom/core";
import { MemoryBroker } from "@heirloom/core/testing";
import { clean, lasting, publishAll } from "./support.ts";

for (const [what, bytes] of [
  ["PUBLISH", [0x30, 0x03, 0x00, 0x01, 0x61]],
  ["AUTH", [0xf0, 0x00]],
  ["PINGREQ", [0xc0, 0x00]],
  ["DISCONNECT", [0xe0, 0x00]],
  ["garbage", [0x00, 0xff, 0x13, 0x37]],
] as const) {
  test(`closes without a byte when the first packet is ${what} - 5.0 [MQTT-3.1.0-1], [MQTT-3.14.0-1], 3.1.1 [MQTT-3.1.0-1]`, async () => {
    const broker = await MemoryBroker.start();
    const client = broker.client("c");
    client.sendBytes(Uint8Array.from(bytes));
    await broker.settle();
    assert.deepEqual([client.words(), client.isClosed], [[], true]);
    assert.equal(broker.counters.connectionsOpen, 0);
  });
}

test("closes with 0x82 when a second CONNECT arrives, and publishes the will - 5.0 [MQTT-3.1.0-2]", async () => {
  const broker = await MemoryBroker.start();
  const watcher = await clean(broker, "w");
  await watcher.subscribe("will");
  const client = await clean(broker, "c", { will: { payload: "gone" } });
  assert.deepEqual(await client.connect(), ["DISCONNECT 0x82"]);
  assert.equal(client.isClosed, true);
  assert.deepEqual(watcher.words(), ['PUBLISH will qos=0 "gone"']);
});

test("closes with 0x82 when a second CONNECT is of an unknown protocol - 5.0 [MQTT-3.1.0-2]", async () => {
  const broker = await MemoryBroker.start();
  const client = await clean(broker, "c");
  client.sendBytes(Uint8Array.of(0x10, 12, 0, 4, 0x4d, 0x51, 0x54, 0x54, 6, 2, 0, 0, 0, 0));
  await broker.settle();
  assert.deepEqual([client.words(), client.isClosed], [["DISCONNECT 0x82"], true]);
});

test("sends no CONNACK of 3.1.1 to a 5.0 client that says a second CONNECT while it is authenticated", async () => {
  const asking: AuthExchange = { step: () => ({ outcome: "continue" }) };
  const authMethods = new Map([["m", { start: () => asking }]]);
  const broker = await MemoryBroker.start({ hooks: { authMethods } });
  const client = broker.client("c");
  assert.deepEqual(await client.connect({ properties: { authenticationMethod: "m" } }), ["AUTH 0x18"]);
  client.sendBytes(Uint8Array.of(0x10, 12, 0, 4, 0x4d, 0x51, 0x54, 0x54, 6, 2, 0, 0, 0, 0));
  await broker.settle();
  assert.deepEqual([client.words(), client.isClosed], [[], true]);
});

test("closes without a word when CONNACK is larger than the client takes, and keeps no session and no will - 5.0 [MQTT-3.1.2-24], [MQTT-3.14.0-1]", async () => {
  const broker = await MemoryBroker.start();
  const watcher = await clean(broker, "w");
  await watcher.subscribe("will");
  for (const maximumPacketSize of [1, 4, 7]) {
    const client = broker.client("c");
    const came = await client.connect({ properties: { maximumPacketSize }, will: { payload: "gone" } });
    assert.deepEqual([came, client.isClosed], [[], true]);
  }
  assert.deepEqual([watcher.words(), broker.counters.sessions], [[], 1]);
});

test("closes without a word when a refusal is larger than the client takes - 5.0 [MQTT-3.1.2-24]", async () => {
  const broker = await MemoryBroker.start({ listener: { allowAnonymous: false } });
  const client = broker.client("c");
  assert.deepEqual(await client.connect({ properties: { maximumPacketSize: 4 } }), []);
  assert.equal(client.isClosed, true);
});

test("refuses a client that takes no AUTH packet of the size that its authentication needs - 5.0 [MQTT-3.1.2-24]", async () => {
  const asking: AuthExchange = { step: () => ({ outcome: "continue", data: new Uint8Array(20) }) };
  const broker = await MemoryBroker.start({
    hooks: { authMethods: new Map([["m", { start: () => asking }]]) },
  });
  const client = broker.client("c");
  const properties = { authenticationMethod: "m", maximumPacketSize: 20 };
  assert.deepEqual(await client.connect({ properties }), ["CONNACK 0x95 present=0"]);
  assert.equal(client.isClosed, true);
});

test("gives no alias to a topic that is shorter: the packet would not fit any more - 5.0 [MQTT-3.1.2-24]", async () => {
  const broker = await MemoryBroker.start();
  const sub = await clean(broker, "sub", { properties: { topicAliasMaximum: 1, maximumPacketSize: 40 } });
  await sub.subscribe("a");
  const pub = await clean(broker, "pub");
  for (const payload of ["small", "x".repeat(32), "y".repeat(33)])
    await pub.publish({ topicName: "a", qos: 1, payload });
  assert.deepEqual(sub.words(), [
    'PUBLISH 1 a qos=1 dup=0 "small"',
    `PUBLISH 2 a qos=1 dup=0 "${"x".repeat(32)}"`,
  ]);
});

test("reads nothing more from a client that takes no answers, until it has taken them", async () => {
  const broker = await MemoryBroker.start({ limits: { outputBytes: 100, maximumPacketSize: 100 } });
  const client = await clean(broker, "c");
  client.transport.isStuck = true;
  for (let pings = 0; pings < 150; pings++) client.send({ type: PacketType.PINGREQ });
  await broker.settle();
  assert.equal(client.transport.isPaused, false);
  await client.ping();
  assert.equal(client.transport.isPaused, true);
  assert.equal((await client.unstick()).length, 151);
  assert.equal(client.transport.isPaused, false);
});

test("closes without a word when a second CONNECT of 3.1.1 arrives - 3.1.1 [MQTT-3.1.0-2]", async () => {
  const broker = await MemoryBroker.start();
  const client = await clean(broker, "c", {}, 4);
  assert.deepEqual([await client.connect(), client.isClosed], [[], true]);
});

test("answers an unknown protocol level with return code 1 in the form of 3.1.1 - 3.1.1 [MQTT-3.1.2-2]", async () => {
  const broker = await MemoryBroker.start();
  for (const level of [0, 2, 6, 255]) {
    const client = broker.client("c", 4);
    client.sendBytes(Uint8Array.of(0x10, 12, 0, 4, 0x4d, 0x51, 0x54, 0x54, level, 2, 0, 0, 0, 0));
    await broker.settle();
    assert.deepEqual([client.words(), client.isClosed], [["CONNACK 0x01 present=0"], true]);
  }
});

test("empty ClientIds: 3.1 none, 3.1.1 only clean, 5.0 always with the assigned one in CONNACK - 3.1.1 [MQTT-3.1.3-8], 5.0 [MQTT-3.1.3-6], [MQTT-3.1.3-7]", async () => {
  const broker = await MemoryBroker.start();
  const first = async (version: 3 | 4 | 5, cleanStart: boolean): Promise<string> => {
    const words = await broker.client("c", version).connect({ clientId: "", cleanStart });
    return words.join();
  };
  assert.equal(await first(3, true), "CONNACK 0x02 present=0");
  assert.equal(await first(3, false), "CONNACK 0x02 present=0");
  assert.equal(await first(4, false), "CONNACK 0x02 present=0");
  assert.equal(await first(4, true), "CONNACK 0x00 present=0");
  assert.match(await first(5, true), /^CONNACK 0x00 present=0 assigned=auto[0-9A-Za-z]{23}$/);
  assert.match(await first(5, false), /^CONNACK 0x00 present=0 assigned=auto[0-9A-Za-z]{23}$/);
});

test("handles packets behind CONNECT after it was accepted, and none when it was refused - 5.0 [MQTT-3.1.4-6], 3.1.1 [MQTT-3.1.4-5] - attack STATE-04", async () => {
  const broker = await MemoryBroker.start({
    hooks: { connect: async (connect) => (connect.clientId === "bad" ? { reasonCode: 0x87 } : undefined) },
  });
  for (const name of ["good", "bad"]) {
    const client = broker.client(name);
    client.sendConnect();
    client.sendSubscribe(["t"]);
    client.sendPublish({ topicName: "t", qos: 1, retain: true, payload: name });
    await broker.settle();
    const words = client.words();
    if (name === "bad") assert.deepEqual(words, ["CONNACK 0x87 present=0"]);
    else
      assert.deepEqual(
        words.sort(),
        ["CONNACK 0x00 present=0", 'PUBLISH 1 t qos=1 dup=0 "good"', "PUBACK 2", "SUBACK 1 0x02"].sort(),
      );
  }
  assert.equal(broker.counters.retained, 1);
});

test("a refused CONNECT leaves the holder of the ClientId and its session alone - 5.0 [MQTT-3.1.4-2] - attack AUTHN-11", async () => {
  const broker = await MemoryBroker.start({
    hooks: { connect: (connect) => (connect.username === "evil" ? { reasonCode: 0x86 } : undefined) },
  });
  const holder = await lasting(broker, "c", { will: { payload: "gone" } });
  await holder.subscribe("will");
  const thief = broker.client("c");
  const will = { topicName: "will", retain: true };
  assert.deepEqual(await thief.connect({ username: "evil", cleanStart: true, will }), [
    "CONNACK 0x86 present=0",
  ]);
  assert.equal(thief.isClosed, true);
  assert.deepEqual(await holder.ping(), ["PINGRESP"]);
  await publishAll(holder, "will", 0, ["still subscribed"]);
  const old = broker.client("c", 4);
  assert.deepEqual(await old.connect({ username: "evil" }), ["CONNACK 0x04 present=0"]);
  await thief.drop();
  assert.deepEqual(
    [broker.counters.willsPublished, broker.counters.retained, broker.counters.sessions],
    [0, 0, 1],
  );
});

test("refuses anonymous clients where a listener does not take them", async () => {
  const broker = await MemoryBroker.start({ listener: { allowAnonymous: false } });
  assert.deepEqual(await broker.client("a").connect(), ["CONNACK 0x87 present=0"]);
  assert.deepEqual(await broker.client("b", 4).connect(), ["CONNACK 0x05 present=0"]);
  assert.deepEqual(await broker.client("c").connect({ username: "u", password: "p" }), [
    "CONNACK 0x86 present=0",
  ]);
});

test("a connection that does not say CONNECT in time is closed", async () => {
  const broker = await MemoryBroker.start({ limits: { connectTimeoutMs: 3000 } });
  const silent = broker.client("silent");
  const slow = broker.client("slow");
  slow.sendBytes(Uint8Array.of(0x10));
  await broker.advance(2.9);
  assert.deepEqual([silent.isClosed, slow.isClosed], [false, false]);
  await broker.advance(0.2);
  assert.deepEqual([silent.isClosed, slow.isClosed], [true, true]);
  assert.deepEqual(silent.words(), []);
});

test("Keep Alive counts what the client sends, not what it gets; 0 is never - 5.0 [MQTT-3.1.2-22], 3.1.1 [MQTT-3.1.2-24]", async () => {
  const broker = await MemoryBroker.start();
  const sub = await clean(broker, "sub", { keepAlive: 2 });
  const forever = await clean(broker, "forever");
  await sub.subscribe({ topicFilter: "t", qos: 0 });
  const pub = await clean(broker, "pub");
  for (let second = 0; second < 2; second++) {
    await broker.advance(1);
    await publishAll(pub, "t", 0, ["x"]);
  }
  assert.equal(sub.isClosed, false);
  await sub.ping();
  await broker.advance(2.9);
  assert.equal(sub.isClosed, false);
  await broker.advance(0.1);
  assert.equal(sub.words().at(-1), "DISCONNECT 0x8D");
  await broker.advance(10_000);
  assert.equal(forever.isClosed, false);
});

test("the broker enforces the Keep Alive that it sent - 5.0 [MQTT-3.1.2-21], [MQTT-3.2.2-22]", async () => {
  const broker = await MemoryBroker.start({ limits: { keepAliveMaximum: 10 } });
  for (const keepAlive of [600, 0]) {
    const client = broker.client("c");
    assert.deepEqual(await client.connect({ keepAlive }), ["CONNACK 0x00 present=0 keep-alive=10"]);
    await broker.advance(15);
    assert.deepEqual(client.words(), ["DISCONNECT 0x8D"]);
  }
});

test("tells an expiry that it shortened - 5.0 section 3.2.2.3.2 - attack SESS-06", async () => {
  const broker = await MemoryBroker.start({ limits: { sessionExpiryMaximum: 60 } });
  const client = broker.client("c");
  assert.deepEqual(await client.connect({ properties: { sessionExpiryInterval: 61 } }), [
    "CONNACK 0x00 present=0 expiry=60",
  ]);
});

test("a malformed packet is 0x81 for 5.0 and a plain close for 3.1.1 - 5.0 [MQTT-4.13.1-1], 3.1.1 [MQTT-4.8.0-1]", async () => {
  const broker = await MemoryBroker.start();
  for (const version of [4, 5] as const) {
    const client = await clean(broker, "c", {}, version);
    client.sendBytes(Uint8Array.of(0xc0, 0x01, 0x00));
    await broker.settle();
    assert.deepEqual([client.words(), client.isClosed], [version === 5 ? ["DISCONNECT 0x81"] : [], true]);
  }
});

test("nothing is handled behind DISCONNECT, and the broker closes - 5.0 [MQTT-3.14.4-1], 3.1.1 [MQTT-3.14.4-2] - attack STATE-10", async () => {
  const broker = await MemoryBroker.start();
  const watcher = await clean(broker, "w");
  await watcher.subscribe("#");
  const client = await clean(broker, "c");
  client.send({ type: PacketType.DISCONNECT, reasonCode: 0, properties: {} });
  client.sendPublish({ topicName: "t", payload: "late" });
  await broker.settle();
  assert.deepEqual([client.words(), client.isClosed, watcher.words()], [[], true, []]);
});

test("an invalid DISCONNECT is not a normal one: the will is published - 5.0 [MQTT-3.14.2-1], [MQTT-3.14.1-1]", async () => {
  for (const bytes of [
    [0xe0, 0x02, 0xff, 0x00],
    [0xe1, 0x00],
  ]) {
    const broker = await MemoryBroker.start();
    const watcher = await clean(broker, "w");
    await watcher.subscribe("will");
    const client = await clean(broker, "c", { will: { payload: "gone" } });
    client.sendBytes(Uint8Array.from(bytes));
    await broker.settle();
    assert.deepEqual(client.words(), ["DISCONNECT 0x81"]);
    assert.deepEqual(watcher.words(), ['PUBLISH will qos=0 "gone"']);
  }
});

test("one slow reader loses QoS 0 beyond its share, counted, and slows nobody else", async () => {
  const broker = await MemoryBroker.start({ limits: { outputBytes: 10_000 } });
  const slow = await clean(broker, "slow");
  const fast = await clean(broker, "fast");
  for (const client of [slow, fast]) await client.subscribe({ topicFilter: "t", qos: 0 });
  slow.transport.isStuck = true;
  const pub = await clean(broker, "pub");
  for (let count = 0; count < 30; count++) await publishAll(pub, "t", 0, ["x".repeat(1000)]);
  assert.equal(fast.words().length, 30);
  const got = (await slow.unstick()).length;
  assert.ok(got >= 9 && got <= 11, `${got}`);
  assert.equal(broker.counters.droppedQoS0, 30 - got);
});

test("QoS 1 and 2 wait in a lasting session while its socket is full, and go on in order when it drains", async () => {
  const broker = await MemoryBroker.start();
  const sub = await lasting(broker, "sub", { properties: { receiveMaximum: 65_535 } });
  await sub.subscribe("t");
  sub.transport.isStuck = true;
  const pub = await clean(broker, "pub");
  for (let count = 0; count < 60; count++) await publishAll(pub, "t", 1, [`${count} `.padEnd(10_000, "x")]);
  const waiting = sub.transport.bufferedBytes;
  assert.ok(waiting > 250_000 && waiting < 300_000, `${waiting}`);
  const words = await sub.unstick();
  assert.deepEqual(
    words.map((line) => Number(line.split(" ")[1])),
    Array.from({ length: 60 }, (_, index) => index + 1),
  );
});

test("a clean session that cannot keep up is disconnected with 0x97, never thinned out", async () => {
  const broker = await MemoryBroker.start({ limits: { cleanQueueMessages: 10 } });
  const sub = await clean(broker, "sub", { properties: { receiveMaximum: 1 } });
  await sub.subscribe("t");
  const pub = await clean(broker, "pub");
  await publishAll(
    pub,
    "t",
    1,
    Array.from({ length: 11 }, (_, index) => `${index}`),
  );
  assert.deepEqual(sub.words(), ['PUBLISH 1 t qos=1 dup=0 "0"']);
  await publishAll(pub, "t", 1, ["one too many"]);
  assert.deepEqual([sub.words(), sub.isClosed], [["DISCONNECT 0x97"], true]);
  assert.equal(broker.counters.discardedWithSession, 12);
});

test("outgoing topic aliases: the first topics get one, the others go with their names - 5.0 [MQTT-3.1.2-26], [MQTT-3.3.2-7]", async () => {
  const broker = await MemoryBroker.start();
  const sub = await clean(broker, "sub", { properties: { topicAliasMaximum: 1, maximumPacketSize: 40 } });
  await sub.subscribe({ topicFilter: "#", qos: 0 });
  const pub = await clean(broker, "pub");
  await publishAll(pub, "a/b", 0, ["x".repeat(60), "1"]);
  await publishAll(pub, "b", 0, ["2"]);
  await publishAll(pub, "a/b", 0, ["3"]);
  assert.deepEqual(sub.words(), [
    'PUBLISH a/b qos=0 "1" alias=1',
    'PUBLISH b qos=0 "2"',
    'PUBLISH (no topic) qos=0 "3" alias=1',
  ]);
});
