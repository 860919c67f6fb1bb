// Shared subscriptions: one member each, what comes back, and what a restart finds.

import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryBroker } from "@heirloom/core/testing";
import { clean, lasting, publishAll, resume } from "./support.ts";

test("gives each message to one member of each group, and a copy to the plain subscription - 5.0 [MQTT-4.8.2-4]", async () => {
  const broker = await MemoryBroker.start();
  const one = await clean(broker, "one");
  const two = await clean(broker, "two");
  await one.subscribe(["$share/g/t", "$share/h/t", "t"]);
  await two.subscribe("$share/g/t");
  const pub = await clean(broker, "pub");
  await publishAll(pub, "t", 0, ["1", "2", "3", "4"]);
  const got = [...one.words(), ...two.words()];
  for (const payload of ["1", "2", "3", "4"]) {
    // Once by g, once by h, once by the plain subscription.
    assert.equal(got.filter((words) => words.includes(`"${payload}"`)).length, 3);
  }
});

test("a clean member that had no room gets what waits when it acknowledges, also from a group with a log", async () => {
  const broker = await MemoryBroker.start();
  const offline = await lasting(broker, "offline");
  await offline.subscribe("$share/g/t");
  await offline.drop();
  const member = await clean(broker, "member", { properties: { receiveMaximum: 1 } });
  await member.subscribe("$share/g/t");
  const pub = await clean(broker, "pub");
  await publishAll(pub, "t", 1, ["1", "2", "3"]);
  assert.deepEqual(member.words(), ['PUBLISH 1 t qos=1 dup=0 "1"']);
  assert.deepEqual(await member.puback(1), ['PUBLISH 2 t qos=1 dup=0 "2"']);
  assert.deepEqual(await member.puback(2), ['PUBLISH 3 t qos=1 dup=0 "3"']);
});

test("gives a QoS 1 message to another member when the session of the first ends - 5.0 [MQTT-4.8.2-4]", async () => {
  const broker = await MemoryBroker.start();
  const first = await clean(broker, "first");
  await first.subscribe("$share/g/t");
  const pub = await clean(broker, "pub");
  await publishAll(pub, "t", 1, ["x"]);
  assert.deepEqual(first.words(), ['PUBLISH 1 t qos=1 dup=0 "x"']);
  const second = await clean(broker, "second");
  await second.subscribe("$share/g/t");
  await first.drop();
  assert.deepEqual(second.words(), ['PUBLISH 1 t qos=1 dup=0 "x"']);
  assert.equal(broker.counters.discardedWithSession, 0);
});

test("a QoS 2 message stays with its member even if that member's session ends - 5.0 [MQTT-4.8.2-5]", async () => {
  const broker = await MemoryBroker.start();
  const first = await clean(broker, "first");
  await first.subscribe("$share/g/t");
  const pub = await clean(broker, "pub");
  await publishAll(pub, "t", 2, ["x"]);
  assert.deepEqual(first.words(), ['PUBLISH 1 t qos=2 dup=0 "x"']);
  const second = await clean(broker, "second");
  await second.subscribe("$share/g/t");
  await first.drop();
  assert.deepEqual(second.words(), []);
  assert.equal(broker.counters.discardedWithSession, 1);
});

for (const qos of [1, 2] as const) {
  test(`a restart keeps what a lasting member has in flight at QoS ${qos}, with it alone - 5.0 [MQTT-4.8.2-5]`, async () => {
    const broker = await MemoryBroker.start();
    const first = await lasting(broker, "first");
    await first.subscribe("$share/g/t");
    const second = await lasting(broker, "second");
    const pub = await clean(broker, "pub");
    await publishAll(pub, "t", qos, ["x"]);
    assert.deepEqual(first.words(), [`PUBLISH 1 t qos=${qos} dup=0 "x"`]);
    await second.subscribe("$share/g/t");
    await broker.restart();
    assert.deepEqual((await resume(broker, "second")).words, ["CONNACK 0x00 present=1"]);
    assert.deepEqual((await resume(broker, "first")).words, [
      "CONNACK 0x00 present=1",
      `PUBLISH 1 t qos=${qos} dup=1 "x"`,
    ]);
  });
}

