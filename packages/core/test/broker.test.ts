// The broker for the application around it: publishing, subscribing, events and counters.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Connack, Disconnect } from "@heirloom/codec";
import type { BrokerEvents, Message, MessageHandler } from "@heirloom/core";
import { MemoryBroker, utf8 } from "@heirloom/core/testing";
import { clean, lasting, publishAll, resume } from "./support.ts";

const OPTIONS = {
  qos: 2,
  noLocal: false,
  retainAsPublished: false,
  retainHandling: 0,
  subscriptionIdentifier: 0,
} as const;

function subscribe(
  broker: MemoryBroker,
  topicFilter: string,
  handler: MessageHandler,
): { unsubscribe(): void } {
  const options = { ...OPTIONS, topicFilter };
  return broker.broker.subscribe(options, handler, (error) => assert.fail(String(error)));
}

function textOf(message: Message): string {
  return new TextDecoder().decode(message.payload);
}

test("publishes for the application: the promise is kept when it is on disk", async () => {
  const broker = await MemoryBroker.start();
  const sub = await lasting(broker, "sub");
  await sub.subscribe("t");
  await sub.drop();
  broker.disk.state = "slow";
  let reasonCode = -1;
  const publishing = broker.broker
    .publish({ topicName: "t", qos: 1, payload: utf8("x") })
    .then((code) => (reasonCode = code));
  await broker.settle();
  assert.equal(reasonCode, -1);
  broker.disk.state = "ok";
  await broker.settle();
  await publishing;
  assert.equal(reasonCode, 0);
  assert.equal(await broker.broker.publish({ topicName: "else", qos: 1 }), 0x10);
  await broker.restart();
  assert.deepEqual((await resume(broker, "sub")).words.slice(1), ['PUBLISH 1 t qos=1 dup=0 "x"']);
});

test("subscribes for the application: retained messages first, until it unsubscribes", async () => {
  const broker = await MemoryBroker.start();
  const pub = await clean(broker, "pub");
  await pub.publish({ topicName: "t/kept", qos: 1, retain: true, payload: "kept" });
  const got: string[] = [];
  const subscription = subscribe(broker, "t/#", (message, { qos, retain }) => {
    got.push(`${message.topicName} ${textOf(message)} ${qos} ${retain}`);
  });
  await broker.settle();
  for (const qos of [0, 1, 2] as const) await publishAll(pub, `t/${qos}`, qos, ["x"]);
  assert.deepEqual(got, ["t/kept kept 1 true", "t/0 x 0 false", "t/1 x 1 false", "t/2 x 2 false"]);
  assert.equal(broker.counters.delivered, 3);
  subscription.unsubscribe();
  subscription.unsubscribe();
  assert.deepEqual(await pub.publish({ topicName: "t/1", qos: 1, packetId: 1 }), ["PUBACK 1 0x10"]);
  assert.equal(got.length, 4);
});

test("a handler that takes its time gets as many as fit its window, then the rest in order", async () => {
  const broker = await MemoryBroker.start({ limits: { sendMaximum: 2 } });
  const done: (() => void)[] = [];
  const got: string[] = [];
  subscribe(broker, "t", (message) => {
    got.push(textOf(message));
    return new Promise((resolve) => done.push(resolve));
  });
  const pub = await clean(broker, "pub");
  await publishAll(pub, "t", 1, ["1", "2", "3", "4"]);
  assert.deepEqual(got, ["1", "2"]);
  while (done.length > 0) {
    done.shift()?.();
    await broker.settle();
  }
  assert.deepEqual(got, ["1", "2", "3", "4"]);
});

test("a handler that cannot keep up loses its subscription and is told so, once", async () => {
  const broker = await MemoryBroker.start({ limits: { sendMaximum: 1, cleanQueueMessages: 2 } });
  const failures: string[] = [];
  broker.broker.subscribe(
    { ...OPTIONS, topicFilter: "t" },
    () => new Promise(() => undefined),
    (error) => failures.push(String(error)),
  );
  const pub = await clean(broker, "pub");
  await publishAll(pub, "t", 1, ["1", "2", "3", "4", "5", "6"]);
  assert.equal(failures.length, 1);
  assert.match(failures[0] ?? "", /the limit is 2/);
  assert.equal(broker.counters.subscriptions, 0);
});

test("an application that is told that its handler cannot keep up may publish: it is no part of a fan-out", async () => {
  const broker = await MemoryBroker.start({ limits: { sendMaximum: 1, cleanQueueMessages: 1 } });
  const told: string[] = [];
  let isPublishing = false;
  broker.broker.subscribe(
    { ...OPTIONS, topicFilter: "t" },
    () => new Promise(() => undefined),
    () => {
      told.push(isPublishing ? "while it publishes" : "afterwards");
      void broker.broker.publish({ topicName: "failed" });
    },
  );
  const got: string[] = [];
  subscribe(broker, "failed", ({ topicName }) => void got.push(topicName));
  await broker.settle();
  for (let count = 0; count < 4; count++) {
    isPublishing = true;
    void broker.broker.publish({ topicName: "t", qos: 1 });
    isPublishing = false;
  }
  await broker.settle();
  assert.deepEqual(told, ["afterwards"]);
  assert.deepEqual(got, ["failed"]);
});

