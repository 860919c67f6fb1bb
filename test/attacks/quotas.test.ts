// Acknowledgements that fit nothing, and more messages than may be open: quotas hold, memory stays bounded, others are served.

import assert from "node:assert/strict";
import { test } from "node:test";
import { PacketType } from "@heirloom/codec";
import { MemoryBroker } from "@heirloom/core/testing";
import { connected, VERSIONS } from "./src/raw.ts";

const LASTING = { cleanStart: false, properties: { sessionExpiryInterval: 3_600 } } as const;

/** A session that takes what is published to "t" when it is back, so that all of it has to be stored. */
async function leaveSubscriber(broker: MemoryBroker): Promise<void> {
  const sub = broker.client("sub");
  await sub.connect(LASTING);
  await sub.subscribe("t");
  await sub.drop();
}

test("acknowledgements of a publisher that fit nothing make no room in the Receive Maximum - attack STATE-05, attack STATE-08", async () => {
  const broker = await MemoryBroker.start({ limits: { receiveMaximum: 2 } });
  const other = await connected(broker, "other");
  for (const first of [[], [1, 2]]) {
    const pub = await connected(broker, "pub");
    for (const packetId of first) await pub.publish({ topicName: "t", qos: 2, packetId });
    for (let packetId = 10; packetId < 20; packetId++)
      assert.deepEqual(await pub.pubrel(packetId), [`PUBCOMP ${packetId} 0x92`]);
    // These go with what the broker sends, and it has sent nothing.
    for (const packetId of [1, 2]) {
      assert.deepEqual(await pub.puback(packetId), []);
      assert.deepEqual(await pub.pubcomp(packetId), []);
      assert.deepEqual(await pub.pubrec(packetId), [`PUBREL ${packetId} 0x92`]);
    }
    // One that was released twice made room once.
    await pub.publish({ topicName: "t", qos: 2, packetId: 1, dup: first.length > 0 });
    assert.deepEqual([await pub.pubrel(1), await pub.pubrel(1)], [["PUBCOMP 1"], ["PUBCOMP 1 0x92"]]);
    for (let packetId = 3; packetId <= (first.length > 0 ? 3 : 4); packetId++)
      assert.deepEqual(await pub.publish({ topicName: "t", qos: 2, packetId }), [`PUBREC ${packetId} 0x10`]);
    assert.deepEqual(await pub.publish({ topicName: "t", qos: 2, packetId: 9 }), ["DISCONNECT 0x93"]);
    assert.ok(pub.isClosed);
    assert.deepEqual(await other.ping(), ["PINGRESP"]);
  }
});

test("one message more than the Receive Maximum is 0x93 also while the disk is slow, and is not taken - attack STATE-07", async () => {
  const broker = await MemoryBroker.start({ limits: { receiveMaximum: 10 } });
  await leaveSubscriber(broker);
  const other = await connected(broker, "other");
  const pub = broker.client("pub");
  await pub.connect(LASTING);
  pub.take();
  broker.disk.state = "slow";
  for (let packetId = 1; packetId <= 15; packetId++)
    pub.sendPublish({ topicName: "t", qos: 2, packetId, payload: `${packetId}` });
  await broker.settle();
  assert.deepEqual(await other.publish({ topicName: "elsewhere", qos: 1 }), ["PUBACK 1 0x10"]);
  broker.disk.state = "ok";
  await broker.settle();
  const words = pub.words();
  assert.deepEqual([words.length, words.at(-1), pub.isClosed], [11, "DISCONNECT 0x93", true]);
  assert.equal(broker.broker.sessionInfo("sub")?.waitingMessages, 10);
});

test("a client of 3.x has as many QoS 2 messages open as there are identifiers, and memory for no more - attack STATE-07", async () => {
  const broker = await MemoryBroker.start({ limits: { receiveMaximum: 10 } });
  const client = await connected(broker, "c", 4);
  for (let packetId = 1; packetId <= 65_535; packetId++) {
    client.sendPublish({ topicName: "t", qos: 2, packetId, payload: "x" });
    if (packetId % 4_096 === 0) await broker.settle();
  }
  await broker.settle();
  assert.equal(client.take().length, 65_535);
  assert.equal(client.isClosed, false);
  for (let packetId = 1; packetId <= 100; packetId++) {
    assert.deepEqual(await client.publish({ topicName: "t", qos: 2, packetId }), [`PUBREC ${packetId}`]);
  }
});

for (const version of VERSIONS) {
  test(`a client of version ${version} is not read while too much of its QoS 1 waits for the disk - attack STATE-07`, async () => {
    const broker = await MemoryBroker.start({ limits: { unsavedBytes: 10_000 } });
    await leaveSubscriber(broker);
    const other = await connected(broker, "other");
    const pub = await connected(broker, "pub", version);
    broker.disk.state = "slow";
    let sent = 0;
    while (!pub.transport.isPaused && sent < 1_000) {
      pub.sendPublish({ topicName: "t", qos: 1, packetId: ++sent, payload: "x".repeat(1_000) });
      await broker.settle();
    }
    assert.ok(sent < 20, `${sent} were read`);
    assert.ok(broker.counters.unsavedBytes < 20_000, `${broker.counters.unsavedBytes} bytes`);
    assert.deepEqual([pub.words(), pub.isClosed], [[], false]);
    assert.deepEqual(await other.publish({ topicName: "elsewhere", qos: 1 }), ["PUBACK 1 0x10"]);
    broker.disk.state = "ok";
    await broker.settle();
    const acknowledged = pub.take().map((packet) => packet.type === PacketType.PUBACK && packet.packetId);
    assert.deepEqual(
      acknowledged,
      Array.from({ length: sent }, (_, index) => index + 1),
    );
    assert.equal(pub.transport.isPaused, false);
  });
}

test("a PUBLISH that is repeated without end is stored once, and written once - attack QOS-04", async () => {
  for (const version of VERSIONS) {
    const broker = await MemoryBroker.start();
    await leaveSubscriber(broker);
    const pub = broker.client("pub", version);
    await pub.connect(version === 5 ? LASTING : { cleanStart: false });
    await pub.publish({ topicName: "t", qos: 2, packetId: 7, payload: "x" });
    await broker.advance(1);
    const { batches, delivered } = broker.counters;
    for (let round = 0; round < 100; round++) {
      for (let count = 0; count < 100; count++)
        pub.sendPublish({ topicName: "t", qos: 2, packetId: 7, dup: true, payload: "x" });
      await broker.settle();
      assert.equal(pub.take().length, 100, "each is answered with PUBREC");
    }
    const after = broker.counters;
    assert.deepEqual([after.batches, after.delivered, after.unsavedBytes], [batches, delivered, 0]);
    assert.equal(broker.broker.sessionInfo("sub")?.waitingMessages, 1);
    assert.equal(pub.isClosed, false);
  }
});
