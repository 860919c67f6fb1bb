// Lasting sessions: what waits for them, what is in flight, and in which order they get it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { PacketType, readForwardedProperties, writeForwardedProperties } from "@heirloom/codec";
import { MemoryStore, Message } from "@heirloom/core";
import { MemoryBroker, type TestClient } from "@heirloom/core/testing";
import { clean, lasting, publishAll, resume, storeThatReads } from "./support.ts";

test("gets what it missed, in order, at the lower of both QoS; QoS 0 is not kept - 5.0 [MQTT-3.8.4-8], 3.1.1 [MQTT-3.1.2-5]", async () => {
  const broker = await MemoryBroker.start();
  const sub = await lasting(broker, "sub");
  await sub.subscribe([
    { topicFilter: "zero", qos: 0 },
    { topicFilter: "one", qos: 1 },
    { topicFilter: "two", qos: 2 },
  ]);
  await sub.drop();
  const pub = await clean(broker, "pub");
  for (const qos of [0, 1, 2] as const) {
    for (const topicName of ["zero", "one", "two"]) await publishAll(pub, topicName, qos, [`${qos}`]);
  }
  assert.deepEqual((await resume(broker, "sub")).words, [
    "CONNACK 0x00 present=1",
    'PUBLISH 1 one qos=1 dup=0 "1"',
    'PUBLISH 2 two qos=1 dup=0 "1"',
    'PUBLISH 3 one qos=1 dup=0 "2"',
    'PUBLISH 4 two qos=2 dup=0 "2"',
  ]);
});

test("resumes with what is in flight first: original order and identifiers, DUP 1, PUBREL where PUBREC came - 5.0 [MQTT-4.4.0-1], [MQTT-4.6.0-5], [MQTT-4.3.3-5] - attack QOS-03, attack QOS-07", async () => {
  for (const how of ["drop", "restart"] as const) {
    const broker = await MemoryBroker.start();
    const sub = await lasting(broker, "sub");
    await sub.subscribe("t");
    const pub = await clean(broker, "pub");
    for (let count = 1; count <= 6; count++) {
      await publishAll(pub, "t", count % 2 === 0 ? 2 : 1, [`${count}`]);
    }
    assert.equal(sub.words().length, 6);
    assert.deepEqual(await sub.puback(3), []);
    assert.deepEqual(await sub.pubrec(4), ["PUBREL 4"]);
    await sub.drop();
    await publishAll(pub, "t", 1, ["7"]);
    if (how === "restart") await broker.restart();
    assert.deepEqual((await resume(broker, "sub")).words, [
      "CONNACK 0x00 present=1",
      'PUBLISH 1 t qos=1 dup=1 "1"',
      'PUBLISH 2 t qos=2 dup=1 "2"',
      "PUBREL 4",
      'PUBLISH 5 t qos=1 dup=1 "5"',
      'PUBLISH 6 t qos=2 dup=1 "6"',
      'PUBLISH 7 t qos=1 dup=0 "7"',
    ]);
  }
});

test("resends with Receive Maximum 1 also when the messages have to be read from the store - 5.0 [MQTT-3.3.4-9]", async () => {
  const broker = await MemoryBroker.start();
  const sub = await lasting(broker, "sub");
  await sub.subscribe("t");
  const pub = await clean(broker, "pub");
  await publishAll(pub, "t", 1, ["1", "2", "3"]);
  await broker.restart();
  const { client, words } = await resume(broker, "sub", { properties: { receiveMaximum: 1 } });
  assert.deepEqual(words, ["CONNACK 0x00 present=1", 'PUBLISH 1 t qos=1 dup=1 "1"']);
  assert.deepEqual(await client.puback(1), ['PUBLISH 2 t qos=1 dup=1 "2"']);
  assert.deepEqual(await client.puback(2), ['PUBLISH 3 t qos=1 dup=1 "3"']);
  assert.deepEqual(await client.puback(3), []);
});

