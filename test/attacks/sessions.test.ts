// Takeovers, assigned names, shared groups, QoS handshakes that never end, and the largest numbers of each.

import assert from "node:assert/strict";
import { test } from "node:test";
import { PacketType } from "@heirloom/codec";
import { MemoryBroker, type TestClient } from "@heirloom/core/testing";
import { connected } from "./src/raw.ts";

const LASTING = { cleanStart: false, properties: { sessionExpiryInterval: 3_600 } } as const;

test("over a thousand quick takeovers with traffic there is one owner, one will each, and no message lost or doubled - attack SESS-03", async () => {
  const broker = await MemoryBroker.start({ limits: { takeoversPerMinute: 0 } });
  const pub = await connected(broker, "pub");
  const watcher = await connected(broker, "watcher");
  await watcher.subscribe([
    { topicFilter: "will", qos: 0 },
    { topicFilter: "up", qos: 2 },
  ]);
  watcher.take();
  const done: string[] = [];
  const wills: string[] = [];
  const up: string[] = [];
  const look = async (): Promise<void> => {
    for (const packet of watcher.take()) {
      if (packet.type === PacketType.PUBREL)
        watcher.send({ type: PacketType.PUBCOMP, packetId: packet.packetId, reasonCode: 0 });
      if (packet.type !== PacketType.PUBLISH) continue;
      const payload = Buffer.from(packet.payload).toString();
      if (packet.topicName === "will") wills.push(payload);
      else up.push(payload);
      if (packet.qos === 2)
        watcher.send({ type: PacketType.PUBREC, packetId: packet.packetId, reasonCode: 0 });
    }
    await broker.settle();
  };
  let open: TestClient | undefined;
  for (let round = 0; round < 1_000; round++) {
    const client = broker.client("c", 5);
    client.sendConnect({ ...LASTING, will: { payload: `${round}` } });
    // The old side still talks when the new one is there: what it says is not heard.
    if (open !== undefined && round % 3 === 0)
      open.sendPublish({ topicName: "up", qos: 1, payload: "from the grave" });
    await broker.settle();
    if (open !== undefined) assert.deepEqual([open.words().at(-1), open.isClosed], ["DISCONNECT 0x8E", true]);
    if (round === 0) await client.subscribe({ topicFilter: "down", qos: 2 });
    pub.sendPublish({ topicName: "down", qos: 2, packetId: round + 1, payload: `${round}` });
    pub.send({ type: PacketType.PUBREL, packetId: round + 1, reasonCode: 0 });
    client.sendPublish({ topicName: "up", qos: 1, payload: `${round}` });
    await broker.settle();
    // It completes what comes in all rounds but some: then the next connection gets it again.
    if (round % 4 !== 3) done.push(...(await complete(broker, client)));
    await look();
    open = client;
  }
  if (open !== undefined) done.push(...(await complete(broker, open)));
  await look();
  await look();
  assert.equal(broker.counters.connectionsOpen, 3);
  assert.deepEqual(done, range(1_000));
  assert.deepEqual(wills, range(999));
  assert.deepEqual(
    up.filter((payload) => payload !== "from the grave"),
    range(1_000),
  );
});

/** Completes every delivery that has come. @returns their payloads, each once. */
async function complete(broker: MemoryBroker, client: TestClient): Promise<string[]> {
  const payloads: string[] = [];
  for (let packets = client.take(); packets.length > 0; packets = client.take()) {
    for (const packet of packets) {
      if (packet.type === PacketType.PUBLISH) {
        payloads.push(Buffer.from(packet.payload).toString());
        const type = packet.qos === 1 ? PacketType.PUBACK : PacketType.PUBREC;
        client.send({ type, packetId: packet.packetId, reasonCode: 0 });
      } else if (packet.type === PacketType.PUBREL) {
        client.send({ type: PacketType.PUBCOMP, packetId: packet.packetId, reasonCode: 0 });
      }
    }
    await broker.settle();
  }
  return payloads;
}

