// Packets that come out of turn: before CONNECT, twice, from the wrong side, behind DISCONNECT, for nothing.

import assert from "node:assert/strict";
import { test } from "node:test";
import { PacketType, type ProtocolVersion } from "@heirloom/codec";
import { MemoryBroker, type TestClient } from "@heirloom/core/testing";
import { Forbidden } from "./src/forbidden.ts";
import { answerTo, connected, ended, field, noProperties, packet, VERSIONS } from "./src/raw.ts";

test("whatever comes before CONNECT ends the connection before there is any state - attack STATE-01", async () => {
  const broker = await MemoryBroker.start();
  for (let first = 0; first < 256; first++) {
    if (first === 0x10) continue;
    for (const rest of [[], [0x02, 0x00, 0x01], [0x80, 0x80, 0x80, 0x01]]) {
      const client = broker.client("c");
      const bytes = Uint8Array.of(first, ...rest);
      assert.deepEqual(await answerTo(broker, client, bytes), { words: [], isClosed: true });
    }
  }
  const { sessions, connectionsOpen, inputBytes, publishReceived } = broker.counters;
  assert.deepEqual([sessions, connectionsOpen, inputBytes, publishReceived], [0, 0, 0, 0]);
});

test("before CONNECT nothing larger than a CONNECT is kept - attack STATE-01", async () => {
  const broker = await MemoryBroker.start({ limits: { maximumConnectSize: 1_000 } });
  const client = broker.client("c");
  const announced = await answerTo(broker, client, Uint8Array.of(0x10, 0xe9, 0x07));
  assert.deepEqual([announced.isClosed, broker.counters.inputBytes], [true, 0]);
});

for (const version of VERSIONS) {
  test(`a second CONNECT to ${version} ends the connection, with its will, and leaves nothing behind - attack STATE-02`, async () => {
    const broker = await MemoryBroker.start();
    const watcher = await connected(broker, "watcher");
    await watcher.subscribe("will");
    const {
      sessions: baseSessions,
      subscriptions: baseSubscriptions,
      connectionsOpen: baseConnections,
      deadlines: baseDeadlines,
    } = broker.counters;
    for (const [second, other] of [
      ["c", version],
      ["other", version],
      ["c", version === 4 ? 5 : 4],
    ] as const) {
      const client = broker.client("c", version);
      await client.connect({ will: { payload: "gone" }, keepAlive: 60 });
      await client.subscribe("t/#");
      client.take();
      const bytes = connectBytes(other, second);
      assert.deepEqual(await answerTo(broker, client, bytes), ended(version, 0x82));
      assert.deepEqual(watcher.words(), ['PUBLISH will qos=0 "gone"']);
      const { sessions, subscriptions, connectionsOpen, willBytes, inputBytes, deadlines } = broker.counters;
      assert.deepEqual(
        { sessions, subscriptions, connectionsOpen, willBytes, inputBytes, deadlines },
        {
          ...{
            sessions: baseSessions,
            subscriptions: baseSubscriptions,
            connectionsOpen: baseConnections,
          },
          ...{ willBytes: 0, inputBytes: 0, deadlines: baseDeadlines },
        },
      );
    }
  });
}

function connectBytes(version: ProtocolVersion, clientId: string): Uint8Array {
  const name = version === 3 ? "MQIsdp" : "MQTT";
  return packet(0x10, [...field(name), version, 2, 0, 0, ...noProperties(version), ...field(clientId)]);
}

test("what only a server sends ends the connection, before and after CONNECT, whole, crafted or cut - attack STATE-03", async () => {
  const broker = await MemoryBroker.start();
  const bodies = [[], [0], [0, 0], [0, 1, 0], [0, 1, 0, 0xff], [0xff, 0xff, 0xff, 0xff, 0xff]];
  for (const first of [0x20, 0x90, 0xb0, 0xd0]) {
    for (const body of bodies) {
      const bytes = packet(first, body);
      for (const version of VERSIONS) {
        const client = await connected(broker, "c", version);
        assert.deepEqual(await answerTo(broker, client, bytes), ended(version, 0x82));
        const early = broker.client("early", version);
        assert.deepEqual(await answerTo(broker, early, bytes), { words: [], isClosed: true });
      }
    }
  }
  assert.equal(broker.counters.sessions, 0);
});