test("holds a place of the Receive Maximum until PUBCOMP, and drains the rest one by one - 5.0 [MQTT-4.9.0-1], [MQTT-4.9.0-2]", async () => {
  const broker = await MemoryBroker.start();
  const sub = await lasting(broker, "sub", { properties: { receiveMaximum: 1 } });
  await sub.subscribe("t");
  const pub = await clean(broker, "pub");
  await publishAll(pub, "t", 2, ["1", "2"]);
  await publishAll(pub, "t", 0, ["zero"]);
  assert.deepEqual(sub.words(), ['PUBLISH 1 t qos=2 dup=0 "1"', 'PUBLISH t qos=0 "zero"']);
  assert.deepEqual(await sub.pubrec(1), ["PUBREL 1"]);
  assert.deepEqual(await sub.pubcomp(1), ['PUBLISH 2 t qos=2 dup=0 "2"']);
});

test("PUBREC or PUBACK with an error frees place and identifier; nothing is sent again - 5.0 [MQTT-4.3.3-4], [MQTT-4.4.0-2]", async () => {
  const broker = await MemoryBroker.start();
  const sub = await lasting(broker, "sub", { properties: { receiveMaximum: 1 } });
  await sub.subscribe("t");
  const pub = await clean(broker, "pub");
  await publishAll(pub, "t", 2, ["1"]);
  await publishAll(pub, "t", 1, ["2", "3"]);
  assert.deepEqual(sub.words(), ['PUBLISH 1 t qos=2 dup=0 "1"']);
  assert.deepEqual(await sub.pubrec(1, 0x80), ['PUBLISH 2 t qos=1 dup=0 "2"']);
  assert.deepEqual(await sub.puback(2, 0x80), ['PUBLISH 3 t qos=1 dup=0 "3"']);
  await broker.restart();
  assert.deepEqual((await resume(broker, "sub")).words, [
    "CONNACK 0x00 present=1",
    'PUBLISH 3 t qos=1 dup=1 "3"',
  ]);
});

test("an acknowledgement of the wrong kind completes nothing, and is 0x82 in 5.0 - 5.0 [MQTT-4.3.3-3], 3.1.1 [MQTT-4.3.3-1] - attack STATE-05", async () => {
  for (const version of [4, 5] as const) {
    const broker = await MemoryBroker.start();
    const pub = await clean(broker, "pub");
    const sub = await lasting(broker, "sub", {}, version);
    await sub.subscribe(["one", "two"]);
    await publishAll(pub, "one", 1, ["x"]);
    await publishAll(pub, "two", 2, ["y"]);
    sub.take();
    const answer = version === 5 ? ["DISCONNECT 0x82"] : [];
    // Before PUBREC there is nothing to complete, but the kind is right.
    assert.deepEqual(await sub.pubcomp(2), []);
    let open = sub;
    for (const wrong of [
      (client: TestClient) => client.puback(2),
      (client: TestClient) => client.pubrec(1),
      (client: TestClient) => client.pubcomp(1),
    ]) {
      const words = await wrong(open);
      if (version === 5) assert.deepEqual(words, answer);
      else
        assert.deepEqual(
          words.filter((line) => !line.startsWith("PUBREL")),
          [],
        );
      assert.equal(open.isClosed, version === 5);
      await open.drop();
      const resumed = await resume(broker, "sub");
      assert.deepEqual(resumed.words, [
        "CONNACK 0x00 present=1",
        'PUBLISH 1 one qos=1 dup=1 "x"',
        'PUBLISH 2 two qos=2 dup=1 "y"',
      ]);
      await resumed.client.drop();
      open = await lasting(broker, "sub", {}, version);
    }
  }
});

test("PUBREC for an unknown identifier is answered with PUBREL 0x92, in 3.1.1 without a code; unknown PUBACK and PUBCOMP with nothing - 5.0 section 3.6.2.1 - attack STATE-05", async () => {
  const broker = await MemoryBroker.start();
  const sub = await lasting(broker, "sub");
  assert.deepEqual(await sub.pubrec(9), ["PUBREL 9 0x92"]);
  assert.deepEqual([await sub.pubrec(9, 0x80), await sub.puback(9), await sub.pubcomp(9)], [[], [], []]);
  assert.deepEqual(await (await clean(broker, "old", {}, 4)).pubrec(9), ["PUBREL 9"]);
});

test("never sends again on a live connection, and never the publisher's DUP - 5.0 [MQTT-4.4.0-1], [MQTT-3.3.1-3]", async () => {
  const broker = await MemoryBroker.start();
  const sub = await lasting(broker, "sub");
  await sub.subscribe("t");
  const pub = await clean(broker, "pub");
  await pub.publish({ topicName: "t", qos: 1, dup: true, payload: "x" });
  assert.deepEqual(sub.words(), ['PUBLISH 1 t qos=1 dup=0 "x"']);
  await broker.advance(600);
  assert.deepEqual(sub.words(), []);
});