function range(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${index}`);
}

test("assigned client identifiers have 128 bits, are never the same, and nobody's who names himself so - attack SESS-08", async () => {
  const broker = await MemoryBroker.start();
  const seen = new Set<string>();
  const digits = new Map<string, number>();
  for (let count = 0; count < 2_000; count++) {
    const client = broker.client("");
    client.sendConnect({ clientId: "" });
    await broker.settle();
    const [connack] = client.take();
    assert.ok(connack?.type === PacketType.CONNACK);
    const { assignedClientIdentifier = "" } = connack.properties;
    assert.match(assignedClientIdentifier, /^auto[0-9A-Za-z]{23}$/);
    seen.add(assignedClientIdentifier);
    for (const digit of assignedClientIdentifier.slice(4)) digits.set(digit, (digits.get(digit) ?? 0) + 1);
    await client.drop();
  }
  assert.equal(seen.size, 2_000);
  // 46,000 digits of 62: about 742 each, up to a quarter more for those that two values of a byte more stand for.
  assert.equal(digits.size, 62);
  for (const [digit, count] of digits) assert.ok(count > 600 && count < 1_100, `${digit}: ${count}`);
});

test("a session that was made under an assigned name belongs to its account - attack SESS-08", async () => {
  const broker = await MemoryBroker.start({
    hooks: { connect: ({ username = "" }) => ({ account: username }) },
  });
  const client = broker.client("");
  const [words = ""] = await client.connect({ ...LASTING, clientId: "", username: "owner" });
  const clientId = /assigned=(\w+)/.exec(words)?.[1] ?? "";
  await client.drop();
  assert.deepEqual(await broker.client(clientId).connect({ username: "thief" }), ["CONNACK 0x87 present=0"]);
  const back = await broker.client(clientId).connect({ ...LASTING, username: "owner" });
  assert.deepEqual(back, ["CONNACK 0x00 present=1"]);
});

for (const [delay, expiry, backAfter, wills] of [
  [10, 5, 4, 0],
  [10, 5, 6, 1],
  [5, 10, 4, 0],
  [5, 10, 6, 1],
  [5, 10, 11, 1],
  [0, 10, 5, 1],
  [10, 0, 5, 1],
] as const) {
  test(`a will with delay ${delay} of a session of ${expiry} s whose client is back after ${backAfter} s is published ${wills} times - attack WILL-04`, async () => {
    const broker = await MemoryBroker.start();
    const watcher = await connected(broker, "watcher");
    await watcher.subscribe({ topicFilter: "will", qos: 0 });
    const init = { will: { willDelayInterval: delay }, properties: { sessionExpiryInterval: expiry } };
    const holder = broker.client("c");
    await holder.connect(init);
    watcher.take();
    await holder.drop();
    await broker.advance(backAfter);
    const [words] = await broker.client("c").connect({ ...init, cleanStart: false });
    assert.equal(words, `CONNACK 0x00 present=${backAfter < expiry ? 1 : 0}`);
    await broker.advance(1_000);
    assert.equal(watcher.take().length, wills);
  });
}

test("sessions, subscriptions and groups keep exact books under random subscribing and unsubscribing - attack SHARE-04", async () => {
  const broker = await MemoryBroker.start();
  const filters = ["t", "+", "#", "$share/g/t", "$share/g/+", "$share/h/t", "$share/g/#"];
  const names = ["a", "b", "c"];
  const clients = new Map<string, TestClient>();
  for (const name of names) clients.set(name, await connected(broker, name));
  const pub = await connected(broker, "pub");
  const model = new Map(names.map((name) => [name, new Set<string>()]));
  let random = 3;
  const next = (below: number): number =>
    (random = (random * 1_103_515_245 + 12_345) % 2_147_483_648) % below;
  for (let step = 0; step < 1_500; step++) {
    const name = names[next(3)] ?? "a";
    const filter = next(10) === 0 ? "$share/unknown/t" : (filters[next(filters.length)] ?? "t");
    const client = clients.get(name);
    const own = model.get(name);
    assert.ok(client !== undefined && own !== undefined);
    if (filter !== "$share/unknown/t" && next(2) === 0) {
      const words = await client.subscribe({ topicFilter: filter, qos: 0 });
      assert.match(words[0] ?? "", / 0x00$/);
      own.add(filter);
    } else {
      const [words = ""] = await client.unsubscribe(filter);
      assert.match(words, own.delete(filter) ? / 0x00$/ : / 0x11$/, filter);
    }
    if (step % 10 !== 0) continue;
    await pub.publish({ topicName: "t", payload: "x" });
    let delivered = 0;
    for (const each of clients.values()) delivered += each.take().length;
    assert.equal(delivered, expectedDeliveries([...model.values()]), `step ${step}`);
  }
  const count = [...model.values()].reduce((sum, own) => sum + own.size, 0);
  assert.equal(broker.counters.subscriptions, count);
  for (const client of clients.values()) await client.disconnect();
  assert.deepEqual([broker.counters.subscriptions, [...broker.broker.sharedGroups()].length], [0, 0]);
});

/** One for each client with a plain filter that matches (a clean session gets one copy), one for each group with members. */
function expectedDeliveries(owned: readonly ReadonlySet<string>[]): number {
  const plain = owned.filter((own) => ["t", "+", "#"].some((filter) => own.has(filter))).length;
  const groups = new Set(owned.flatMap((own) => [...own].filter((filter) => filter.startsWith("$share/"))));
  return plain + groups.size;
}

test("groups without number stop at the limits of subscriptions - attack SHARE-04", async () => {
  const broker = await MemoryBroker.start({ limits: { subscriptionsPerSession: 100 } });
  const client = await connected(broker, "c");
  let granted = 0;
  for (let group = 0; group < 150; group++) {
    const [words = ""] = await client.subscribe(`$share/g${group}/t`);
    if (words.endsWith(" 0x02")) granted++;
    else assert.match(words, / 0x97$/);
  }
  assert.deepEqual([granted, [...broker.broker.sharedGroups()].length], [100, 100]);
});

for (const qos of [1, 2] as const) {
  test(`a member of a shared group that takes nothing keeps its window of QoS ${qos} and no more; the others get the rest - attack SHARE-05, attack SHARE-02`, async () => {
    const broker = await MemoryBroker.start();
    const receiveMaximum = 10;
    const members: TestClient[] = [];
    for (const name of ["frozen", "one", "two"]) {
      const member = broker.client(name);
      await member.connect({ properties: { receiveMaximum } });
      await member.subscribe({ topicFilter: "$share/g/t", qos });
      member.take();
      members.push(member);
    }
    const [frozen, ...others] = members;
    const pub = await connected(broker, "pub");
    let taken = 0;
    for (let packetId = 1; packetId <= 400; packetId++) {
      pub.sendPublish({ topicName: "t", qos, packetId, payload: "x" });
      if (qos === 2) pub.send({ type: PacketType.PUBREL, packetId, reasonCode: 0 });
      await broker.settle();
      for (const member of others) taken += (await complete(broker, member)).length;
    }
    assert.equal(taken, 400 - receiveMaximum);
    assert.equal(frozen?.take().length, receiveMaximum);
    await frozen.drop();
    let late = 0;
    for (const member of others) late += (await complete(broker, member)).length;
    // A QoS 2 message that was given to a member is nobody else's, 5.0 [MQTT-4.8.2-5].
    assert.equal(late, qos === 1 ? receiveMaximum : 0);
  });
}

for (const version of [4, 5] as const) {
  test(`a QoS 2 PUBLISH that is repeated up to ten times is taken once, over reconnects and a crash: version ${version} - attack QOS-01`, async () => {
    const broker = await MemoryBroker.start();
    let sub = broker.client("sub");
    await sub.connect(LASTING);
    await sub.subscribe({ topicFilter: "t", qos: 0 });
    sub.take();
    const init = version === 5 ? LASTING : { cleanStart: false };
    let pub = broker.client("pub", version);
    await pub.connect(init);
    let received = 0;
    for (let repeats = 1; repeats <= 10; repeats++) {
      const message = { topicName: "t", qos: 2, packetId: repeats, payload: `${repeats}` } as const;
      assert.deepEqual(await pub.publish(message), [`PUBREC ${repeats}`]);
      for (let time = 0; time < repeats; time++) {
        if (time % 3 === 1) {
          await pub.drop();
          pub = broker.client("pub", version);
          await pub.connect(init);
        }
        assert.deepEqual(await pub.publish({ ...message, dup: true }), [`PUBREC ${repeats}`]);
      }
      received += sub.take().length;
      assert.equal(received, repeats);
      if (repeats === 5) {
        await broker.restart();
        sub = broker.client("sub");
        assert.deepEqual(await sub.connect(LASTING), ["CONNACK 0x00 present=1"]);
        pub = broker.client("pub", version);
        await pub.connect(init);
        assert.deepEqual(await pub.publish({ ...message, dup: true }), [`PUBREC ${repeats}`]);
      }
      assert.deepEqual(await pub.pubrel(repeats), [`PUBCOMP ${repeats}`]);
    }
  });
}

test("a hundred thousand PUBLISH with one identifier that is never released take the room of one - attack QOS-04", async () => {
  const broker = await MemoryBroker.start({ limits: { receiveMaximum: 5 } });
  const sub = await connected(broker, "sub");
  await sub.subscribe({ topicFilter: "t", qos: 0 });
  sub.take();
  const pub = await connected(broker, "pub");
  for (let count = 0; count < 100_000; count++) {
    pub.sendPublish({ topicName: "t", qos: 2, packetId: 7, dup: count > 0, payload: "x" });
    if (count % 10_000 === 0) {
      await broker.settle();
      pub.take();
    }
  }
  await broker.settle();
  assert.equal(pub.isClosed, false);
  assert.equal(sub.take().length, 1);
  for (let packetId = 1; packetId <= 4; packetId++) {
    pub.sendPublish({ topicName: "t", qos: 2, packetId, payload: "x" });
  }
  await broker.settle();
  assert.equal(pub.isClosed, false, "the one identifier took one place of the Receive Maximum");
  assert.deepEqual((await pub.publish({ topicName: "t", qos: 2, packetId: 5 })).at(-1), "DISCONNECT 0x93");
});

test("with all 65,535 identifiers in flight the rest waits; after the wrap none is 0 or given twice - attack QOS-05", async () => {
  const all = 65_535;
  const broker = await MemoryBroker.start({
    limits: {
      sendMaximum: all,
      cleanQueueMessages: 200_000,
      outputBytes: 2 ** 40,
      totalOutputBytes: 2 ** 40,
    },
  });
  const sub = broker.client("sub");
  await sub.connect({ properties: { receiveMaximum: all } });
  await sub.subscribe({ topicFilter: "t", qos: 1 });
  sub.take();
  const pub = await connected(broker, "pub");
  for (let count = 1; count <= all + 100; count++) {
    pub.sendPublish({ topicName: "t", qos: 1, packetId: (count % all) + 1, payload: "x" });
    if (count % 4_096 === 0) {
      await broker.settle();
      pub.take();
    }
  }
  await broker.settle();
  const first = publishIds(sub);
  assert.equal(first.length, all);
  assert.equal(new Set(first).size, all);
  assert.ok(Math.min(...first.slice(0, 10)) === 1 && !first.includes(0));
  assert.equal(broker.broker.sessionInfo("sub")?.waitingMessages, 100);
  for (const packetId of first.toReversed().slice(0, 300)) {
    sub.send({ type: PacketType.PUBACK, packetId, reasonCode: 0 });
  }
  await broker.settle();
  const second = publishIds(sub);
  assert.equal(second.length, 100);
  const inFlight = new Set(first.slice(0, -300));
  for (const packetId of second) assert.ok(packetId > 0 && !inFlight.has(packetId), `${packetId}`);
});

function publishIds(client: TestClient): number[] {
  return client.take().flatMap((packet) => (packet.type === PacketType.PUBLISH ? [packet.packetId] : []));
}