for (const version of VERSIONS) {
  test(`what is pipelined behind a CONNECT of version ${version} that is judged slowly is not looked at, and is not read without end - attack STATE-04`, async () => {
    for (const isAllowed of [true, false]) {
      let decide: ((answer: { reasonCode: number } | undefined) => void) | undefined;
      const broker = await MemoryBroker.start({
        hooks: {
          connect: (connect) =>
            connect.username === "slow" ? new Promise((resolve) => (decide = resolve)) : undefined,
        },
      });
      const watcher = await connected(broker, "watcher");
      await watcher.subscribe("t");
      const client = broker.client("c", version);
      client.sendConnect({ username: "slow", will: { topicName: "t" } });
      client.sendSubscribe(["#"]);
      client.sendPublish({ topicName: "t", retain: true, payload: "x" });
      await broker.advance(2);
      assert.equal(client.transport.isPaused, true, "its socket is not read meanwhile");
      const { sessions, subscriptions, retained, publishReceived } = broker.counters;
      assert.deepEqual([sessions, subscriptions, retained, publishReceived], [1, 1, 0, 0]);
      decide?.(isAllowed ? undefined : { reasonCode: 0x87 });
      await broker.settle();
      assert.equal(watcher.take().length, isAllowed ? 1 : 0);
      assert.equal(broker.counters.retained, isAllowed ? 1 : 0);
      assert.equal(client.isClosed, !isAllowed);
      if (isAllowed) continue;
      assert.deepEqual(client.words(), [`CONNACK ${version === 5 ? "0x87" : "0x05"} present=0`]);
      const after = broker.counters;
      assert.deepEqual([after.sessions, after.subscriptions, after.publishReceived], [1, 1, 0]);
      assert.deepEqual([after.inputBytes, after.willBytes, after.connectionsOpen], [0, 0, 1]);
    }
  });
}

test("acknowledgements at random never get a quota below nothing or above its maximum - attack STATE-05, attack STATE-08", async () => {
  for (const version of [4, 5] as const) {
    const broker = await MemoryBroker.start({ limits: { sendMaximum: 5 } });
    const sub = broker.client("sub", version);
    await sub.connect({ cleanStart: true, ...(version === 5 ? { properties: { receiveMaximum: 5 } } : {}) });
    await sub.subscribe([
      { topicFilter: "one", qos: 1 },
      { topicFilter: "two", qos: 2 },
    ]);
    const pub = await connected(broker, "pub");
    const model = new Model();
    for (let step = 0; step < 3_000; step++) {
      model.take(sub);
      if (step % 3 === 0)
        await pub.publish({
          topicName: step % 2 === 0 ? "one" : "two",
          qos: step % 2 === 0 ? 1 : 2,
          payload: "x",
        });
      model.take(sub);
      assert.ok(model.open <= 5, `${model.open} are in flight`);
      await model.acknowledge(sub, step);
      assert.equal(sub.isClosed, false, `step ${step}`);
    }
    model.take(sub);
    assert.ok(model.seen > 300, `${model.seen} deliveries`);
  }
});

/** What a client that counts for itself believes to be in flight. */
class Model {
  seen = 0;
  readonly #kinds = new Map<number, "PUBACK" | "PUBREC" | "PUBCOMP">();
  #random = 7;

  get open(): number {
    return this.#kinds.size;
  }