test("a delivery that went out is resent although it expired since; one that waited is not sent - 5.0 [MQTT-4.3.3-7], [MQTT-3.3.2-5], [MQTT-3.3.2-6]", async () => {
  const broker = await MemoryBroker.start();
  const sub = await lasting(broker, "sub");
  await sub.subscribe("t");
  const pub = await clean(broker, "pub");
  await pub.publish({ topicName: "t", qos: 2, payload: "sent", messageExpiryInterval: 10 });
  assert.deepEqual(sub.words(), ['PUBLISH 1 t qos=2 dup=0 "sent" expiry=10']);
  await sub.pubrec(1);
  await sub.drop();
  await pub.publish({ topicName: "t", qos: 1, payload: "short", messageExpiryInterval: 10 });
  await pub.publish({ topicName: "t", qos: 1, payload: "long", messageExpiryInterval: 100 });
  await broker.advance(30);
  assert.deepEqual((await resume(broker, "sub")).words, [
    "CONNACK 0x00 present=1",
    "PUBREL 1",
    'PUBLISH 2 t qos=1 dup=0 "long" expiry=70',
  ]);
  assert.equal(broker.counters.expired, 1);
});

test("what is left of an expiry is never more than the publisher said, however times of the clock fall between two milliseconds - 5.0 [MQTT-3.3.2-6]", async () => {
  const broker = await MemoryBroker.start();
  const sub = await lasting(broker, "sub");
  await sub.subscribe("t");
  await sub.drop();
  const pub = await clean(broker, "pub");
  broker.world.moveTo(broker.world.now() + 0.7);
  await pub.publish({ topicName: "t", qos: 1, payload: "x", messageExpiryInterval: 20 });
  const { words } = await resume(broker, "sub");
  assert.deepEqual(words, ["CONNACK 0x00 present=1", 'PUBLISH 1 t qos=1 dup=0 "x" expiry=20']);
});

test("message expiry goes on while the broker is down, for clients of 3.1.1 too - 5.0 [MQTT-3.3.2-5]", async () => {
  const broker = await MemoryBroker.start();
  const sub = await lasting(broker, "sub", {}, 4);
  await sub.subscribe("t");
  await sub.drop();
  const pub = await clean(broker, "pub");
  await pub.publish({ topicName: "t", qos: 1, payload: "short", messageExpiryInterval: 10 });
  await pub.publish({ topicName: "t", qos: 1, payload: "long", messageExpiryInterval: 100 });
  await broker.restart(50);
  const back = broker.client("sub", 4);
  assert.deepEqual(await back.connect({ cleanStart: false }), [
    "CONNACK 0x00 present=1",
    'PUBLISH 1 t qos=1 dup=0 "long"',
  ]);
});

test("is resumed under another protocol version: properties as the connection has them - 5.0 section 3.1.2.4", async () => {
  const broker = await MemoryBroker.start();
  const sub = await lasting(broker, "sub");
  await sub.subscribe("t", 5);
  const pub = await clean(broker, "pub");
  const forwarded = writeForwardedProperties({ userProperties: [["k", "v"]], responseTopic: "r" });
  await pub.publish({ topicName: "t", qos: 1, payload: "x", forwarded });
  await sub.drop();
  const old = broker.client("sub", 4);
  assert.deepEqual(await old.connect({ cleanStart: false }), [
    "CONNACK 0x00 present=1",
    'PUBLISH 1 t qos=1 dup=1 "x"',
  ]);
  await old.drop();
  const back = broker.client("sub");
  back.sendConnect({ cleanStart: false });
  await broker.settle();
  const [connack, publish] = back.take();
  assert.ok(connack?.type === PacketType.CONNACK && connack.sessionPresent);
  assert.ok(publish?.type === PacketType.PUBLISH);
  assert.deepEqual(publish.subscriptionIdentifiers, [5]);
  assert.deepEqual(readForwardedProperties(publish.forwarded), {
    userProperties: [["k", "v"]],
    responseTopic: "r",
  });
});

