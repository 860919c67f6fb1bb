// What is on disk before what is sent; what happens when the disk is slow, full or broken; how a broker stops.

import assert from "node:assert/strict";
import { test } from "node:test";
import { PacketType } from "@heirloom/codec";
import { MemoryBroker, MemoryDisk } from "@heirloom/core/testing";
import { clean, lasting, publishAll, resume } from "./support.ts";

/** A broker with one offline lasting subscriber on `t` and a publisher. */
async function brokerWithQueue(): Promise<{
  broker: MemoryBroker;
  pub: Awaited<ReturnType<typeof clean>>;
}> {
  const broker = await MemoryBroker.start();
  const sub = await lasting(broker, "sub");
  await sub.subscribe("t");
  await sub.drop();
  return { broker, pub: await clean(broker, "pub") };
}

test("PUBACK and PUBREC wait for the disk; what nobody has to keep does not - attack QOS-02", async () => {
  const { broker, pub } = await brokerWithQueue();
  broker.disk.state = "slow";
  assert.deepEqual(await pub.publish({ topicName: "for nobody", qos: 1, packetId: 1 }), ["PUBACK 1 0x10"]);
  assert.deepEqual(await pub.publish({ topicName: "t", qos: 1, packetId: 2 }), []);
  // Behind it in order.
  assert.deepEqual(await pub.publish({ topicName: "for nobody", qos: 1, packetId: 3 }), []);
  const other = await clean(broker, "other");
  assert.deepEqual(await other.publish({ topicName: "r", qos: 1, retain: true, payload: "x" }), []);
  broker.disk.state = "ok";
  await broker.settle();
  assert.deepEqual(pub.words(), ["PUBACK 2", "PUBACK 3 0x10"]);
  assert.deepEqual(other.words(), ["PUBACK 1 0x10"]);
});

test("a QoS 2 message and its packet identifier are one batch, and before that neither PUBREC nor any delivery goes out - 5.0 [MQTT-4.3.3-10] - attack QOS-02", async () => {
  for (const isCrash of [false, true]) {
    const disk = new MemoryDisk();
    const broker = await MemoryBroker.start({ disk });
    const sub = await lasting(broker, "sub");
    await sub.subscribe("t");
    const watchers = [];
    for (const qos of [0, 1, 2] as const) {
      const watcher = await clean(broker, `watcher ${qos}`);
      await watcher.subscribe({ topicFilter: "t", qos });
      watcher.take();
      watchers.push(watcher);
    }
    const pub = await lasting(broker, "pub");
    const { batches } = broker.counters;
    disk.state = "slow";
    const message = { topicName: "t", qos: 2, packetId: 7, payload: "x" } as const;
    assert.deepEqual(await pub.publish(message), []);
    // Nor does a repetition get it that comes before the first is on disk.
    assert.deepEqual(await pub.publish({ ...message, dup: true }), []);
    for (const watcher of watchers) assert.deepEqual(watcher.words(), []);
    assert.deepEqual(sub.words(), []);
    if (!isCrash) {
      disk.state = "ok";
      await broker.settle();
      assert.deepEqual(pub.words(), ["PUBREC 7", "PUBREC 7"]);
      for (const watcher of watchers) assert.equal(watcher.take().length, 1);
      assert.equal(broker.counters.batches, batches + 1);
    }
    await broker.restart();
    const back = (await resume(broker, "pub")).client;
    assert.deepEqual(await back.publish({ ...message, dup: true }), ["PUBREC 7"]);
    const { words } = await resume(broker, "sub");
    assert.deepEqual(words, ["CONNACK 0x00 present=1", `PUBLISH 1 t qos=2 dup=${isCrash ? 0 : 1} "x"`]);
  }
});

test("CONNACK, SUBACK and UNSUBACK of a lasting session wait for the disk; those of a clean one do not", async () => {
  const broker = await MemoryBroker.start();
  const temporary = await clean(broker, "temporary");
  const known = await lasting(broker, "known");
  broker.disk.state = "slow";
  const fresh = broker.client("fresh");
  assert.deepEqual(await fresh.connect({ properties: { sessionExpiryInterval: 9 } }), []);
  assert.deepEqual(await known.subscribe("t"), []);
  assert.deepEqual(await known.unsubscribe("t"), []);
  assert.deepEqual(await temporary.subscribe("t"), ["SUBACK 1 0x02"]);
  broker.disk.state = "ok";
  await broker.settle();
  assert.deepEqual(fresh.words(), ["CONNACK 0x00 present=0"]);
  assert.deepEqual(known.words(), ["SUBACK 1 0x02", "UNSUBACK 2 0x00"]);
});

