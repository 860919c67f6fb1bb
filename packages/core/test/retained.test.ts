// Retained messages: one per topic, for new subscriptions, until they are deleted or expire.

import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryBroker } from "@heirloom/core/testing";
import { clean, lasting, resume } from "./support.ts";

test("is sent at the lower QoS with RETAIN 1, exact and wildcard - 5.0 [MQTT-3.8.4-8], [MQTT-3.3.1-9], 3.1.1 [MQTT-3.3.1-8]", async () => {
  const broker = await MemoryBroker.start();
  const pub = await clean(broker, "pub");
  for (const published of [0, 1, 2] as const) {
    await pub.publish({ topicName: `r/${published}`, qos: published, retain: true, payload: "x" });
  }
  for (const granted of [0, 1, 2] as const) {
    for (const topicFilter of ["r/0", "r/1", "r/2"]) {
      const sub = await clean(broker, "sub");
      const words = await sub.subscribe({ topicFilter, qos: granted });
      const qos = Math.min(granted, Number(topicFilter[2]));
      assert.match(words[1] ?? "", new RegExp(`^PUBLISH .*${topicFilter} qos=${qos} .*retain=1 "x"$`));
    }
    const wide = await clean(broker, "wide");
    assert.equal((await wide.subscribe({ topicFilter: "r/+", qos: granted })).length, 4);
  }
});

test("RETAIN is 0 on a subscription that stands, or as published if it asked for that - 5.0 [MQTT-3.3.1-12], [MQTT-3.3.1-13], 3.1.1 [MQTT-3.3.1-9]", async () => {
  const broker = await MemoryBroker.start();
  const plain = await clean(broker, "plain");
  await plain.subscribe("r");
  const asPublished = await lasting(broker, "asPublished");
  await asPublished.subscribe({ topicFilter: "r", retainAsPublished: true });
  const old = await clean(broker, "old", {}, 4);
  await old.subscribe("r");
  const pub = await clean(broker, "pub");
  await pub.publish({ topicName: "r", qos: 1, retain: true, payload: "x" });
  assert.deepEqual(plain.words(), ['PUBLISH 1 r qos=1 dup=0 "x"']);
  assert.deepEqual(asPublished.words(), ['PUBLISH 1 r qos=1 dup=0 retain=1 "x"']);
  assert.deepEqual(old.words(), ['PUBLISH 1 r qos=1 dup=0 "x"']);
  await broker.restart();
  assert.deepEqual((await resume(broker, "asPublished")).words.slice(1), [
    'PUBLISH 1 r qos=1 dup=1 retain=1 "x"',
  ]);
});

test("Retain Handling: 0 always, 1 only for a new subscription, 2 never - 5.0 [MQTT-3.3.1-9], [MQTT-3.3.1-10], [MQTT-3.3.1-11]", async () => {
  const broker = await MemoryBroker.start();
  const pub = await clean(broker, "pub");
  await pub.publish({ topicName: "r", qos: 0, retain: true, payload: "x" });
  const sub = await lasting(broker, "sub");
  const times = async (retainHandling: 0 | 1 | 2): Promise<number> =>
    (await sub.subscribe({ topicFilter: "r", retainHandling })).length - 1;
  assert.deepEqual([await times(2), await times(1), await times(0), await times(0)], [0, 0, 1, 1]);
  await sub.unsubscribe("r");
  assert.deepEqual([await times(1), await times(1)], [1, 0]);
  await sub.drop();
  const { client, words } = await resume(broker, "sub");
  assert.deepEqual(words, ["CONNACK 0x00 present=1"]);
  assert.equal((await client.subscribe({ topicFilter: "r", retainHandling: 1 })).length, 1);
});

test("an empty payload is forwarded, deletes, and is not kept; without RETAIN it deletes nothing - 5.0 [MQTT-3.3.1-6], [MQTT-3.3.1-7], [MQTT-3.3.1-8]", async () => {
  const broker = await MemoryBroker.start();
  const live = await clean(broker, "live");
  await live.subscribe("r");
  const pub = await clean(broker, "pub");
  await pub.publish({ topicName: "r", qos: 1, retain: true, payload: "x" });
  await pub.publish({ topicName: "r", qos: 1 });
  assert.equal(broker.counters.retained, 1);
  await pub.publish({ topicName: "r", qos: 1, retain: true });
  assert.equal(broker.counters.retained, 0);
  assert.equal(live.words().length, 3);
  await broker.restart();
  assert.deepEqual(await (await clean(broker, "late")).subscribe("r"), ["SUBACK 1 0x02"]);
});