test("packet identifiers skip those in use, also those that wait for PUBCOMP - 5.0 [MQTT-2.2.1-4] - attack QOS-05", async () => {
  const broker = await MemoryBroker.start();
  const sub = await lasting(broker, "sub");
  await sub.subscribe({ topicFilter: "t", qos: 2 });
  const pub = await clean(broker, "pub");
  await publishAll(pub, "t", 1, ["held"]);
  await publishAll(pub, "t", 2, ["half"]);
  assert.deepEqual(sub.words().length, 2);
  await sub.pubrec(2);
  const ids = new Set<string>();
  for (let count = 0; count < 65_540; count++) {
    pub.sendPublish({ topicName: "t", qos: 1, packetId: 1 });
    if (count % 1000 !== 999 && count !== 65_539) continue;
    await broker.settle();
    for (const words of sub.words()) {
      const id = words.split(" ")[1] ?? "";
      ids.add(id);
      sub.send({ type: PacketType.PUBACK, packetId: Number(id), reasonCode: 0 });
    }
  }
  await broker.settle();
  assert.equal(ids.has("1") || ids.has("2") || ids.has("0"), false);
  assert.equal(ids.size, 65_533);
});

test("an UNSUBSCRIBE drops nothing that was acknowledged before: in flight and waiting go on - 5.0 [MQTT-3.10.4-2], [MQTT-3.10.4-3]", async () => {
  const broker = await MemoryBroker.start();
  const sub = await lasting(broker, "sub", { properties: { receiveMaximum: 1 } });
  await sub.subscribe("t");
  const pub = await clean(broker, "pub");
  await publishAll(pub, "t", 1, ["1", "2"]);
  assert.deepEqual(await sub.unsubscribe("t"), ['PUBLISH 1 t qos=1 dup=0 "1"', "UNSUBACK 2 0x00"]);
  await publishAll(pub, "t", 1, ["after"]);
  await broker.restart();
  const { client, words } = await resume(broker, "sub");
  assert.deepEqual(words, [
    "CONNACK 0x00 present=1",
    'PUBLISH 1 t qos=1 dup=1 "1"',
    'PUBLISH 2 t qos=1 dup=0 "2"',
  ]);
  await client.puback(1);
  await client.puback(2);
  await broker.advance(3);
  assert.equal(broker.counters.logs, 0);
});

test("says 0x11 for a filter that it had not subscribed to - 5.0 [MQTT-3.11.3-1]", async () => {
  const broker = await MemoryBroker.start();
  const sub = await lasting(broker, "sub");
  await sub.subscribe("a");
  assert.deepEqual(await sub.unsubscribe("b", "a", "a"), ["UNSUBACK 2 0x11 0x00 0x11"]);
  const old = await lasting(broker, "old", {}, 4);
  assert.deepEqual(await old.unsubscribe("b"), ["UNSUBACK 1"]);
});

test("a message too large for the client is dropped as if delivered, and does not stop the rest - 5.0 [MQTT-3.1.2-24], [MQTT-3.1.2-25]", async () => {
  const broker = await MemoryBroker.start();
  const sub = await lasting(broker, "sub", { properties: { maximumPacketSize: 40, receiveMaximum: 1 } });
  await sub.subscribe("t");
  const pub = await clean(broker, "pub");
  await publishAll(pub, "t", 1, ["x".repeat(100), "small"]);
  assert.deepEqual(sub.words(), ['PUBLISH 1 t qos=1 dup=0 "small"']);
  assert.equal(broker.counters.droppedTooLarge, 1);
  await sub.drop();
  await publishAll(pub, "t", 1, ["y".repeat(100), "last"]);
  assert.deepEqual((await resume(broker, "sub", { properties: { maximumPacketSize: 40 } })).words, [
    "CONNACK 0x00 present=1",
    'PUBLISH 1 t qos=1 dup=1 "small"',
    'PUBLISH 2 t qos=1 dup=0 "last"',
  ]);
});

