// Queues at their limit: the oldest go, or the publisher is refused, or it waits.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Limits } from "@heirloom/core";
import { MemoryBroker, type TestClient } from "@heirloom/core/testing";
import { clean, lasting, publishAll, resume } from "./support.ts";

async function brokerWithQueue(limits: Partial<Limits>): Promise<{
  broker: MemoryBroker;
  pub: Awaited<ReturnType<typeof clean>>;
}> {
  const broker = await MemoryBroker.start({ limits });
  const sub = await lasting(broker, "sub");
  await sub.subscribe("t");
  await sub.drop();
  return { broker, pub: await clean(broker, "pub") };
}

const numbers = (count: number): string[] => Array.from({ length: count }, (_, index) => `${index}`);

test("discard-oldest: the newest stay, what went is counted and told, also over a restart", async () => {
  const { broker, pub } = await brokerWithQueue({ queueMessages: 5 });
  await publishAll(pub, "t", 1, numbers(12));
  await broker.advance(1);
  assert.equal(broker.counters.discardedAtLimit, 7);
  assert.deepEqual(broker.eventsOf("discarded"), [{ clientId: "sub", messages: 7 }]);
  await broker.advance(1);
  await broker.restart();
  assert.deepEqual(
    (await resume(broker, "sub")).words.slice(1).map((line) => line.at(-2)),
    [7, 8, 9, 0, 1].map(String),
  );
  assert.equal(broker.counters.discardedAtLimit, 0);
});

test("discard-oldest holds when the session comes back before the broker has looked", async () => {
  const { broker, pub } = await brokerWithQueue({ queueMessages: 2 });
  await publishAll(pub, "t", 1, numbers(5));
  assert.deepEqual(
    (await resume(broker, "sub")).words.slice(1).map((line) => line.at(-2)),
    ["3", "4"],
  );
  assert.equal(broker.counters.discardedAtLimit, 3);
});

test("discard-oldest by bytes keeps about as many as fit, and at least not more", async () => {
  const { broker, pub } = await brokerWithQueue({ queueBytes: 10_000 });
  await publishAll(
    pub,
    "t",
    1,
    Array.from({ length: 30 }, () => "x".repeat(1000)),
  );
  await broker.advance(1);
  const { words } = await resume(broker, "sub");
  assert.ok(words.length - 1 <= 10 && words.length - 1 >= 8, `${words.length - 1}`);
});

test("nothing within the limits is discarded because the subscription's options changed in between", async () => {
  const broker = await MemoryBroker.start({ limits: { queueBytes: 12_000 } });
  const sub = await lasting(broker, "sub", { properties: { receiveMaximum: 1 } });
  await sub.subscribe({ topicFilter: "t", qos: 1 });
  const pub = await clean(broker, "pub");
  await publishAll(
    pub,
    "t",
    1,
    Array.from({ length: 6 }, () => "x".repeat(1000)),
  );
  await sub.subscribe({ topicFilter: "t", qos: 2 });
  await sub.drop();
  await publishAll(
    pub,
    "t",
    1,
    Array.from({ length: 5 }, () => "x".repeat(1000)),
  );
  await broker.advance(2);
  assert.equal(broker.counters.discardedAtLimit, 0);
  assert.equal((await resume(broker, "sub")).words.length - 1, 11);
});

test("refuse: 0x97 at the limit, room again when the queue is read", async () => {
  const { broker, pub } = await brokerWithQueue({ queueMessages: 3, queuePolicy: "refuse" });
  await publishAll(pub, "t", 1, numbers(3));
  assert.deepEqual(await pub.publish({ topicName: "t", qos: 1, packetId: 9 }), ["PUBACK 9 0x97"]);
  assert.deepEqual(await pub.publish({ topicName: "t", qos: 2, packetId: 9 }), ["PUBREC 9 0x97"]);
  assert.deepEqual(await pub.publish({ topicName: "else", qos: 1, packetId: 9 }), ["PUBACK 9 0x10"]);
  await publishAll(pub, "t", 0, ["QoS 0 is not kept anyway"]);
  const { client, words } = await resume(broker, "sub");
  assert.equal(words.length - 1, 3);
  await client.drop();
  await broker.advance(1);
  assert.deepEqual(await pub.publish({ topicName: "t", qos: 1, packetId: 9 }), ["PUBACK 9"]);
  assert.equal(broker.counters.refused, 2);
  assert.equal(broker.counters.discardedAtLimit, 0);
});