test("a delivery to a lasting session waits until its packet identifier is on disk, PUBREL until PUBREC is - attack QOS-03", async () => {
  const broker = await MemoryBroker.start();
  const sub = await lasting(broker, "sub");
  await sub.subscribe("t");
  const pub = await clean(broker, "pub");
  broker.disk.state = "slow";
  await pub.publish({ topicName: "t", qos: 2, payload: "x" });
  assert.deepEqual(sub.words(), []);
  broker.disk.state = "ok";
  await broker.settle();
  assert.deepEqual(sub.words(), ['PUBLISH 1 t qos=2 dup=0 "x"']);
  broker.disk.state = "slow";
  assert.deepEqual(await sub.pubrec(1), []);
  broker.disk.state = "ok";
  await broker.settle();
  assert.deepEqual(sub.words(), ["PUBREL 1"]);
});

test("everything that came in while a commit ran goes to the store as one batch", async () => {
  const batches: number[] = [];
  const disk = new MemoryDisk((batch, moment) => {
    if (moment === "commit") batches.push(batch.blocks.length);
  });
  const broker = await MemoryBroker.start({ disk });
  const sub = await lasting(broker, "sub");
  await sub.subscribe("t");
  await sub.drop();
  await broker.advance(1);
  const pub = await clean(broker, "pub");
  disk.state = "slow";
  batches.length = 0;
  for (let count = 0; count < 100; count++) {
    pub.sendPublish({ topicName: "t", qos: 1 });
    if (count % 10 === 0) await broker.settle();
  }
  disk.state = "ok";
  await broker.settle();
  assert.equal(pub.words().length, 100);
  assert.deepEqual(batches, [1, 1]);
});

test("a change that nobody waits for is on disk within 50 ms, also behind a slow commit, and asks for no turns meanwhile", async () => {
  const { broker, pub } = await brokerWithQueue();
  await publishAll(pub, "t", 1, ["x"]);
  const { client } = await resume(broker, "sub");
  await broker.advance(1);
  const before = broker.counters.batches;
  broker.disk.state = "slow";
  await pub.publish({ topicName: "t", qos: 1 });
  await client.puback(1);
  broker.disk.state = "ok";
  await broker.settle();
  client.take();
  await client.puback(2);
  const turns = broker.counters.turns;
  await broker.settle();
  assert.ok(broker.counters.turns - turns <= 2);
  await broker.advance(0.05);
  assert.ok(broker.counters.batches > before);
  await broker.restart();
  assert.deepEqual((await resume(broker, "sub")).words, ["CONNACK 0x00 present=1"]);
});

test("a full disk refuses with 0x97 what has to be stored, serves the rest, and recovers by itself - attack QOS-06", async () => {
  const { broker, pub } = await brokerWithQueue();
  broker.disk.state = "full";
  assert.deepEqual(await pub.publish({ topicName: "t", qos: 1, payload: "held" }), []);
  const other = await clean(broker, "other");
  assert.deepEqual(await other.publish({ topicName: "t", qos: 1 }), ["PUBACK 1 0x97"]);
  assert.deepEqual(await other.publish({ topicName: "t", qos: 2 }), ["PUBREC 2 0x97"]);
  assert.deepEqual(await other.publish({ topicName: "r", qos: 1, retain: true, payload: "x" }), [
    "PUBACK 3 0x97",
  ]);
  assert.deepEqual(await other.publish({ topicName: "elsewhere", qos: 1 }), ["PUBACK 4 0x10"]);
  const old = await clean(broker, "old", {}, 4);
  await old.publish({ topicName: "t", qos: 1 });
  assert.deepEqual([old.words(), old.isClosed], [[], true]);
  await broker.advance(5);
  assert.deepEqual(pub.words(), []);
  broker.disk.state = "ok";
  await broker.advance(1);
  assert.deepEqual(pub.words(), ["PUBACK 1"]);
  assert.deepEqual(await other.publish({ topicName: "t", qos: 1, payload: "after" }), ["PUBACK 5"]);
  assert.deepEqual(broker.eventsOf("storeFull"), [{ full: true }, { full: false }]);
  await broker.restart();
  assert.deepEqual((await resume(broker, "sub")).words, [
    "CONNACK 0x00 present=1",
    'PUBLISH 1 t qos=1 dup=0 "held"',
    'PUBLISH 2 t qos=1 dup=0 "after"',
  ]);
});