test("a restart gives QoS 1 in flight with a clean member to another, but not QoS 2 - 5.0 [MQTT-4.8.2-5]", async () => {
  const broker = await MemoryBroker.start();
  const offline = await lasting(broker, "offline");
  await offline.subscribe("$share/g/t");
  await offline.drop();
  const member = await clean(broker, "member");
  await member.subscribe("$share/g/t");
  const pub = await clean(broker, "pub");
  await publishAll(pub, "t", 1, ["one"]);
  await publishAll(pub, "t", 2, ["two"]);
  assert.deepEqual(member.words(), ['PUBLISH 1 t qos=1 dup=0 "one"', 'PUBLISH 2 t qos=2 dup=0 "two"']);
  await broker.restart();
  assert.deepEqual((await resume(broker, "offline")).words, [
    "CONNACK 0x00 present=1",
    'PUBLISH 1 t qos=1 dup=0 "one"',
  ]);
});

test("keeps what waits for the group while no member is connected, over a restart too", async () => {
  const broker = await MemoryBroker.start();
  const member = await lasting(broker, "member");
  await member.subscribe("$share/g/t");
  await member.drop();
  const pub = await clean(broker, "pub");
  await publishAll(pub, "t", 1, ["1", "2"]);
  await broker.restart();
  assert.deepEqual((await resume(broker, "member")).words, [
    "CONNACK 0x00 present=1",
    'PUBLISH 1 t qos=1 dup=0 "1"',
    'PUBLISH 2 t qos=1 dup=0 "2"',
  ]);
});

test("the only member may subscribe again with other options without losing what waits - 5.0 [MQTT-3.8.4-3]", async () => {
  const broker = await MemoryBroker.start();
  const member = await lasting(broker, "member", { properties: { receiveMaximum: 1 } });
  await member.subscribe({ topicFilter: "$share/g/t", qos: 1 });
  const pub = await clean(broker, "pub");
  await publishAll(pub, "t", 1, ["1", "2"]);
  assert.deepEqual(member.words(), ['PUBLISH 1 t qos=1 dup=0 "1"']);
  await member.subscribe({ topicFilter: "$share/g/t", qos: 2 });
  assert.deepEqual(await member.puback(1), ['PUBLISH 2 t qos=1 dup=0 "2"']);
});

test("a group made anew keeps its messages over a restart although the old one still had some in flight", async () => {
  const broker = await MemoryBroker.start();
  const member = await lasting(broker, "member");
  await member.subscribe("$share/g/t");
  const pub = await clean(broker, "pub");
  await publishAll(pub, "t", 1, ["old"]);
  assert.deepEqual(member.words(), ['PUBLISH 1 t qos=1 dup=0 "old"']);
  await member.unsubscribe("$share/g/t");
  await broker.advance(1);
  await member.subscribe("$share/g/t");
  await broker.advance(1);
  await member.puback(1);
  await broker.advance(1);
  await member.drop();
  await publishAll(pub, "t", 1, ["new"]);
  await broker.restart();
  assert.deepEqual((await resume(broker, "member")).words, [
    "CONNACK 0x00 present=1",
    'PUBLISH 2 t qos=1 dup=0 "new"',
  ]);
});

test("a group that nobody is in any more leaves no log behind when its last message in flight ends with its session", async () => {
  const broker = await MemoryBroker.start();
  const member = await lasting(broker, "member");
  await member.subscribe("$share/g/t");
  const pub = await clean(broker, "pub");
  await publishAll(pub, "t", 1, ["x"]);
  await member.unsubscribe("$share/g/t");
  await member.disconnect(0, 0);
  await broker.advance(5);
  assert.equal(broker.counters.logs, 0);
  assert.equal(broker.counters.discardedWithSession, 1);
});

test("a group without members is gone after a restart; what its last member has in flight is not", async () => {
  const broker = await MemoryBroker.start();
  const member = await lasting(broker, "member");
  await member.subscribe("$share/g/t");
  const pub = await clean(broker, "pub");
  await publishAll(pub, "t", 1, ["x"]);
  await member.unsubscribe("$share/g/t");
  await broker.restart();
  const again = await clean(broker, "pub");
  assert.deepEqual(await again.publish({ topicName: "t", qos: 1 }), ["PUBACK 1 0x10"]);
  const { client, words } = await resume(broker, "member");
  assert.deepEqual(words, ["CONNACK 0x00 present=1", 'PUBLISH 1 t qos=1 dup=1 "x"']);
  await client.puback(1);
  await broker.advance(5);
  assert.equal(broker.counters.logs, 0);
});