test("survives a restart with properties, expiry and the identifier of whoever subscribes - 5.0 [MQTT-3.3.4-3], [MQTT-3.3.2-6] - attack RET-06", async () => {
  const broker = await MemoryBroker.start();
  const pub = await clean(broker, "pub");
  await pub.publish({ topicName: "r", qos: 1, retain: true, payload: "old" });
  await pub.publish({ topicName: "r", qos: 2, retain: true, payload: "new", messageExpiryInterval: 120 });
  await broker.advance(30);
  await broker.restart(30);
  const sub = await clean(broker, "sub");
  assert.deepEqual(await sub.subscribe("#", 42), [
    "SUBACK 1 0x02",
    'PUBLISH 1 r qos=2 dup=0 retain=1 "new" expiry=60 ids=42',
  ]);
});

test("is gone when it expires, also when that was while the broker was down - 5.0 [MQTT-3.3.2-5] - attack RET-06", async () => {
  const broker = await MemoryBroker.start();
  const pub = await clean(broker, "pub");
  for (const topicName of ["now", "later"]) {
    const messageExpiryInterval = topicName === "now" ? 2 : 50;
    await pub.publish({ topicName, qos: 1, retain: true, payload: "x", messageExpiryInterval });
  }
  await broker.advance(2);
  assert.equal(broker.counters.retained, 1);
  await broker.restart(60);
  assert.deepEqual(await (await clean(broker, "sub")).subscribe("#"), ["SUBACK 1 0x02"]);
  await broker.advance(1);
  assert.equal(broker.counters.retained, 0);
  await broker.restart();
  assert.equal(broker.counters.retained, 0);
});

test("a shared subscription gets none, and neither does a filter that was refused - 5.0 section 4.8.2, [MQTT-3.8.4-7]", async () => {
  const broker = await MemoryBroker.start({
    hooks: {
      subscribe: ({ topicFilter }) => (topicFilter === "no/#" ? { reasonCode: 0x87 } : undefined),
    },
  });
  const pub = await clean(broker, "pub");
  await pub.publish({ topicName: "no/r", retain: true, payload: "x" });
  const sub = await clean(broker, "sub");
  assert.deepEqual(await sub.subscribe(["$share/g/no/r", "no/#"]), ["SUBACK 1 0x02 0x87"]);
});

test("a lasting session gets them once over a crash: they wait in its own log", async () => {
  const broker = await MemoryBroker.start();
  const pub = await clean(broker, "pub");
  for (let count = 0; count < 5; count++) {
    await pub.publish({ topicName: `r/${count}`, qos: 1, retain: true, payload: "x" });
  }
  const sub = await lasting(broker, "sub", { properties: { receiveMaximum: 2 } });
  const first = await sub.subscribe("r/#", 6);
  assert.equal(first.length, 3);
  await sub.puback(1);
  await broker.advance(1);
  await broker.restart();
  const { words } = await resume(broker, "sub");
  assert.equal(words.length, 1 + 4);
  const topics = [...first.slice(1), ...words.slice(1)].map((line) => line.split(" ")[2]);
  assert.deepEqual([...new Set(topics)].sort(), ["r/0", "r/1", "r/2", "r/3", "r/4"]);
  for (const line of words.slice(1)) assert.match(line, /retain=1 "x" ids=6$/);
});

test("many are sent to a client with a small window, one as another is acknowledged, clean or lasting - attack RET-04", async () => {
  const broker = await MemoryBroker.start();
  const pub = await clean(broker, "pub");
  for (let count = 0; count < 300; count++) {
    pub.sendPublish({ topicName: `r/${count}`, qos: 1, packetId: 1, retain: true, payload: "x" });
  }
  await broker.settle();
  for (const make of [clean, lasting]) {
    const sub = await make(broker, make.name, { properties: { receiveMaximum: 3 } });
    let words = (await sub.subscribe("r/#")).slice(1);
    let count = 0;
    while (words.length > 0) {
      count += words.length;
      for (const line of words) sub.send({ type: 4, packetId: Number(line.split(" ")[1]), reasonCode: 0 });
      await broker.settle();
      words = sub.words();
    }
    assert.equal(count, 300);
  }
});

test("more topics than the limit are refused; known ones may change, and be deleted", async () => {
  const broker = await MemoryBroker.start({ limits: { retainedMessages: 1 } });
  const pub = await clean(broker, "pub");
  const keep = (topicName: string, payload: string): Promise<string[]> =>
    pub.publish({ topicName, qos: 1, packetId: 1, retain: true, payload });
  assert.deepEqual(await keep("a", "1"), ["PUBACK 1 0x10"]);
  assert.deepEqual(await keep("b", "1"), ["PUBACK 1 0x97"]);
  assert.deepEqual(await keep("a", "2"), ["PUBACK 1 0x10"]);
  assert.deepEqual(await keep("a", ""), ["PUBACK 1 0x10"]);
  assert.deepEqual(await keep("b", "1"), ["PUBACK 1 0x10"]);
});

