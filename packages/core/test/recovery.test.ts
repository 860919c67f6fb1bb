// What a broker finds after the process died, on the same store.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type DamagedBlock, MemoryStore, type Store, StoreBatch, type StoredBlock } from "@heirloom/core";
import { MemoryBroker } from "@heirloom/core/testing";
import { clean, lasting, publishAll, resume } from "./support.ts";

test("subscriptions stand with all their options - 5.0 [MQTT-4.1.0-1]", async () => {
  const broker = await MemoryBroker.start();
  const sub = await lasting(broker, "sub");
  await sub.subscribe({ topicFilter: "a", qos: 1, retainAsPublished: true }, 268_435_455);
  await sub.subscribe({ topicFilter: "b", qos: 2, noLocal: true });
  await sub.subscribe({ topicFilter: "c", qos: 0 }, 3);
  await sub.subscribe({ topicFilter: "gone", qos: 1 });
  await sub.unsubscribe("gone");
  await broker.restart();
  assert.equal(broker.counters.subscriptions, 3);
  const { client } = await resume(broker, "sub");
  const pub = await clean(broker, "pub");
  for (const topicName of ["a", "b", "c", "gone"]) {
    await pub.publish({ topicName, qos: 2, retain: true, payload: "x" });
  }
  assert.deepEqual(client.words(), [
    'PUBLISH 1 a qos=1 dup=0 retain=1 "x" ids=268435455',
    'PUBLISH 2 b qos=2 dup=0 "x"',
    'PUBLISH c qos=0 "x" ids=3',
  ]);
  assert.deepEqual(await client.publish({ topicName: "b", qos: 1 }), ["PUBACK 1"]);
});

test("numbers go on: sessions, logs and packet identifiers of before are not given again", async () => {
  const broker = await MemoryBroker.start();
  const sub = await lasting(broker, "sub");
  await sub.subscribe("a");
  const pub = await clean(broker, "pub");
  await publishAll(pub, "a", 1, ["1", "2"]);
  await sub.puback(1);
  await sub.puback(2);
  await broker.advance(1);
  await broker.restart();
  const { client } = await resume(broker, "sub");
  await client.subscribe("b");
  await lasting(broker, "other");
  await publishAll(await clean(broker, "pub"), "b", 1, ["3"]);
  assert.deepEqual(client.words(), ['PUBLISH 3 b qos=1 dup=0 "3"']);
  await broker.restart();
  assert.deepEqual((await resume(broker, "sub")).words, [
    "CONNACK 0x00 present=1",
    'PUBLISH 3 b qos=1 dup=1 "3"',
  ]);
  assert.deepEqual((await resume(broker, "other")).words, ["CONNACK 0x00 present=1"]);
});

test("one session's progress is its own: another on the same filter still has everything", async () => {
  const broker = await MemoryBroker.start();
  const fast = await lasting(broker, "fast");
  await fast.subscribe("t");
  const slow = await lasting(broker, "slow");
  await slow.subscribe("t");
  await slow.drop();
  const pub = await clean(broker, "pub");
  await publishAll(pub, "t", 1, ["1", "2"]);
  await fast.puback(1);
  await fast.puback(2);
  await broker.advance(2);
  await broker.restart();
  assert.deepEqual((await resume(broker, "fast")).words, ["CONNACK 0x00 present=1"]);
  assert.deepEqual((await resume(broker, "slow")).words, [
    "CONNACK 0x00 present=1",
    'PUBLISH 1 t qos=1 dup=0 "1"',
    'PUBLISH 2 t qos=1 dup=0 "2"',
  ]);
});

test("what was acknowledged is there; what waited for the disk when the power went is not, and was not acknowledged", async () => {
  const broker = await MemoryBroker.start();
  const sub = await lasting(broker, "sub");
  await sub.subscribe("t");
  await sub.drop();
  const pub = await clean(broker, "pub");
  assert.deepEqual(await pub.publish({ topicName: "t", qos: 1, payload: "safe" }), ["PUBACK 1"]);
  broker.disk.state = "slow";
  assert.deepEqual(await pub.publish({ topicName: "t", qos: 1, payload: "lost" }), []);
  await broker.restart();
  assert.deepEqual((await resume(broker, "sub")).words, [
    "CONNACK 0x00 present=1",
    'PUBLISH 1 t qos=1 dup=0 "safe"',
  ]);
});

test("a queue of many blocks is read back page by page, in order", async () => {
  const broker = await MemoryBroker.start();
  const sub = await lasting(broker, "sub");
  await sub.subscribe(["t", "+"]);
  await sub.drop();
  const pub = await clean(broker, "pub");
  const count = 500;
  for (let number = 0; number < count; number++) {
    pub.sendPublish({ topicName: "t", qos: 1, packetId: 1, payload: `${number} `.padEnd(1000, "x") });
    if (number % 40 === 0) await broker.settle();
  }
  await broker.settle();
  await broker.restart();
  const { client, words } = await resume(broker, "sub", { properties: { receiveMaximum: 65_535 } });
  assert.equal(words.length - 1 + client.words().length, count);
  await broker.restart();
  const { words: again } = await resume(broker, "sub");
  assert.deepEqual(
    again.slice(1).map((line) => Number(line.split(" ")[1])),
    Array.from({ length: count }, (_, index) => index + 1),
  );
});