test("sends a lasting member that joins no more than its Receive Maximum of what came back - 5.0 [MQTT-3.3.4-9]", async () => {
  const broker = await MemoryBroker.start();
  const first = await clean(broker, "first");
  await first.subscribe("$share/g/t");
  const pub = await clean(broker, "pub");
  await publishAll(pub, "t", 1, ["1", "2", "3"]);
  const second = await lasting(broker, "second", { properties: { receiveMaximum: 1 } });
  await second.subscribe("$share/g/t");
  await first.drop();
  assert.deepEqual(second.words(), ['PUBLISH 1 t qos=1 dup=0 "1"']);
  assert.deepEqual(await second.puback(1), ['PUBLISH 2 t qos=1 dup=0 "2"']);
});

test("a member's granted QoS and subscription identifier hold for its deliveries - 5.0 [MQTT-3.8.4-8]", async () => {
  const broker = await MemoryBroker.start();
  const member = await clean(broker, "member");
  await member.subscribe({ topicFilter: "$share/g/#", qos: 1 }, 7);
  const pub = await clean(broker, "pub");
  await publishAll(pub, "t", 2, ["x"]);
  assert.deepEqual(member.words(), ['PUBLISH 1 t qos=1 dup=0 "x" ids=7']);
});

test("asks the delivery hook for shared messages too", async () => {
  const asked: string[] = [];
  const broker = await MemoryBroker.start({
    hooks: {
      deliver(message, _qos, client) {
        asked.push(`${client.clientId} ${message.topicName}`);
        return message.topicName !== "t/secret";
      },
    },
  });
  const member = await lasting(broker, "member");
  await member.subscribe("$share/g/t/#");
  const pub = await clean(broker, "pub");
  await publishAll(pub, "t/secret", 1, ["s"]);
  await publishAll(pub, "t/open", 1, ["o"]);
  assert.deepEqual(asked, ["member t/secret", "member t/open"]);
  assert.deepEqual(
    member.words().map((words) => words.split(" ")[2]),
    ["t/open"],
  );
});

test("a QoS 2 message is given to nobody before the publisher's packet identifier is on disk", async () => {
  const broker = await MemoryBroker.start();
  const member = await clean(broker, "member");
  await member.subscribe("$share/g/t");
  const pub = await lasting(broker, "pub");
  broker.disk.state = "slow";
  assert.deepEqual(await pub.publish({ topicName: "t", qos: 2, payload: "x" }), []);
  assert.deepEqual(member.words(), []);
  broker.disk.state = "ok";
  await broker.settle();
  assert.deepEqual(pub.words(), ["PUBREC 1"]);
  assert.deepEqual(member.words(), ['PUBLISH 1 t qos=2 dup=0 "x"']);
});

test("what a clean member had in flight and what waited for it goes on to another in the same order", async () => {
  const broker = await MemoryBroker.start();
  const first = await clean(broker, "first", { properties: { receiveMaximum: 1 } });
  await first.subscribe("$share/g/t");
  const pub = await clean(broker, "pub");
  await publishAll(pub, "t", 1, ["1", "2", "3"]);
  const second = await clean(broker, "second");
  await second.subscribe("$share/g/t");
  await first.drop();
  assert.deepEqual(second.words(), [
    'PUBLISH 1 t qos=1 dup=0 "1"',
    'PUBLISH 2 t qos=1 dup=0 "2"',
    'PUBLISH 3 t qos=1 dup=0 "3"',
  ]);
  assert.equal(broker.counters.discardedWithSession, 0);
});

test("what a lasting member takes over from clean ones is kept for it over a restart", async () => {
  const broker = await MemoryBroker.start();
  const first = await clean(broker, "first");
  await first.subscribe("$share/g/t");
  const pub = await clean(broker, "pub");
  await publishAll(pub, "t", 1, ["1", "2"]);
  const second = await lasting(broker, "second", { properties: { receiveMaximum: 1 } });
  await second.subscribe({ topicFilter: "$share/g/t", qos: 1 }, 4);
  await first.drop();
  assert.deepEqual(second.words(), ['PUBLISH 1 t qos=1 dup=0 "1" ids=4']);
  await broker.restart();
  assert.deepEqual((await resume(broker, "second")).words, [
    "CONNACK 0x00 present=1",
    'PUBLISH 1 t qos=1 dup=1 "1" ids=4',
    'PUBLISH 2 t qos=1 dup=0 "2" ids=4',
  ]);
});