test("a packet of exactly the Maximum Packet Size is sent, with Topic Alias Maximum too - 5.0 [MQTT-3.1.2-24]", async () => {
  // Fixed header 2, topic 3, packet identifier 2, properties 1, payload.
  const fixed = 8;
  for (const topicAliasMaximum of [0, 5]) {
    const broker = await MemoryBroker.start();
    const properties = { maximumPacketSize: 50, topicAliasMaximum };
    const sub = await lasting(broker, "sub", { properties });
    await sub.subscribe("t");
    const pub = await clean(broker, "pub");
    await publishAll(pub, "t", 1, ["x".repeat(50 - fixed), "x".repeat(50 - fixed + 1)]);
    assert.deepEqual(sub.words(), [`PUBLISH 1 t qos=1 dup=0 "(${50 - fixed} bytes)"`]);
  }
});

test("delivers one copy over overlapping filters, live and from its logs: highest QoS, all identifiers - 5.0 [MQTT-3.3.4-2], [MQTT-3.3.4-3], [MQTT-3.3.4-4]", async () => {
  const broker = await MemoryBroker.start();
  const sub = await lasting(broker, "sub");
  await sub.subscribe({ topicFilter: "a/b", qos: 1 }, 1);
  await sub.subscribe({ topicFilter: "a/+", qos: 2 }, 2);
  await sub.subscribe({ topicFilter: "a/#", qos: 0 }, 3);
  const other = await clean(broker, "other");
  await other.subscribe("a/b", 9);
  const pub = await clean(broker, "pub");
  await publishAll(pub, "a/b", 2, ["live"]);
  const [live = ""] = sub.words();
  assert.match(live, /^PUBLISH 1 a\/b qos=2 dup=0 "live" ids=/);
  assert.deepEqual(live.split("ids=")[1]?.split(",").sort(), ["1", "2", "3"]);
  assert.deepEqual(other.words(), ['PUBLISH 1 a/b qos=2 dup=0 "live" ids=9']);
  await sub.drop();
  await publishAll(pub, "a/b", 2, ["later"]);
  const { words } = await resume(broker, "sub");
  assert.equal(words.length, 3);
  assert.match(words[1] ?? "", /^PUBLISH 1 a\/b qos=2 dup=1 "live" ids=/);
  assert.deepEqual(words[1]?.split("ids=")[1]?.split(",").sort(), ["1", "2", "3"]);
  assert.match(words[2] ?? "", /^PUBLISH 2 a\/b qos=2 dup=0 "later" ids=/);
  assert.deepEqual(words[2]?.split("ids=")[1]?.split(",").sort(), ["1", "2", "3"]);
});

test("No Local holds for one subscription, not for an overlapping one, and offline too - 5.0 [MQTT-3.8.3-3]", async () => {
  const broker = await MemoryBroker.start();
  const both = await lasting(broker, "both");
  await both.subscribe({ topicFilter: "a/#", noLocal: true, qos: 2 });
  assert.deepEqual(await both.publish({ topicName: "a/b", qos: 1, payload: "1" }), ["PUBACK 2"]);
  await both.subscribe({ topicFilter: "a/b", qos: 1 });
  const words = await both.publish({ topicName: "a/b", qos: 2, payload: "2" });
  assert.deepEqual(words.sort(), ['PUBLISH 1 a/b qos=1 dup=0 "2"', "PUBREC 4"]);
  const pub = await clean(broker, "pub");
  await publishAll(pub, "a/c", 1, ["3"]);
  assert.deepEqual(both.words(), ['PUBLISH 2 a/c qos=1 dup=0 "3"']);
  await broker.restart();
  assert.deepEqual((await resume(broker, "both")).words, [
    "CONNACK 0x00 present=1",
    'PUBLISH 1 a/b qos=1 dup=1 "2"',
    'PUBLISH 2 a/c qos=1 dup=1 "3"',
  ]);
});

test("a session behind its logs gets its own messages neither, with No Local - 5.0 [MQTT-3.8.3-3]", async () => {
  const broker = await MemoryBroker.start();
  const both = await lasting(broker, "both", { properties: { receiveMaximum: 1 } });
  await both.subscribe({ topicFilter: "a/#", noLocal: true, qos: 2 });
  await both.subscribe({ topicFilter: "a/+", noLocal: false, qos: 1 });
  const pub = await clean(broker, "pub");
  await publishAll(pub, "a/x/y", 1, ["other's"]);
  both.take();
  // Behind from here on: both messages wait.
  await both.publish({ topicName: "a/x/y", qos: 1, payload: "own, left out" });
  await both.publish({ topicName: "a/b", qos: 2, payload: "own, at QoS 1" });
  assert.deepEqual(await both.puback(1), ['PUBLISH 2 a/b qos=1 dup=0 "own, at QoS 1"']);
});