for (const [how, fail] of [
  [
    "throws",
    () => {
      throw new Error("handler");
    },
  ],
  ["rejects", () => Promise.reject(new Error("handler"))],
] as const) {
  test(`a handler that ${how} is reported, gets the next message, and does not stop the broker`, async () => {
    const broker = await MemoryBroker.start({ limits: { sendMaximum: 1 } });
    const failures: unknown[] = [];
    broker.broker.subscribe({ ...OPTIONS, topicFilter: "t" }, fail, (error) => failures.push(error));
    const pub = await clean(broker, "pub");
    await publishAll(pub, "t", 1, ["1", "2"]);
    await publishAll(pub, "t", 2, ["3", "4"]);
    assert.equal(failures.length, 4);
  });
}

test("asks the publish hook for wills too, also after a restart, and stands a hook that throws - attack JS-02", async () => {
  const asked: string[] = [];
  const broker = await MemoryBroker.start({
    hooks: {
      // Whoever comes is who it says: otherwise nothing of it would be on record.
      connect: () => undefined,
      publish(message, client) {
        asked.push(`${client.clientId} ${client.username ?? ""} ${message.topicName}`);
        if (message.topicName === "throw") throw new Error("no such rule");
        return message.topicName === "no" ? { reasonCode: 0x87 } : undefined;
      },
    },
  });
  const watcher = await lasting(broker, "watcher");
  await watcher.subscribe("#");
  for (const topicName of ["no", "throw", "yes"]) {
    const client = await clean(broker, topicName, { username: "u", will: { topicName } });
    await client.drop();
  }
  assert.deepEqual(watcher.words(), ['PUBLISH yes qos=0 "gone"']);
  await lasting(broker, "later", { username: "u", will: { topicName: "no", qos: 1 } });
  await broker.restart();
  assert.deepEqual((await resume(broker, "watcher")).words, ["CONNACK 0x00 present=1"]);
  assert.deepEqual(asked, ["no u no", "throw u throw", "yes u yes", "later u no"]);
  assert.equal(broker.counters.willsPublished, 0);
});

test("tells the application how a hook failed, and the client only that it did - attack JS-02", async () => {
  const error = new Error("no connection to db://user:canary@host");
  const broker = await MemoryBroker.start({
    hooks: {
      connect: ({ clientId }) => (clientId === "a" ? Promise.reject(error) : undefined),
      // What a program without types may throw.
      publish: () => Promise.reject(Object.create(null) as Error),
    },
  });
  const a = broker.client("a");
  a.sendConnect();
  const b = await clean(broker, "b");
  b.sendPublish({ topicName: "t", qos: 1 });
  await broker.settle();
  for (const client of [a, b]) {
    const [{ reasonCode, properties }] = client.take() as [Connack | Disconnect];
    assert.equal(reasonCode, 0x80);
    assert.equal(properties.reasonString, "a hook failed");
    assert.equal(client.isClosed, true);
  }
  const [first, second] = broker.eventsOf("hookFailed") as BrokerEvents["hookFailed"][];
  assert.deepEqual(first, { remoteAddress: "memory:a", error });
  assert.equal(second?.error.message, "what was thrown is no Error");
  const told = [...broker.eventsOf("refused"), ...broker.eventsOf("disconnected")];
  assert.equal(told.length, 2);
  assert.doesNotMatch(JSON.stringify(told), /canary/);
});

test("tells who comes and goes", async () => {
  const broker = await MemoryBroker.start();
  const client = await clean(broker, "c");
  await client.subscribe("t");
  await client.unsubscribe("t");
  await client.disconnect();
  broker.client("bad").sendBytes(Uint8Array.of(0));
  await broker.settle();
  assert.deepEqual(
    broker.events.map(({ name }) => name),
    ["connected", "subscribed", "unsubscribed", "disconnected", "refused"],
  );
});

test("drops logs that nobody reads, and keeps those with an offline reader", async () => {
  const broker = await MemoryBroker.start();
  const stays = await lasting(broker, "stays");
  await stays.subscribe("t/1");
  await stays.drop();
  const goes = await lasting(broker, "goes");
  await goes.subscribe(["t/2", "t/3"]);
  const pub = await clean(broker, "pub");
  for (const topicName of ["t/1", "t/2", "t/3"]) await publishAll(pub, topicName, 1, ["x"]);
  assert.equal(broker.counters.logs, 3);
  await goes.disconnect(0, 0);
  await broker.advance(2);
  assert.equal(broker.counters.logs, 1);
  assert.deepEqual((await broker.disk.store.loadLogs()).length, 1);
  assert.deepEqual(await pub.publish({ topicName: "t/2", qos: 1, packetId: 1 }), ["PUBACK 1 0x10"]);
});