test("members that are behind are fed from the group's log in order, over blocks that are on disk only", async () => {
  const broker = await MemoryBroker.start({ limits: { logCacheBytes: 0 } });
  const member = await lasting(broker, "member", { properties: { receiveMaximum: 2 } });
  await member.subscribe("$share/g/t");
  const pub = await clean(broker, "pub");
  const payloads = Array.from({ length: 20 }, (_, index) => `${index}`);
  await publishAll(pub, "t", 1, payloads);
  const got: string[] = [];
  for (let words = member.words(); words.length > 0; words = member.words()) {
    for (const line of words) {
      got.push(/"(\d+)"/.exec(line)?.[1] ?? "");
      member.send({ type: 4, packetId: Number(line.split(" ")[1]), reasonCode: 0 });
    }
    await broker.settle();
  }
  assert.deepEqual(got, payloads);
});

test("a message given at QoS 0 leaves only when the group's place is on disk, so that a crash does not give it again", async () => {
  const broker = await MemoryBroker.start();
  const offline = await lasting(broker, "offline");
  await offline.subscribe("$share/g/t");
  await offline.drop();
  const member = await clean(broker, "member");
  await member.subscribe({ topicFilter: "$share/g/t", qos: 0 });
  const pub = await clean(broker, "pub");
  broker.disk.state = "slow";
  await pub.publish({ topicName: "t", qos: 1, payload: "1" });
  assert.deepEqual(member.words(), []);
  broker.disk.state = "ok";
  await broker.settle();
  assert.deepEqual(member.words(), ['PUBLISH t qos=0 "1"']);
});

test("what is in flight from a group that ended stays what it is when the group is made anew between two restarts", async () => {
  const broker = await MemoryBroker.start();
  const member = await lasting(broker, "member");
  await member.subscribe("$share/g/t");
  const pub = await clean(broker, "pub");
  await publishAll(pub, "t", 1, ["1"]);
  assert.deepEqual(member.words(), ['PUBLISH 1 t qos=1 dup=0 "1"']);
  await member.unsubscribe("$share/g/t");
  await broker.restart();
  const { client } = await resume(broker, "member");
  await client.subscribe("$share/g/t");
  await publishAll(await clean(broker, "pub"), "t", 1, ["2"]);
  await broker.restart();
  assert.deepEqual((await resume(broker, "member")).words, [
    "CONNACK 0x00 present=1",
    'PUBLISH 1 t qos=1 dup=1 "1"',
    'PUBLISH 2 t qos=1 dup=1 "2"',
  ]);
});

test("a shared message that is acknowledged while the delivery hook is asked is not sent", async () => {
  let answer: (() => void) | undefined;
  const broker = await MemoryBroker.start({
    hooks: { deliver: () => new Promise<boolean>((resolve) => (answer = () => resolve(true))) },
  });
  const sub = await lasting(broker, "sub");
  await sub.subscribe({ topicFilter: "$share/g/t", qos: 1 });
  const pub = await clean(broker, "pub");
  await pub.publish({ topicName: "t", qos: 1, payload: "1" });
  // Of a client that acknowledges what it has not seen.
  await sub.puback(1);
  answer?.();
  await broker.settle();
  assert.deepEqual(sub.words(), []);
});

test("a message that waits for the delivery hook of a clean member goes to another when that one leaves", async () => {
  const broker = await MemoryBroker.start({
    hooks: {
      deliver: (_message, _qos, { clientId }) => (clientId === "slow" ? new Promise(() => undefined) : true),
    },
  });
  const slow = await clean(broker, "slow");
  await slow.subscribe({ topicFilter: "$share/g/t", qos: 1 });
  await publishAll(await clean(broker, "pub"), "t", 1, ["1", "2"]);
  const other = await clean(broker, "other");
  await other.subscribe({ topicFilter: "$share/g/t", qos: 1 });
  other.take();
  await slow.drop();
  await broker.settle();
  assert.deepEqual(other.words(), ['PUBLISH 1 t qos=1 dup=0 "1"', 'PUBLISH 2 t qos=1 dup=0 "2"']);
});
