// SUBSCRIBE and UNSUBSCRIBE: each filter on its own, and what the subscriptions of one session add up to.

import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryBroker } from "@heirloom/core/testing";
import { clean, lasting, publishAll, resume } from "./support.ts";

test("answers each filter in order, with the codes of the version - 5.0 [MQTT-3.9.3-1], 3.1.1 [MQTT-3.9.3-1], [MQTT-3.9.3-2]", async () => {
  const broker = await MemoryBroker.start({
    hooks: {
      subscribe({ topicFilter }) {
        if (topicFilter === "no") return { reasonCode: 0x87 };
        return topicFilter === "less" ? { qos: 0 } : undefined;
      },
    },
  });
  const filters = [{ topicFilter: "a", qos: 1 } as const, "no", "less", "b"];
  assert.deepEqual(await (await clean(broker, "c")).subscribe(filters), ["SUBACK 1 0x01 0x87 0x00 0x02"]);
  assert.deepEqual(await (await clean(broker, "c", {}, 4)).subscribe(filters), [
    "SUBACK 1 0x01 0x80 0x00 0x02",
  ]);
});

test("filters that break the rules never become subscriptions - 5.0 [MQTT-4.7.1-1], [MQTT-4.7.1-2], 3.1.1 [MQTT-4.7.1-2], [MQTT-4.7.1-3] - attack PARSE-12", async () => {
  const broker = await MemoryBroker.start();
  for (const topicFilter of ["a#", "#/a", "a+", "+a", "$share/g", "$share//t", "$share/g/", "$share/g+/t"]) {
    const client = await clean(broker, "c");
    assert.deepEqual(await client.subscribe(["ok", topicFilter]), ["SUBACK 1 0x02 0x8F"], topicFilter);
    assert.equal(broker.counters.subscriptions, 1);
    const old = await clean(broker, "old", {}, 4);
    await old.subscribe(topicFilter);
    assert.deepEqual([old.words(), old.isClosed], [[], true], topicFilter);
    await client.drop();
  }
  const client = await clean(broker, "c");
  assert.deepEqual(await client.unsubscribe("a#"), ["DISCONNECT 0x8F"]);
});

test("shared filters may be of any levels; $share alone is an ordinary topic - 5.0 [MQTT-4.8.2-1], [MQTT-4.8.2-2]", async () => {
  const broker = await MemoryBroker.start();
  const client = await clean(broker, "c");
  assert.deepEqual(await client.subscribe(["$share/g//t", "$share/g/#", "$share"]), [
    "SUBACK 1 0x02 0x02 0x02",
  ]);
  const pub = await clean(broker, "pub");
  await publishAll(pub, "/t", 0, ["x"]);
  assert.equal(client.words().length, 2);
  await publishAll(pub, "$SYS/t", 0, ["no wildcard reaches it"]);
  await publishAll(pub, "$share", 0, ["y"]);
  assert.deepEqual(client.words(), ['PUBLISH $share qos=0 "y"']);
});

test("No Local on a shared subscription is 0x82 - 5.0 [MQTT-3.8.3-4] - attack SHARE-03", async () => {
  const broker = await MemoryBroker.start();
  const client = await clean(broker, "c");
  assert.deepEqual(await client.subscribe({ topicFilter: "$share/g/t", noLocal: true }), ["DISCONNECT 0x82"]);
});

test("features that are switched off have their own codes - 5.0 section 3.9.3", async () => {
  const broker = await MemoryBroker.start({
    limits: {
      wildcardSubscriptionAvailable: false,
      sharedSubscriptionAvailable: false,
      subscriptionIdentifiersAvailable: false,
      maximumQoS: 1,
      subscriptionsPerSession: 1,
    },
  });
  const client = await clean(broker, "c");
  assert.deepEqual(await client.subscribe(["a/+", "$share/g/t"]), ["SUBACK 1 0xA2 0x9E"]);
  assert.deepEqual(await client.subscribe("t", 5), ["SUBACK 2 0xA1"]);
  assert.deepEqual(await client.subscribe("t"), ["SUBACK 3 0x01"]);
  assert.deepEqual(await client.subscribe(["one more", "t"]), ["SUBACK 4 0x97 0x01"]);
});

test("a repeated SUBSCRIBE replaces QoS, identifier and options, and there is still one delivery - 5.0 [MQTT-3.8.4-3]", async () => {
  for (const make of [clean, lasting]) {
    const broker = await MemoryBroker.start();
    const sub = await make(broker, "sub");
    const pub = await clean(broker, "pub");
    await sub.subscribe({ topicFilter: "t", qos: 2 }, 1);
    await publishAll(pub, "t", 2, ["1"]);
    assert.deepEqual(sub.words(), ['PUBLISH 1 t qos=2 dup=0 "1" ids=1']);
    await sub.subscribe({ topicFilter: "t", qos: 1 }, 2);
    await publishAll(pub, "t", 2, ["2"]);
    assert.deepEqual(sub.words(), ['PUBLISH 2 t qos=1 dup=0 "2" ids=2']);
    await sub.subscribe({ topicFilter: "t", qos: 0 });
    await publishAll(pub, "t", 2, ["3"]);
    assert.deepEqual(sub.words(), ['PUBLISH t qos=0 "3"']);
    assert.equal(broker.counters.subscriptions, 1);
  }
});