test("keeps the order of each publisher while it falls behind, drains and keeps up again - 5.0 [MQTT-4.6.0-6] - attack QOS-07", async () => {
  const broker = await MemoryBroker.start();
  const sub = await lasting(broker, "sub", { properties: { receiveMaximum: 3 } });
  await sub.subscribe(["a/#", "+/x"]);
  const pub = await clean(broker, "pub");
  const got: number[] = [];
  const open: number[] = [];
  for (let count = 0; count < 200; count++) {
    pub.sendPublish({ topicName: count % 3 === 0 ? "a/x" : "a/y", qos: 1, packetId: 1, payload: `${count}` });
    // Slower than the publisher for a while, then faster.
    if (count % (count < 100 ? 7 : 2) === 0) {
      await broker.settle();
      for (const words of sub.words()) {
        open.push(Number(words.split(" ")[1]));
        got.push(Number(/"(\d+)"/.exec(words)?.[1]));
      }
      const packetId = open.shift();
      if (packetId !== undefined) await sub.puback(packetId).then((words) => note(words));
    }
  }
  function note(words: readonly string[]): void {
    for (const line of words) {
      open.push(Number(line.split(" ")[1]));
      got.push(Number(/"(\d+)"/.exec(line)?.[1]));
    }
  }
  await broker.settle();
  note(sub.words());
  while (open.length > 0) note(await sub.puback(open.shift() ?? 0));
  assert.deepEqual(
    got,
    Array.from({ length: 200 }, (_, index) => index),
  );
});

test("asks the delivery hook in order, keeps what it refuses out, and waits for it - also after a restart", async () => {
  const waiting: (() => void)[] = [];
  const broker = await MemoryBroker.start({
    hooks: {
      deliver(message) {
        if (message.topicName === "t/no") return false;
        if (message.topicName === "t/throw") throw new Error("no such rule");
        if (message.topicName === "t/slow")
          return new Promise((resolve) => waiting.push(() => resolve(true)));
        return Message.of({ topicName: "t/other", payload: message.payload, qos: message.qos });
      },
    },
  });
  const sub = await lasting(broker, "sub");
  await sub.subscribe("t/#");
  const pub = await clean(broker, "pub");
  for (const topicName of ["t/no", "t/slow", "t/throw", "t/other"])
    await publishAll(pub, topicName, 1, ["x"]);
  assert.deepEqual(sub.words(), []);
  await broker.restart();
  const { client, words } = await resume(broker, "sub");
  assert.deepEqual(words, ["CONNACK 0x00 present=1"]);
  waiting.at(-1)?.();
  await broker.settle();
  assert.deepEqual(client.words(), ['PUBLISH 1 t/slow qos=1 dup=0 "x"', 'PUBLISH 2 t/other qos=1 dup=0 "x"']);
});

test("a lasting session's queue is what the counters say: acknowledged = delivered + queued + expired + discarded", async () => {
  const broker = await MemoryBroker.start();
  const sub = await lasting(broker, "sub");
  await sub.subscribe("t");
  const pub = await clean(broker, "pub");
  await publishAll(pub, "t", 1, ["delivered"]);
  await sub.puback(1);
  await sub.drop();
  await pub.publish({ topicName: "t", qos: 1, messageExpiryInterval: 1 });
  await publishAll(pub, "t", 1, ["in flight", "waits"]);
  await broker.advance(5);
  const { client } = await resume(broker, "sub", { properties: { receiveMaximum: 1 } });
  await client.disconnect(0, 0);
  const { acknowledged, delivered, expired, discardedWithSession } = broker.counters;
  assert.deepEqual([acknowledged, delivered, expired, discardedWithSession], [4, 1, 1, 2]);
});

test("a delivery hook that never answers holds up one connection, not the session", async () => {
  let asked = 0;
  const broker = await MemoryBroker.start({
    hooks: { deliver: () => (asked++ === 0 ? new Promise<boolean>(() => undefined) : true) },
  });
  const sub = await lasting(broker, "sub");
  await sub.subscribe("t");
  const pub = await clean(broker, "pub");
  await publishAll(pub, "t", 1, ["x"]);
  assert.deepEqual(sub.words(), []);
  await sub.drop();
  assert.deepEqual((await resume(broker, "sub")).words, [
    "CONNACK 0x00 present=1",
    'PUBLISH 1 t qos=1 dup=0 "x"',
  ]);
});

