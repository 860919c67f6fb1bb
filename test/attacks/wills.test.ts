// Wills of clients that lose their right, are sent away, come back clean, or ask for more than they may have.

import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryBroker, type TestClient } from "@heirloom/core/testing";
import { Forbidden } from "./src/forbidden.ts";
import { connected, VERSIONS } from "./src/raw.ts";

const HOUR = { sessionExpiryInterval: 3_600 };

async function watcherOf(broker: MemoryBroker): Promise<TestClient> {
  const watcher = await connected(broker, "watcher");
  await watcher.subscribe({ topicFilter: "#", qos: 0 });
  watcher.take();
  return watcher;
}

for (const version of VERSIONS) {
  test(`a client of version ${version} may not even connect with a will that it may not publish - attack WILL-01`, async () => {
    const permissions = new Forbidden();
    const broker = await MemoryBroker.start({ permissions });
    permissions.change("secret", true);
    const watcher = await watcherOf(broker);
    const client = broker.client("c", version);
    const refused = [`CONNACK ${version === 5 ? "0x87" : "0x05"} present=0`];
    assert.deepEqual(await client.connect({ will: { topicName: "secret", retain: true } }), refused);
    assert.ok(client.isClosed);
    await client.drop();
    await broker.advance(10);
    const { retained, sessions, willBytes, willsPublished } = broker.counters;
    assert.deepEqual([retained, sessions, willBytes, willsPublished], [0, 1, 0, 0]);
    assert.deepEqual(watcher.words(), []);
  });

  test(`a will of version ${version} is asked about again when it is published, however its connection ends - attack WILL-01, attack WILL-02`, async () => {
    const ends: readonly (readonly [
      name: string,
      end: (client: TestClient, broker: MemoryBroker) => unknown,
    ])[] = [
      ["cut", (client) => client.drop()],
      ["malformed", (client) => client.sendBytes(Uint8Array.of(0))],
      ["Keep Alive", (_client, broker) => broker.advance(20)],
      ["takeover", (_client, broker) => broker.client("c", version).connect()],
      ["sent away", (_client, broker) => broker.broker.disconnectClient("c", 0x98, "no reason")],
    ];
    for (const isRevoked of [false, true]) {
      for (const [name, end] of ends) {
        const permissions = new Forbidden();
        const broker = await MemoryBroker.start({ permissions });
        const watcher = await watcherOf(broker);
        const client = broker.client("c", version);
        await client.connect({ keepAlive: 10, will: { topicName: "gone", retain: true } });
        if (isRevoked) permissions.change("gone", true);
        await broker.settle();
        await end(client, broker);
        await broker.settle();
        const count = isRevoked ? 0 : 1;
        assert.deepEqual([watcher.take().length, broker.counters.retained], [count, count], name);
      }
    }
  });
}

test("a delayed will is judged by the rules of the moment in which it is due, also after a crash - attack WILL-02", async () => {
  for (const withCrash of [false, true]) {
    for (const [atConnect, atEnd, later, wills] of [
      [false, false, true, 0],
      [false, true, true, 0],
      [false, true, false, 1],
      [false, false, false, 1],
    ] as const) {
      const permissions = new Forbidden();
      const broker = await MemoryBroker.start({ permissions });
      permissions.change("gone", atConnect);
      const client = broker.client("c");
      await client.connect({ properties: HOUR, will: { topicName: "gone", willDelayInterval: 10 } });
      permissions.change("gone", atEnd);
      await client.drop();
      await broker.advance(5);
      if (withCrash) await broker.restart();
      const watcher = await watcherOf(broker);
      permissions.change("gone", later);
      await broker.advance(20);
      assert.equal(watcher.take().length, wills, JSON.stringify([withCrash, atEnd, later]));
    }
  }
});

test("whoever is sent away without the will has none any more, with a delay neither - attack WILL-02", async () => {
  for (const willDelayInterval of [0, 10]) {
    for (const withWill of [false, true]) {
      const broker = await MemoryBroker.start();
      const watcher = await watcherOf(broker);
      const client = broker.client("c");
      await client.connect({ properties: HOUR, will: { willDelayInterval } });
      client.take();
      assert.ok(broker.broker.disconnectClient("c", 0x98, "no reason", withWill));
      await broker.settle();
      assert.deepEqual([client.words(), client.isClosed], [["DISCONNECT 0x98"], true]);
      await broker.advance(100);
      assert.equal(watcher.take().length, withWill ? 1 : 0);
      assert.equal(broker.counters.willBytes, 0);
    }
  }
});