test("a repeated SUBSCRIBE sends them again and interrupts nothing - 3.1.1 [MQTT-3.8.4-3], 5.0 [MQTT-3.8.4-3]", async () => {
  const broker = await MemoryBroker.start();
  const pub = await clean(broker, "pub");
  await pub.publish({ topicName: "r", qos: 1, retain: true, payload: "kept" });
  const sub = await lasting(broker, "sub", {}, 4);
  await sub.subscribe({ topicFilter: "r", qos: 1 });
  sub.take();
  pub.sendPublish({ topicName: "r", qos: 1, payload: "1" });
  sub.sendSubscribe([{ topicFilter: "r", qos: 2 }]);
  pub.sendPublish({ topicName: "r", qos: 1, payload: "2" });
  await broker.settle();
  const words = sub.words();
  assert.equal(words.filter((line) => line.includes('retain=1 "kept"')).length, 1);
  assert.deepEqual(
    words.filter((line) => / "[12]"$/.test(line)).map((line) => line.at(-2)),
    ["1", "2"],
  );
});

test("a wildcard over many retained messages takes its turns with others, for many subscribers too - attack RET-04", async () => {
  const broker = await MemoryBroker.start();
  const pub = await clean(broker, "pub");
  for (let index = 0; index < 2_000; index++) {
    pub.sendPublish({ topicName: `t/${index}`, retain: true, payload: "x" });
  }
  await broker.settle();
  const subscribers = [];
  for (let index = 0; index < 80; index++) {
    const subscriber = await clean(broker, `s${index}`);
    subscriber.sendSubscribe([{ topicFilter: "#", qos: 0 }]);
    subscribers.push(subscriber);
  }
  let most = 0;
  let sent = broker.counters.publishSent;
  for (let turn = 0; turn < 40; turn++) {
    broker.broker.endTurn();
    most = Math.max(most, broker.counters.publishSent - sent);
    sent = broker.counters.publishSent;
  }
  assert.ok(most > 0 && most <= 64 * 256, `${most} messages in one turn`);
  // Who subscribes again and again begins anew, and keeps nobody else from what they asked for.
  const greedy = subscribers.slice(0, 70);
  for (let round = 0; round < 20; round++) {
    for (const subscriber of greedy) subscriber.sendSubscribe([{ topicFilter: "#", qos: 0 }]);
    broker.broker.endTurn();
  }
  await broker.settle();
  for (const subscriber of subscribers.slice(70)) assert.equal(subscriber.take().length, 2_001);
});

test("a lasting session gets no message before an older retained one of the same topic", async () => {
  const broker = await MemoryBroker.start();
  const pub = await clean(broker, "pub");
  const publishEach = (payload: string): void => {
    for (let topic = 0; topic < 600; topic++)
      pub.sendPublish({ topicName: `r/${topic}`, qos: 1, packetId: 1, retain: true, payload });
  };
  publishEach("old");
  await broker.settle();
  const sub = await lasting(broker, "sub");
  sub.sendSubscribe(["r/#"]);
  // Retained messages take more than one turn; in the first of them all topics get others.
  broker.broker.endTurn();
  publishEach("new");
  await broker.settle();
  const last = new Map<string, string>();
  for (const words of sub.words()) {
    const [, topicName = "", payload = ""] = /^PUBLISH \d+ (\S+) .*"(\w+)"/.exec(words) ?? [];
    if (topicName !== "") last.set(topicName, payload);
  }
  assert.equal(last.size, 600);
  assert.deepEqual(new Set(last.values()), new Set(["new"]));
});

test("for sessions that outlive their connection waits while the disk does not keep up, and then all of it comes - attack RET-03", async () => {
  const MESSAGES = 100;
  const PAYLOAD = "x".repeat(10_000);
  const broker = await MemoryBroker.start({ limits: { unsavedBytes: 100_000 } });
  const pub = await clean(broker, "pub");
  for (let number = 0; number < MESSAGES; number++)
    await pub.publish({ topicName: `r/${number}`, qos: 1, retain: true, payload: PAYLOAD });
  broker.disk.state = "slow";
  const subs = Array.from({ length: 5 }, (_, number) => broker.client(`sub-${number}`));
  for (const sub of subs) {
    sub.sendConnect({ properties: { sessionExpiryInterval: 3600 } });
    sub.sendSubscribe([{ topicFilter: "r/#", qos: 1 }]);
  }
  await broker.advance(3);
  assert.ok(
    broker.counters.unsavedBytes < 100_000 + 2 * PAYLOAD.length,
    `${broker.counters.unsavedBytes} bytes`,
  );
  broker.disk.state = "ok";
  await broker.settle();
  for (const sub of subs) {
    const got = sub.words().filter((words) => words.startsWith("PUBLISH"));
    assert.equal(new Set(got).size, MESSAGES);
  }
});