test("a QoS 0 message that expired while the delivery hook kept others waiting is not sent - 5.0 [MQTT-3.3.2-5]", async () => {
  const waiting: (() => void)[] = [];
  const broker = await MemoryBroker.start({
    hooks: {
      deliver: ({ topicName }) =>
        topicName === "slow"
          ? new Promise<undefined>((resolve) => waiting.push(() => resolve(undefined)))
          : undefined,
    },
  });
  const sub = await lasting(broker, "sub");
  await sub.subscribe([{ topicFilter: "#", qos: 0 }]);
  const pub = await clean(broker, "pub");
  await pub.publish({ topicName: "slow" });
  await pub.publish({ topicName: "late", messageExpiryInterval: 2 });
  await pub.publish({ topicName: "lasting" });
  await broker.advance(3);
  waiting.shift()?.();
  await broker.settle();
  assert.deepEqual(sub.words(), ['PUBLISH slow qos=0 ""', 'PUBLISH lasting qos=0 ""']);
  assert.equal(broker.counters.expired, 1);
});

test("a queue that is cut to its limit while a part of it is read loses nothing more", async () => {
  const store = new MemoryStore();
  let reading = Promise.resolve();
  const broker = await MemoryBroker.start({
    limits: { queueMessages: 600, logCacheBytes: 0 },
    store: storeThatReads(store, async (...what) => {
      const blocks = await store.readLog(...what);
      await reading;
      return blocks;
    }),
  });
  await lasting(broker, "sub").then(async (sub) => {
    await sub.subscribe({ topicFilter: "t", qos: 1 });
    await sub.drop();
  });
  const pub = await clean(broker, "pub");
  const payloads = Array.from({ length: 1000 }, (_, number) => `${number} `.padEnd(1000, "x"));
  await publishAll(pub, "t", 1, payloads.slice(0, 500));
  let isRead = (): void => undefined;
  reading = new Promise((resolve) => (isRead = resolve));
  const { client } = await resume(broker, "sub", { properties: { receiveMaximum: 1 } });
  await publishAll(pub, "t", 1, payloads.slice(500));
  await broker.advance(1);
  isRead();
  await broker.settle();
  const [first] = client.take();
  assert.ok(first?.type === PacketType.PUBLISH);
  assert.equal(Buffer.from(first.payload).toString().split(" ")[0], "400");
  assert.equal(broker.counters.discardedAtLimit, 400);
  assert.equal(broker.counters.damagedEntries, 0);
  assert.deepEqual(broker.eventsOf("damaged"), []);
});

for (const qos of [1, 2] as const)
  test(`a repetition that is acknowledged while the delivery hook is asked is not sent, QoS ${qos}`, async () => {
    let answer: (() => void) | undefined;
    let isSlow = false;
    const broker = await MemoryBroker.start({
      hooks: {
        deliver: () => (isSlow ? new Promise<boolean>((resolve) => (answer = () => resolve(true))) : true),
      },
    });
    const sub = await lasting(broker, "sub");
    await sub.subscribe({ topicFilter: "t", qos });
    const pub = await clean(broker, "pub");
    await publishAll(pub, "t", qos, ["1"]);
    assert.deepEqual(sub.words(), [`PUBLISH 1 t qos=${qos} dup=0 "1"`]);
    await sub.drop();
    isSlow = true;
    const { client } = await resume(broker, "sub");
    client.take();
    // It came before the connection was lost.
    const words = qos === 1 ? await client.puback(1) : await client.pubrec(1);
    assert.deepEqual(words, qos === 1 ? [] : ["PUBREL 1"]);
    answer?.();
    await broker.settle();
    assert.deepEqual(client.words(), []);
    isSlow = false;
    await publishAll(pub, "t", qos, ["2"]);
    assert.deepEqual(client.words(), [`PUBLISH 2 t qos=${qos} dup=0 "2"`]);
    const { delivered, droppedRefused } = broker.counters;
    assert.deepEqual([delivered, droppedRefused], [qos === 1 ? 1 : 0, 0]);
  });