test("a delayed will goes out at once, and once, when its client comes back with Clean Start 1 - 5.0 [MQTT-3.1.2-8] - attack WILL-04", async () => {
  const broker = await MemoryBroker.start();
  const watcher = await watcherOf(broker);
  const client = broker.client("c");
  await client.connect({ properties: HOUR, will: { willDelayInterval: 60 } });
  await client.drop();
  await broker.advance(10);
  assert.deepEqual(watcher.words(), []);
  await broker.client("c").connect({ cleanStart: true });
  assert.deepEqual(watcher.words(), ['PUBLISH will qos=0 "gone"']);
  await broker.advance(1_000);
  assert.deepEqual(watcher.words(), []);
  await broker.restart();
  assert.equal(broker.counters.willsPublished, 0);
});

test("DISCONNECT 0x04 with a shorter Session Expiry brings the will forward, with 0 to at once - 5.0 [MQTT-3.1.2-8] - attack WILL-04", async () => {
  for (const [sessionExpiryInterval, delay, dueAfter] of [
    [0, 60, 0],
    [5, 60, 5],
    [60, 5, 5],
  ] as const) {
    const broker = await MemoryBroker.start();
    const watcher = await watcherOf(broker);
    const client = broker.client("c");
    await client.connect({ properties: HOUR, will: { willDelayInterval: delay } });
    await client.disconnect(4, sessionExpiryInterval);
    if (dueAfter > 0) {
      await broker.advance(dueAfter - 0.1);
      assert.equal(watcher.take().length, 0);
      await broker.advance(0.2);
    }
    assert.equal(watcher.take().length, 1, `expiry ${sessionExpiryInterval}, delay ${delay}`);
    await broker.advance(100);
    assert.equal(watcher.take().length, 0);
  }
});

test("a retained will beyond the number or the bytes that may be retained is not published, as PUBLISH is not - attack WILL-05", async () => {
  for (const limits of [{ retainedMessages: 1 }, { retainedBytes: 300 }, { retainedMessagesPerAccount: 1 }]) {
    const broker = await MemoryBroker.start({ limits, hooks: { connect: () => ({ account: "a" }) } });
    const first = await connected(broker, "first");
    const payload = "x".repeat(100);
    assert.deepEqual(await first.publish({ topicName: "first", qos: 1, retain: true, payload }), [
      "PUBACK 1 0x10",
    ]);
    const watcher = await watcherOf(broker);
    const { retainedBytes } = broker.counters;
    for (const version of VERSIONS) {
      const client = broker.client("c", version);
      await client.connect({ will: { topicName: "second", retain: true, payload: "y".repeat(200) } });
      await client.drop();
    }
    const after = broker.counters;
    assert.deepEqual([after.retained, after.retainedBytes, after.willsPublished], [1, retainedBytes, 0]);
    assert.deepEqual(watcher.words(), []);
    const second = { topicName: "second", qos: 1, retain: true, payload: "y".repeat(200) } as const;
    assert.deepEqual(await first.publish(second), ["PUBACK 2 0x97"]);
  }
});

test("a will with RETAIN or a QoS that is not available is refused at CONNECT - 5.0 [MQTT-3.2.2-13], [MQTT-3.2.2-12] - attack WILL-05", async () => {
  const broker = await MemoryBroker.start({ limits: { retainAvailable: false, maximumQoS: 1 } });
  for (const [will, reasonCode] of [
    [{ retain: true }, "0x9A"],
    [{ qos: 2 }, "0x9B"],
  ] as const) {
    for (const version of VERSIONS) {
      const client = broker.client("c", version);
      const [words] = await client.connect({ will });
      assert.equal(words, `CONNACK ${version === 5 ? reasonCode : "0x05"} present=0`);
      assert.ok(client.isClosed);
    }
  }
  assert.deepEqual([broker.counters.sessions, broker.counters.willBytes], [0, 0]);
});

test("the will of a session that ends with its connection goes out at an orderly stop, and never twice - attack WILL-06", async () => {
  for (const version of VERSIONS) {
    const broker = await MemoryBroker.start();
    const sub = broker.client("sub");
    await sub.connect({ cleanStart: false, properties: HOUR });
    await sub.subscribe({ topicFilter: "will", qos: 1 });
    await sub.drop();
    await broker.client("c", version).connect({ will: { qos: 1 } });
    await broker.stopAndStart();
    await broker.restart();
    const back = broker.client("sub");
    assert.deepEqual(await back.connect({ cleanStart: false, properties: HOUR }), [
      "CONNACK 0x00 present=1",
      'PUBLISH 1 will qos=1 dup=0 "gone"',
    ]);
  }
});