test("delivery is at the lower of both QoS, for all nine pairs - 5.0 [MQTT-3.8.4-8], 3.1.1 [MQTT-3.8.4-6]", async () => {
  for (const make of [clean, lasting]) {
    const broker = await MemoryBroker.start();
    const pub = await clean(broker, "pub");
    for (const granted of [0, 1, 2] as const) {
      const sub = await make(broker, `sub${granted}`);
      await sub.subscribe({ topicFilter: "t", qos: granted });
      for (const published of [0, 1, 2] as const) {
        await publishAll(pub, "t", published, ["x"]);
        assert.match(sub.words().join(), new RegExp(` t qos=${Math.min(granted, published)} `));
      }
    }
  }
});

test("overlapping filters of a clean session: one copy, highest QoS, all identifiers, own ones only - 5.0 [MQTT-3.3.4-2], [MQTT-3.3.4-5]", async () => {
  const broker = await MemoryBroker.start();
  const sub = await clean(broker, "sub");
  await sub.subscribe({ topicFilter: "a/b", qos: 1 }, 1);
  await sub.subscribe({ topicFilter: "a/+", qos: 2 }, 2);
  const other = await clean(broker, "other");
  await other.subscribe("#", 3);
  const pub = await clean(broker, "pub");
  await publishAll(pub, "a/b", 2, ["x"]);
  const words = sub.words();
  assert.equal(words.length, 1);
  assert.match(words[0] ?? "", /qos=2 dup=0 "x" ids=(1,2|2,1)$/);
  assert.deepEqual(other.words(), ['PUBLISH 1 a/b qos=2 dup=0 "x" ids=3']);
});

test("a publication behind SUBACK matches, one behind UNSUBACK does not - 5.0 [MQTT-3.10.4-2]", async () => {
  const broker = await MemoryBroker.start();
  const sub = await clean(broker, "sub");
  const pub = await clean(broker, "pub");
  for (let round = 0; round < 3; round++) {
    await sub.subscribe("t");
    await publishAll(pub, "t", 0, ["in"]);
    assert.deepEqual(sub.words(), ['PUBLISH t qos=0 "in"']);
    await sub.unsubscribe("t");
    await publishAll(pub, "t", 0, ["out"]);
    assert.deepEqual(sub.words(), []);
  }
  assert.equal(broker.counters.subscriptions, 0);
});

test("a slow subscribe hook holds back its client only, and says nothing to one that is gone", async () => {
  const waiting: (() => void)[] = [];
  const broker = await MemoryBroker.start({
    hooks: { subscribe: () => new Promise((resolve) => waiting.push(() => resolve(undefined))) },
  });
  const slow = await clean(broker, "slow");
  const gone = await clean(broker, "gone");
  slow.sendSubscribe(["t"]);
  gone.sendSubscribe(["t"]);
  assert.deepEqual(await slow.ping(), []);
  assert.deepEqual(await (await clean(broker, "other")).ping(), ["PINGRESP"]);
  await gone.drop();
  for (const go of waiting) go();
  await broker.settle();
  assert.deepEqual(slow.words(), ["SUBACK 1 0x02", "PINGRESP"]);
  assert.deepEqual(gone.words(), []);
  assert.equal(broker.counters.subscriptions, 1);
});

test("a topic that was published before is matched anew after each change, of its own filter or of a wildcard", async () => {
  const broker = await MemoryBroker.start();
  const pub = await clean(broker, "pub");
  const sub = await clean(broker, "sub");
  const stays = await lasting(broker, "stays");
  let count = 0;
  const isDelivered = async (): Promise<boolean> => {
    await publishAll(pub, "a/b", 0, [`${++count}`]);
    return sub.words().length === 1;
  };
  assert.equal(await isDelivered(), false);
  await sub.subscribe("a/b");
  assert.equal(await isDelivered(), true);
  await sub.unsubscribe("a/b");
  assert.equal(await isDelivered(), false);
  await sub.subscribe("a/+");
  assert.equal(await isDelivered(), true);
  await sub.unsubscribe("a/+");
  assert.equal(await isDelivered(), false);
  await sub.subscribe("$share/g/a/b");
  assert.equal(await isDelivered(), true);
  await sub.unsubscribe("$share/g/a/b");
  assert.equal(await isDelivered(), false);

  await stays.subscribe("a/b");
  await publishAll(pub, "a/b", 0, ["here"]);
  assert.equal(stays.words().length, 1);
  await stays.drop();
  await publishAll(pub, "a/b", 1, ["kept"]);
  const back = await resume(broker, "stays");
  assert.deepEqual(back.words.slice(1), ['PUBLISH 1 a/b qos=1 dup=0 "kept"']);
  await publishAll(pub, "a/b", 0, ["again"]);
  assert.deepEqual(back.client.words(), ['PUBLISH a/b qos=0 "again"']);
});