test("a queue is emptied over several restarts without a gap or a repetition", async () => {
  const broker = await MemoryBroker.start();
  const sub = await lasting(broker, "sub");
  await sub.subscribe("t");
  await sub.drop();
  const pub = await clean(broker, "pub");
  const payloads = Array.from({ length: 30 }, (_, index) => `${index}`);
  await publishAll(pub, "t", 1, payloads);
  const got: string[] = [];
  for (let round = 0; round < 10; round++) {
    const { client, words } = await resume(broker, "sub", { properties: { receiveMaximum: 3 } });
    for (const line of words.slice(1)) {
      got.push(/"(\d+)"/.exec(line)?.[1] ?? "");
      client.send({ type: 4, packetId: Number(line.split(" ")[1]), reasonCode: 0 });
    }
    await client.disconnect();
    await broker.advance(1);
    await broker.restart();
  }
  assert.deepEqual(got, payloads);
  await broker.advance(2);
});

test("publishes and acknowledges as before after each of many restarts, although logs were trimmed to nothing", async () => {
  const broker = await MemoryBroker.start();
  await lasting(broker, "sub").then((sub) => sub.subscribe("t"));
  for (let round = 1; round <= 5; round++) {
    await broker.restart();
    const { client } = await resume(broker, "sub");
    await publishAll(await clean(broker, "pub"), "t", 2, [`${round}`]);
    assert.deepEqual(client.words(), [`PUBLISH ${round} t qos=2 dup=0 "${round}"`]);
    assert.deepEqual(await client.pubrec(round), [`PUBREL ${round}`]);
    await client.pubcomp(round);
    await broker.advance(3);
  }
});

test("reports records that it cannot understand, and goes on with the rest", async () => {
  const broker = await MemoryBroker.start();
  await lasting(broker, "good").then((client) => client.subscribe("t"));
  const batch = new StoreBatch();
  batch.put("session", "bad", Uint8Array.of(99));
  batch.put("subscription", "77/1", Uint8Array.of(1, 0, 1));
  batch.put("retained", "x", Uint8Array.of(0, 0));
  await broker.disk.store.commit(batch);
  await broker.restart();
  assert.equal(broker.eventsOf("damaged").length, 3);
  assert.deepEqual((await resume(broker, "good")).words, ["CONNACK 0x00 present=1"]);
});

/** A store that lost the blocks of logs from one index on, up to another. */
function storeWithHole(store: MemoryStore, from: number, to: number): Store {
  const isKept = (block: StoredBlock | DamagedBlock): boolean =>
    block.lastIndex < from || block.firstIndex >= to;
  return new Proxy(store, {
    get(target, name) {
      if (name === "readLog") {
        return async (...args: Parameters<Store["readLog"]>) =>
          (await target.readLog(args[0], args[1], 1_000_000)).filter(isKept);
      }
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

test("entries that the store cannot give back are counted and reported, and the rest is delivered", async () => {
  const store = new MemoryStore();
  const broker = await MemoryBroker.start({ store: storeWithHole(store, 2, 4) });
  const sub = await lasting(broker, "sub");
  await sub.subscribe("t");
  await sub.drop();
  const pub = await clean(broker, "pub");
  await publishAll(pub, "t", 1, ["0", "1", "2", "3", "4"]);
  await broker.restart();
  assert.deepEqual((await resume(broker, "sub")).words, [
    "CONNACK 0x00 present=1",
    'PUBLISH 1 t qos=1 dup=0 "0"',
    'PUBLISH 2 t qos=1 dup=0 "1"',
    'PUBLISH 3 t qos=1 dup=0 "4"',
  ]);
  assert.equal(broker.counters.damagedEntries, 2);
  assert.equal(broker.eventsOf("damaged").length, 1);
});

test("a delivery in flight whose message is not readable any more is given up, counted and reported", async () => {
  const store = new MemoryStore();
  const broker = await MemoryBroker.start({ store: storeWithHole(store, 1, 2) });
  const sub = await lasting(broker, "sub");
  await sub.subscribe("t");
  const pub = await clean(broker, "pub");
  await publishAll(pub, "t", 1, ["0", "1", "2"]);
  await broker.restart();
  assert.deepEqual((await resume(broker, "sub")).words, [
    "CONNACK 0x00 present=1",
    'PUBLISH 1 t qos=1 dup=1 "0"',
    'PUBLISH 3 t qos=1 dup=1 "2"',
  ]);
  assert.equal(broker.counters.damagedEntries, 1);
  assert.equal(broker.eventsOf("damaged").length, 1);
});