test("hold: the acknowledgement waits until there is room, in order, and others go on", async () => {
  const { broker, pub } = await brokerWithQueue({ queueMessages: 3, queuePolicy: "hold" });
  await publishAll(pub, "t", 1, numbers(3));
  assert.deepEqual(await pub.publish({ topicName: "t", qos: 1, packetId: 8, payload: "held" }), []);
  assert.deepEqual(await pub.publish({ topicName: "else", qos: 1, packetId: 9 }), []);
  const other = await clean(broker, "other");
  assert.deepEqual(await other.publish({ topicName: "else", qos: 1, packetId: 1 }), ["PUBACK 1 0x10"]);
  assert.equal(pub.transport.isPaused, true);
  await broker.advance(59);
  assert.deepEqual(pub.words(), []);
  const { words } = await resume(broker, "sub");
  assert.deepEqual(
    words.slice(1).map((line) => line.split(" ").at(-1)),
    ['"0"', '"1"', '"2"', '"held"'],
  );
  assert.deepEqual(pub.words(), ["PUBACK 8", "PUBACK 9 0x10"]);
});

test("hold: not for ever: after its time the message is refused, and a client of 3.1.1 disconnected", async () => {
  const { broker, pub } = await brokerWithQueue({
    queueMessages: 2,
    queuePolicy: "hold",
    holdTimeoutMs: 5_000,
  });
  await publishAll(pub, "t", 1, numbers(2));
  const old = await clean(broker, "old", {}, 4);
  assert.deepEqual(await pub.publish({ topicName: "t", qos: 1, packetId: 8 }), []);
  assert.deepEqual(await old.publish({ topicName: "t", qos: 1, packetId: 9 }), []);
  const published = broker.broker.publish({ topicName: "t", qos: 1 });
  await broker.advance(5);
  assert.deepEqual(pub.words(), ["PUBACK 8 0x97"]);
  assert.deepEqual(old.words(), []);
  assert.equal(old.isClosed, true);
  assert.equal(await published, 0x97);
  assert.equal(broker.counters.refused, 3);
});

test("hold: a client that is held for its own queue goes on", async () => {
  const broker = await MemoryBroker.start({
    limits: { queueMessages: 2, queuePolicy: "hold", holdTimeoutMs: 5_000, sendMaximum: 1 },
  });
  const client = await lasting(broker, "both");
  await client.subscribe("t");
  const words: string[] = [];
  for (let packetId = 10; packetId < 16; packetId++) {
    words.push(...(await client.publish({ topicName: "t", qos: 1, packetId })));
  }
  // Its acknowledgement stands behind the message that is held.
  words.push(...(await client.puback(1)));
  assert.equal(client.transport.isPaused, true);
  for (let seconds = 0; seconds < 20; seconds += 5) {
    await broker.advance(5);
    words.push(...client.words());
  }
  assert.equal(client.transport.isPaused, false);
  assert.match(words.join(), /PUBACK 1\d 0x97.*PUBLISH 2 t/);
});

test("hold: nothing is held for a connection that is gone", async () => {
  const { broker, pub } = await brokerWithQueue({ queueMessages: 1, queuePolicy: "hold" });
  await publishAll(pub, "t", 1, numbers(1));
  for (let count = 0; count < 5; count++) {
    const client = await clean(broker, `p${count}`);
    await client.publish({ topicName: "t", qos: 1 });
    assert.equal(broker.counters.held, 1);
    await client.drop();
    assert.equal(broker.counters.held, 0);
  }
  assert.equal(broker.counters.refused, 0);
});

test("hold: the end of the full session lets its publishers go on", async () => {
  const { broker, pub } = await brokerWithQueue({ queueMessages: 2, queuePolicy: "hold" });
  await publishAll(pub, "t", 1, numbers(2));
  assert.deepEqual(await pub.publish({ topicName: "t", qos: 2, packetId: 8 }), []);
  await lasting(broker, "sub", { cleanStart: true });
  await broker.advance(1);
  assert.deepEqual(pub.words(), ["PUBREC 8 0x10"]);
});

test("while the disk does not keep up, publishers of queued messages are not read; others go on - attack MEM-12", async () => {
  const broker = await MemoryBroker.start({ limits: { unsavedBytes: 10_000 } });
  const sub = await lasting(broker, "sub");
  await sub.subscribe("t");
  await sub.drop();
  const pub = await clean(broker, "pub");
  broker.disk.state = "slow";
  for (const payload of numbers(30))
    pub.sendPublish({ topicName: "t", qos: 1, payload: payload.padEnd(1_000, "x") });
  await broker.settle();
  assert.deepEqual([pub.words(), pub.transport.isPaused], [[], true]);
  assert.ok(broker.counters.unsavedBytes > 10_000 && broker.counters.unsavedBytes < 12_000);
  const other = await clean(broker, "other");
  assert.deepEqual(await other.publish({ topicName: "else", qos: 1, packetId: 1 }), ["PUBACK 1 0x10"]);
  broker.disk.state = "ok";
  await broker.settle();
  assert.equal(pub.words().length, 30);
  assert.deepEqual([broker.counters.unsavedBytes, pub.transport.isPaused], [0, false]);
  assert.equal((await resume(broker, "sub")).words.length - 1, 30);
});