  take(client: TestClient): void {
    for (const packet of client.take()) {
      if (packet.type === PacketType.PUBLISH && packet.qos > 0) {
        this.seen++;
        assert.equal(this.#kinds.has(packet.packetId), false, `identifier ${packet.packetId} is in flight`);
        this.#kinds.set(packet.packetId, packet.qos === 1 ? "PUBACK" : "PUBREC");
      } else if (packet.type === PacketType.PUBREL && this.#kinds.has(packet.packetId)) {
        this.#kinds.set(packet.packetId, "PUBCOMP");
      }
    }
  }

  /** Acknowledges one at random, out of order, or something that is not in flight; or one twice. */
  async acknowledge(client: TestClient, step: number): Promise<void> {
    this.#random = (this.#random * 1_103_515_245 + 12_345) % 2_147_483_648;
    const ids = [...this.#kinds.keys()];
    const packetId = ids[this.#random % Math.max(1, ids.length)];
    if (step % 5 === 0 || packetId === undefined) {
      const unknown = 60_000 + (this.#random % 5_000);
      client.send({ type: PacketType.PUBACK, packetId: unknown, reasonCode: 0 });
      client.send({ type: PacketType.PUBCOMP, packetId: unknown, reasonCode: 0 });
      await client.ping();
      return;
    }
    const kind = this.#kinds.get(packetId);
    const type = kind === undefined ? PacketType.PUBACK : PacketType[kind];
    if (kind === "PUBACK" || kind === "PUBCOMP") this.#kinds.delete(packetId);
    client.send({ type, packetId, reasonCode: 0 });
    // Once more, before anything can have taken its identifier: it fits nothing now, or owes PUBREL again.
    if (step % 7 === 0 && kind !== "PUBREC") client.send({ type, packetId, reasonCode: 0 });
  }
}

test("a topic alias is judged on each connection anew: 0, too high, not set - attack STATE-06", async () => {
  const broker = await MemoryBroker.start({ limits: { topicAliasMaximum: 3 } });
  for (const [topicAlias, topicName, reasonCode] of [
    [0, "t", 0x94],
    [4, "t", 0x94],
    [65_535, "", 0x94],
    [1, "", 0x82],
    [3, "", 0x82],
  ] as const) {
    const client = await connected(broker, "c");
    const properties = [0x23, topicAlias >> 8, topicAlias & 0xff];
    const bytes = packet(0x30, [...field(topicName), properties.length, ...properties]);
    assert.deepEqual(await answerTo(broker, client, bytes), ended(5, reasonCode), `alias ${topicAlias}`);
  }
  const first = broker.client("lasting");
  await first.connect({ cleanStart: false, properties: { sessionExpiryInterval: 60 } });
  await first.publish({ topicName: "t", topicAlias: 1 });
  await first.drop();
  const second = broker.client("lasting");
  await second.connect({ cleanStart: false, properties: { sessionExpiryInterval: 60 } });
  second.take();
  assert.deepEqual(await second.publish({ topicName: "", topicAlias: 1 }), ["DISCONNECT 0x82"]);
});

test("a message by alias is authorised by its topic each time - attack STATE-06", async () => {
  const permissions = new Forbidden();
  const broker = await MemoryBroker.start({ permissions });
  const client = await connected(broker, "c");
  assert.deepEqual(await client.publish({ topicName: "t", topicAlias: 1, qos: 1 }), ["PUBACK 1 0x10"]);
  assert.deepEqual(await client.publish({ topicName: "", topicAlias: 1, qos: 1 }), ["PUBACK 2 0x10"]);
  permissions.change("t", true);
  await broker.settle();
  assert.deepEqual(await client.publish({ topicName: "", topicAlias: 1, qos: 1 }), ["PUBACK 3 0x87"]);
});

test("behind DISCONNECT nothing is done; its will goes out with 0x04, if it may still be published - attack STATE-10", async () => {
  for (const isRevoked of [false, true]) {
    const permissions = new Forbidden();
    const broker = await MemoryBroker.start({ permissions });
    const watcher = await connected(broker, "watcher");
    await watcher.subscribe(["t", "will"]);
    const client = broker.client("c");
    await client.connect({ will: { topicName: "will", payload: "gone" } });
    client.take();
    if (isRevoked) permissions.change("will", true);
    await broker.settle();
    client.sendDisconnect(4);
    client.sendPublish({ topicName: "t", qos: 1, payload: "late" });
    client.sendBytes(Uint8Array.of(0x00, 0xff));
    await broker.settle();
    assert.deepEqual([client.words(), client.isClosed], [[], true]);
    assert.equal(watcher.take().length, isRevoked ? 0 : 1);
    assert.equal(broker.counters.publishReceived, 0);
  }
});

test("what 5.0 has and 3.x has not is payload, or malformed, on a connection of 3.x - attack STATE-11", async () => {
  const broker = await MemoryBroker.start();
  const watcher = await connected(broker, "watcher");
  await watcher.subscribe({ topicFilter: "t", qos: 0 });
  for (const version of [3, 4] as const) {
    const malformed = [
      packet(0x40, [0, 1, 0x10]),
      packet(0x40, [0, 1, 0x10, 0]),
      packet(0x62, [0, 1, 0x92]),
      packet(0x82, [0, 1, 0, ...field("a"), 0]),
      packet(0x82, [0, 1, ...field("a"), 0x04]),
      packet(0xe0, [0x04]),
      packet(0xe0, [0x00, 0x05, 0x11, 0, 0, 0, 1]),
      packet(0xf0, [0x18, 0x00]),
    ];
    for (const bytes of malformed) {
      const client = await connected(broker, "c", version);
      assert.deepEqual(await answerTo(broker, client, bytes), ended(version, 0x81));
    }
    const client = await connected(broker, "c", version);
    await answerTo(broker, client, packet(0x30, [...field("t"), 0x03, 0x23, 0, 1]));
    assert.deepEqual(watcher.words(), ['PUBLISH t qos=0 "\\u0003#\\u0000\\u0001"']);
    assert.equal(client.isClosed, false);
  }
  const modern = await connected(broker, "modern");
  // As 3.1.1 writes it: "0" is no Property Length that fits.
  assert.deepEqual(
    await answerTo(broker, modern, packet(0x30, [...field("t"), ...Buffer.from("0")])),
    ended(5, 0x81),
  );
});

test("a CONNECT is read by the level that it names, with the body of another it is malformed - attack STATE-11", async () => {
  const broker = await MemoryBroker.start();
  const noneOf5 = [0, ...field("c")];
  const someOf5 = [5, 0x11, 0, 0, 0, 60, ...field("c")];
  const of3 = field("c");
  // A name and a level that do not go together are answered as 3.1.1 says it.
  for (const [name, level, bodies, answer] of [
    ["MQIsdp", 3, [noneOf5, someOf5], []],
    ["MQTT", 4, [noneOf5, someOf5], []],
    ["MQTT", 5, [of3], ["CONNACK 0x81 present=0"]],
    ["MQTT", 3, [of3, noneOf5], ["CONNACK 0x01 present=0"]],
    ["MQIsdp", 4, [of3, noneOf5], ["CONNACK 0x01 present=0"]],
    ["MQIsdp", 5, [of3, noneOf5], ["CONNACK 0x01 present=0"]],
  ] as const) {
    for (const body of bodies) {
      const client = broker.client("c", answer[0] === "CONNACK 0x81 present=0" ? 5 : 4);
      const bytes = packet(0x10, [...field(name), level, 2, 0, 0, ...body]);
      assert.deepEqual(await answerTo(broker, client, bytes), { words: answer, isClosed: true });
    }
  }
  assert.deepEqual([broker.counters.sessions, broker.counters.connectionsOpen], [0, 0]);
});