test("a broken disk ends everything: nothing is acknowledged any more, and the process is told to stop - attack QOS-06", async () => {
  const { broker, pub } = await brokerWithQueue();
  broker.disk.state = "broken";
  assert.deepEqual(await pub.publish({ topicName: "t", qos: 1 }), []);
  assert.equal(broker.failure?.message, "the disk broke, by order of the test");
  broker.disk.state = "ok";
  await broker.advance(10);
  assert.deepEqual(pub.words(), []);
  await broker.stop();
});

test("stops in good order while a commit runs: what it acknowledges is on disk", async () => {
  const { broker, pub } = await brokerWithQueue();
  broker.disk.state = "slow";
  await pub.publish({ topicName: "t", qos: 1, payload: "1" });
  pub.sendPublish({ topicName: "t", qos: 1, payload: "2" });
  const stopping = broker.stop();
  await broker.settle();
  assert.deepEqual(pub.words(), []);
  broker.disk.state = "ok";
  await stopping;
  assert.deepEqual(pub.words(), ["PUBACK 1", "PUBACK 2", "DISCONNECT 0x8B"]);
  await broker.restart();
  assert.deepEqual((await resume(broker, "sub")).words, [
    "CONNACK 0x00 present=1",
    'PUBLISH 1 t qos=1 dup=0 "1"',
    'PUBLISH 2 t qos=1 dup=0 "2"',
  ]);
});

test("stops although the disk is full, and acknowledges nothing that is not on it", async () => {
  const { broker, pub } = await brokerWithQueue();
  broker.disk.state = "full";
  await pub.publish({ topicName: "t", qos: 1 });
  await broker.stop();
  assert.deepEqual(pub.words(), []);
});

test("stops while a client is being authenticated", async () => {
  const broker = await MemoryBroker.start({ hooks: { connect: () => new Promise(() => undefined) } });
  const client = broker.client("c");
  await client.connect();
  await broker.stop();
  assert.deepEqual(client.words(), ["CONNACK 0x88 present=0"]);
  assert.equal(client.isClosed, true);
});

test("writes once to each connection in a turn, however much there is", async () => {
  const broker = await MemoryBroker.start();
  const sub = await clean(broker, "sub");
  await sub.subscribe({ topicFilter: "t", qos: 0 });
  const pub = await clean(broker, "pub");
  await broker.settle();
  const before = broker.counters.writes;
  for (let count = 0; count < 50; count++) pub.sendPublish({ topicName: "t", payload: `${count}` });
  pub.send({ type: PacketType.PINGREQ });
  await broker.settle();
  assert.equal(sub.words().length, 50);
  assert.deepEqual(pub.words(), ["PINGRESP"]);
  assert.equal(broker.counters.writes - before, 2);
});

test("with a full disk a connection that ends is closed, and gets nothing that is not on disk", async () => {
  const { broker, pub } = await brokerWithQueue();
  const old = await clean(broker, "old", {}, 4);
  // It ended before anybody knew that the disk is full.
  const early = await clean(broker, "early");
  broker.disk.state = "slow";
  await early.publish({ topicName: "t", qos: 1 });
  early.sendPublish({ topicName: "#", qos: 1 });
  await broker.settle();
  assert.equal(early.isClosed, false, "what it was promised may still come");
  broker.disk.state = "full";
  await broker.settle();
  assert.equal(early.isClosed, true);
  assert.deepEqual(early.words(), []);
  // 3.x has no answer but this.
  await old.publish({ topicName: "for nobody", qos: 1 });
  old.take();
  await old.publish({ topicName: "t", qos: 1 });
  assert.equal(old.isClosed, true);
  assert.deepEqual(old.words(), []);
  // One that stays is still served when there is space.
  assert.deepEqual(await pub.publish({ topicName: "t", qos: 1 }), ["PUBACK 1 0x97"]);
  assert.equal(broker.counters.connectionsOpen, 1);
});

test("a connection with an acknowledgement that waits for a full disk is closed with its refused PUBLISH", async () => {
  const { broker } = await brokerWithQueue();
  const old = await clean(broker, "old", {}, 4);
  broker.disk.state = "full";
  await old.publish({ topicName: "t", qos: 1 });
  await old.publish({ topicName: "t", qos: 1 });
  assert.equal(old.isClosed, true);
  assert.deepEqual(old.words(), []);
});

test("publish() of the application is rejected when the broker stops before the message is on a full disk", async () => {
  const { broker } = await brokerWithQueue();
  broker.disk.state = "full";
  const published = broker.broker.publish({ topicName: "t", payload: new Uint8Array(1), qos: 1 });
  const rejected = assert.rejects(published, { code: "STORE_FULL", message: /stopped/ });
  await broker.settle();
  await broker.stop();
  await rejected;
});