test("a disk that is full lets nobody wait: what waited for it is refused with 0x97", async () => {
  const broker = await MemoryBroker.start({ limits: { unsavedBytes: 2_000 } });
  const sub = await lasting(broker, "sub");
  await sub.subscribe("t");
  await sub.drop();
  const pub = await clean(broker, "pub");
  broker.disk.state = "slow";
  for (const payload of numbers(5))
    pub.sendPublish({ topicName: "t", qos: 1, payload: payload.padEnd(1_000, "x") });
  await broker.settle();
  broker.disk.state = "full";
  await broker.settle();
  broker.disk.state = "ok";
  await broker.advance(1);
  const words = pub.words();
  assert.equal(words.length, 5);
  assert.ok(words.slice(0, 2).every((word) => !word.includes("0x97")));
  assert.ok(words.at(-1)?.includes("0x97"));
});

test("hold: publish() of the application is refused with 0x97 when the broker stops", async () => {
  const { broker, pub } = await brokerWithQueue({ queueMessages: 1, queuePolicy: "hold" });
  await publishAll(pub, "t", 1, ["1"]);
  const published = broker.broker.publish({ topicName: "t", payload: new Uint8Array(1), qos: 1 });
  await broker.settle();
  assert.equal(broker.counters.held, 1);
  await broker.stop();
  assert.equal(await published, 0x97);
});

/** A broker with one offline lasting subscriber on many filters, `t/0` and so on. */
async function brokerWithQueues(
  filters: number,
  limits: Partial<Limits>,
): Promise<{ broker: MemoryBroker; pub: Awaited<ReturnType<typeof clean>> }> {
  const broker = await MemoryBroker.start({ limits });
  const sub = await lasting(broker, "sub");
  await sub.subscribe(numbers(filters).map((number) => ({ topicFilter: `t/${number}`, qos: 1 as const })));
  await sub.drop();
  return { broker, pub: await clean(broker, "pub") };
}

test("discard-oldest: the limit is one for all filters of a session, however few wait at each", async () => {
  const { broker, pub } = await brokerWithQueues(100, { queueMessages: 160 });
  for (const number of numbers(100)) await publishAll(pub, `t/${number}`, 1, numbers(9));
  await broker.advance(1);
  assert.equal(broker.counters.discardedAtLimit, 900 - 160);
  assert.equal(broker.broker.sessionInfo("sub")?.waitingMessages, 160);
  // Each of them alone stays far below the limit.
  for (let round = 0; round < 3; round++) {
    for (const number of numbers(50)) await publishAll(pub, `t/${number}`, 1, ["more"]);
    await broker.advance(1);
    assert.equal(broker.broker.sessionInfo("sub")?.waitingMessages, 160);
  }
});

test("discard-oldest by bytes: the limit is one for all filters of a session", async () => {
  const { broker, pub } = await brokerWithQueues(40, { queueBytes: 10_000 });
  for (const number of numbers(40)) await publishAll(pub, `t/${number}`, 1, ["x".repeat(500)]);
  await broker.advance(1);
  const queued = broker.broker.sessionInfo("sub")?.waitingBytes ?? 0;
  assert.ok(queued > 8_000 && queued <= 10_000, `${queued}`);
});

test("refuse: the limit is one for all filters of a session, and there is room again when it has read", async () => {
  const { broker, pub } = await brokerWithQueues(10, { queueMessages: 20, queuePolicy: "refuse" });
  const publishEach = async (): Promise<(string | undefined)[]> => {
    const answers = [];
    for (const number of numbers(10)) {
      const words = await pub.publish({ topicName: `t/${number}`, qos: 1 });
      answers.push(words[0]?.split(" ")[2]);
    }
    return answers;
  };
  const taken = numbers(10).map(() => undefined);
  assert.deepEqual([await publishEach(), await publishEach()], [taken, taken]);
  assert.deepEqual(
    await publishEach(),
    numbers(10).map(() => "0x97"),
  );
  const { client, words } = await resume(broker, "sub");
  assert.equal(words.length, 21);
  for (let packetId = 1; packetId <= 20; packetId++) await client.puback(packetId);
  await client.drop();
  assert.deepEqual(await publishEach(), taken);
});

