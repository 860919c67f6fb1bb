// What a broker finds after the process died, on the same store.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type Damage,
  type DamagedBlock,
  MemoryStore,
  type Store,
  StoreBatch,
  type StoredBlock,
  StoreError,
  type Table,
} from "@heirloom/core";
import { MemoryBroker } from "@heirloom/core/testing";
import { clean, lasting, publishAll, resume, storeThatReads } from "./support.ts";

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

test("tells once what the store finds broken, at its opening and later", async () => {
  const broker = await MemoryBroker.start();
  const damage = broker.disk.store.damage as Damage[];
  damage.push({ place: "log 1", reason: "not readable" });
  await broker.restart();
  assert.deepEqual(broker.eventsOf("damaged"), damage);
  damage.push({ place: "log 2", reason: "not readable", setAside: "a copy" });
  await broker.advance(3);
  assert.deepEqual(broker.eventsOf("damaged"), damage);
});

/** A store that lost the blocks of logs from one index on, up to another. */
function storeWithHole(store: MemoryStore, from: number, to: number): Store {
  const isKept = (block: StoredBlock | DamagedBlock): boolean =>
    block.lastIndex < from || block.firstIndex >= to;
  return storeThatReads(store, async (logId, fromIndex) =>
    (await store.readLog(logId, fromIndex, 1_000_000)).filter(isKept),
  );
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

test("a number of a subscription that is gone is not given to another, whose messages would count as read", async () => {
  const broker = await MemoryBroker.start();
  const sub = await lasting(broker, "sub");
  await sub.subscribe({ topicFilter: "a", qos: 1 });
  await publishAll(await clean(broker, "pub"), "a", 1, ["1", "2", "3", "4"]);
  for (let packetId = 1; packetId <= 4; packetId++) await sub.puback(packetId);
  await broker.advance(1);
  await sub.unsubscribe("a");
  await broker.restart();
  const { client } = await resume(broker, "sub");
  await client.subscribe({ topicFilter: "b", qos: 1 });
  await client.drop();
  await publishAll(await clean(broker, "pub"), "b", 1, ["5", "6"]);
  await broker.restart();
  assert.deepEqual((await resume(broker, "sub")).words, [
    "CONNACK 0x00 present=1",
    'PUBLISH 5 b qos=1 dup=0 "5"',
    'PUBLISH 6 b qos=1 dup=0 "6"',
  ]);
});

/** Damages one record: it is there and says nothing. */
async function damage(broker: MemoryBroker, table: Table, key: string): Promise<void> {
  const batch = new StoreBatch();
  batch.put(table, key, Uint8Array.of());
  await broker.disk.store.commit(batch);
}

test("what is left of a session whose record is damaged never becomes another's", async () => {
  const broker = await MemoryBroker.start();
  await lasting(broker, "victim").then((victim) => victim.subscribe(["one", "two"]));
  await damage(broker, "session", "victim");
  await broker.restart();
  await lasting(broker, "other").then((other) => other.subscribe("mine"));
  await broker.restart();
  const { client } = await resume(broker, "other");
  await publishAll(await clean(broker, "pub"), "two", 1, ["for the victim"]);
  assert.deepEqual(client.words(), []);
});

test("a log whose record is damaged is made again from the subscriptions that read it, and keeps its number", async () => {
  const broker = await MemoryBroker.start();
  const sub = await lasting(broker, "sub");
  await sub.subscribe({ topicFilter: "t", qos: 1 });
  await sub.drop();
  await publishAll(await clean(broker, "pub"), "t", 1, ["1", "2"]);
  await damage(broker, "log", "1");
  await broker.restart();
  assert.equal(broker.eventsOf("damaged").length, 1);
  const other = await lasting(broker, "other");
  await other.subscribe({ topicFilter: "u", qos: 1 });
  await publishAll(await clean(broker, "pub"), "t", 1, ["3"]);
  await broker.restart();
  assert.equal(broker.eventsOf("damaged").length, 1);
  assert.deepEqual((await resume(broker, "sub")).words, [
    "CONNACK 0x00 present=1",
    'PUBLISH 1 t qos=1 dup=0 "1"',
    'PUBLISH 2 t qos=1 dup=0 "2"',
    'PUBLISH 3 t qos=1 dup=0 "3"',
  ]);
  assert.deepEqual((await resume(broker, "other")).words, ["CONNACK 0x00 present=1"]);
});

test("the deliveries of other subscriptions are taken up when the record of one is damaged", async () => {
  const broker = await MemoryBroker.start();
  const sub = await lasting(broker, "sub");
  await sub.subscribe([
    { topicFilter: "a", qos: 1 },
    { topicFilter: "b", qos: 1 },
  ]);
  const pub = await clean(broker, "pub");
  await publishAll(pub, "a", 1, ["1"]);
  await publishAll(pub, "b", 1, ["2"]);
  await damage(broker, "subscription", "1/1");
  await broker.restart();
  assert.deepEqual((await resume(broker, "sub")).words, [
    "CONNACK 0x00 present=1",
    'PUBLISH 2 b qos=1 dup=1 "2"',
  ]);
});

test("a shared group whose record is damaged keeps what comes from then on for its lasting members", async () => {
  const broker = await MemoryBroker.start();
  await lasting(broker, "sub").then((sub) => sub.subscribe({ topicFilter: "$share/g/t", qos: 1 }));
  await damage(broker, "group", "$share/g/t");
  for (const payload of ["1", "2"]) {
    await broker.restart();
    await publishAll(await clean(broker, "pub"), "t", 1, [payload]);
  }
  assert.deepEqual((await resume(broker, "sub")).words, [
    "CONNACK 0x00 present=1",
    'PUBLISH 1 t qos=1 dup=0 "1"',
    'PUBLISH 2 t qos=1 dup=0 "2"',
  ]);
});

test("a store that waits for space to be readable again stops nothing: what waits there is sent later", async () => {
  const store = new MemoryStore();
  let isFull = false;
  const broker = await MemoryBroker.start({
    store: storeThatReads(store, async (...what) => {
      if (isFull) throw new StoreError("STORE_FULL", "no space, by order of the test");
      return store.readLog(...what);
    }),
  });
  await lasting(broker, "sub").then((sub) => sub.subscribe({ topicFilter: "t", qos: 1 }));
  await publishAll(await clean(broker, "pub"), "t", 1, ["1"]);
  await broker.restart();
  isFull = true;
  const { client, words } = await resume(broker, "sub");
  await broker.advance(3);
  assert.equal(broker.failure, undefined);
  assert.deepEqual([...words, ...client.words()], ["CONNACK 0x00 present=1"]);
  isFull = false;
  await broker.advance(1);
  assert.deepEqual(client.words(), ['PUBLISH 1 t qos=1 dup=1 "1"']);
});