test("refuse: what one turn brings may pass the limit, and not more", async () => {
  const { broker, pub } = await brokerWithQueues(3, { queueMessages: 10, queuePolicy: "refuse" });
  for (const packetId of numbers(30)) {
    pub.sendPublish({ topicName: `t/${Number(packetId) % 3}`, qos: 1, packetId: Number(packetId) + 1 });
  }
  await broker.settle();
  assert.ok((broker.broker.sessionInfo("sub")?.waitingMessages ?? 0) <= 30);
  pub.take();
  for (const number of numbers(3)) {
    const words = await pub.publish({ topicName: `t/${number}`, qos: 1, packetId: 99 });
    assert.deepEqual(words, ["PUBACK 99 0x97"]);
  }
});

test("hold: the limit is one for all filters of a session", async () => {
  const { broker, pub } = await brokerWithQueues(4, { queueMessages: 8, queuePolicy: "hold" });
  for (const number of numbers(4)) await publishAll(pub, `t/${number}`, 1, ["1", "2"]);
  assert.deepEqual(await pub.publish({ topicName: "t/1", qos: 1, packetId: 99 }), []);
  assert.equal(broker.counters.held, 1);
  const { client } = await resume(broker, "sub");
  for (let packetId = 1; packetId <= 8; packetId++) await client.puback(packetId);
  await broker.settle();
  assert.deepEqual(pub.words(), ["PUBACK 99"]);
});

/** A lasting session, and behind it in the order of delivery a clean one with a will that has no room for a fourth message. */
async function slowWithWill(
  lastingMaximum: number,
): Promise<{ broker: MemoryBroker; slow: TestClient; sub: TestClient }> {
  const broker = await MemoryBroker.start({ limits: { cleanQueueMessages: 2 } });
  const slow = await clean(broker, "slow", {
    will: { topicName: "t/will", qos: 2, payload: "will" },
    properties: { receiveMaximum: 1 },
  });
  await slow.subscribe("t/#");
  const sub = await lasting(broker, "sub", {
    properties: { sessionExpiryInterval: 3600, receiveMaximum: lastingMaximum },
  });
  await sub.subscribe("t/#");
  return { broker, slow, sub };
}

test("the will of a client that is too slow comes behind the message that was too much, and neither twice - 5.0 [MQTT-4.3.3-1]", async () => {
  const { broker, slow, sub } = await slowWithWill(100);
  await publishAll(await clean(broker, "pub"), "t/x", 2, numbers(4));
  assert.equal(slow.isClosed, true);
  const payloads = (words: readonly string[]): string[] =>
    words.flatMap((each) => /^PUBLISH .* "(.*)"$/.exec(each)?.[1] ?? []);
  assert.deepEqual(payloads(sub.words()), ["0", "1", "2", "3", "will"]);
  await broker.restart();
  assert.deepEqual(payloads((await resume(broker, "sub")).words), ["0", "1", "2", "3", "will"]);
});

test("a message is not lost to a session whose last place the will of a slow client would have taken", async () => {
  const { broker, slow, sub } = await slowWithWill(1);
  const pub = await clean(broker, "pub");
  for (const payload of numbers(4)) {
    assert.deepEqual(await pub.publish({ topicName: "t/x", qos: 1, payload }), [
      `PUBACK ${Number(payload) + 1}`,
    ]);
    if (payload === "3") continue;
    await sub.puback(Number(payload) + 1);
    sub.take();
  }
  assert.equal(slow.isClosed, true);
  assert.deepEqual(sub.words(), ['PUBLISH 4 t/x qos=1 dup=0 "3"']);
  assert.deepEqual(await sub.puback(4), ['PUBLISH 5 t/will qos=2 dup=0 "will"']);
});

test("what the application publishes when it hears of an event comes behind the message that is being delivered", async () => {
  const { broker, sub } = await slowWithWill(100);
  const pub = await clean(broker, "pub");
  await publishAll(pub, "t/x", 1, numbers(3));
  sub.take();
  // Called at once, as the listeners of an application are.
  const published: Promise<number>[] = [];
  const { events } = broker;
  events.push = (...seen) => {
    const isEnd = seen.some(({ name }) => name === "disconnected");
    if (isEnd)
      published.push(broker.broker.publish({ topicName: "t/event", qos: 1, payload: Buffer.from("event") }));
    return Array.prototype.push.apply(events, seen);
  };
  await publishAll(pub, "t/x", 1, ["3"]);
  assert.deepEqual(await Promise.all(published), [0]);
  const words = sub.words();
  assert.deepEqual(
    words.map((each) => each.split(" ")[2]),
    ["t/x", "t/will", "t/event"],
  );
  await broker.restart();
  assert.deepEqual(
    (await resume(broker, "sub")).words.slice(-3).map((each) => each.split(" ")[2]),
    ["t/x", "t/will", "t/event"],
  );
});
