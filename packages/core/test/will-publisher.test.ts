// Wills that somebody takes time to answer for: none is lost, and none is published twice, whatever happens meanwhile.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Hooks, Permissions, PublishHook } from "@heirloom/core";
import { MemoryBroker, type TestClient } from "@heirloom/core/testing";
import { lasting, resume } from "./support.ts";

/** A publish hook that is silent until it is told to answer. */
class SlowHook {
  isSlow = true;
  asked = 0;
  #answers: (() => void)[] = [];
  readonly publish: PublishHook = () => {
    this.asked++;
    if (!this.isSlow) return undefined;
    return new Promise((resolve) => this.#answers.push(() => resolve(undefined)));
  };

  answer(): void {
    for (const answer of this.#answers.splice(0)) answer();
  }
}

async function start(hooks: Hooks): Promise<MemoryBroker> {
  const broker = await MemoryBroker.start({ hooks });
  const sub = await lasting(broker, "sub");
  await sub.subscribe({ topicFilter: "will", qos: 1 });
  await sub.drop();
  return broker;
}

/** Connects a client with a will, and loses the connection. */
async function die(broker: MemoryBroker, payload: string, sessionExpiryInterval = 3600): Promise<TestClient> {
  const properties = { sessionExpiryInterval };
  const client = await lasting(broker, "dying", { will: { topicName: "will", qos: 1, payload }, properties });
  await client.drop();
  return client;
}

/** What the subscriber finds when it comes back. */
async function published(broker: MemoryBroker): Promise<string[]> {
  const { client, words } = await resume(broker, "sub");
  await client.drop();
  return words.slice(1).map((word) => /"(.*)"/.exec(word)?.[1] ?? word);
}

test("a will that the hook has not answered for survives a crash and is published once", async () => {
  const hook = new SlowHook();
  const broker = await start({ publish: hook.publish });
  await die(broker, "1");
  await broker.advance(1);
  hook.isSlow = false;
  await broker.restart();
  await broker.advance(1);
  assert.deepEqual(await published(broker), ["1"]);
  await broker.restart();
  await broker.advance(1);
  assert.equal(broker.counters.willsPublished, 0, "once");
  assert.equal(broker.counters.willBytes, 0);
});

test("a will that the permissions have not answered for survives a crash and is published once", async () => {
  let isSlow = false;
  const permissions: Permissions = {
    accessOf: () => ({
      publish: () => (isSlow ? new Promise(() => undefined) : undefined),
      subscribe: () => undefined,
      receive: () => true,
    }),
    start: () => undefined,
    stop: () => undefined,
  };
  const broker = await MemoryBroker.start({ permissions });
  const sub = await lasting(broker, "sub");
  await sub.subscribe({ topicFilter: "will", qos: 1 });
  await sub.drop();
  const dying = await lasting(broker, "dying", { will: { topicName: "will", qos: 1, payload: "1" } });
  isSlow = true;
  await dying.drop();
  await broker.advance(1);
  isSlow = false;
  await broker.restart();
  assert.equal(broker.counters.willsPublished, 1);
  await broker.advance(1);
  await broker.restart();
  assert.equal(broker.counters.willsPublished, 0);
});

test("a will whose time has come is published although its client comes back, with another will, and after a crash", async () => {
  const hook = new SlowHook();
  const broker = await start({ publish: hook.publish });
  await die(broker, "1");
  await die(broker, "2");
  await lasting(broker, "dying", { will: { topicName: "will", qos: 1, payload: "3" } });
  assert.equal(hook.asked, 2);
  hook.isSlow = false;
  await broker.restart();
  assert.equal(broker.counters.willsPublished, 3);
  const words = await published(broker);
  assert.deepEqual(words.sort(), ["1", "2", "3"]);
});

test("a will waits for its answer beyond the end of its session, and a crash", async () => {
  const hook = new SlowHook();
  const broker = await start({ publish: hook.publish });
  await die(broker, "1", 1);
  await broker.advance(5);
  assert.equal(broker.broker.sessionInfo("dying"), undefined);
  hook.isSlow = false;
  await broker.restart();
  assert.deepEqual(await published(broker), ["1"]);
});

test("a will that was answered for is not published again after a crash", async () => {
  const hook = new SlowHook();
  const broker = await start({ publish: hook.publish });
  await die(broker, "1");
  await broker.advance(1);
  hook.answer();
  await broker.advance(1);
  await broker.restart();
  assert.equal(hook.asked, 1);
  assert.deepEqual(await published(broker), ["1"]);
});

test("wills without an answer at a stop, of clean sessions too, are published after the next start, and late answers change nothing", async () => {
  const hook = new SlowHook();
  const broker = await start({ publish: hook.publish });
  await die(broker, "1");
  const clean = broker.client("clean");
  await clean.connect({ will: { topicName: "will", qos: 1, payload: "2" } });
  await broker.stop();
  hook.answer();
  await broker.settle();
  assert.equal(broker.counters.willsPublished, 0);
  hook.isSlow = false;
  await broker.restart();
  assert.deepEqual(await published(broker), ["1", "2"]);
});

test("a will that waits for an answer takes its memory from the limit, and ends with its account", async () => {
  const hook = new SlowHook();
  const broker = await start({
    publish: hook.publish,
    connect: (_connect, { clientId }) => (clientId === "dying" ? { account: "alice" } : undefined),
  });
  await die(broker, "1");
  assert.ok(broker.counters.willBytes > 0);
  broker.broker.removeAccount("alice");
  await broker.settle();
  assert.equal(broker.counters.willBytes, 0);
  hook.answer();
  hook.isSlow = false;
  await broker.restart();
  assert.equal(broker.counters.willsPublished, 0);
  assert.deepEqual(await published(broker), []);
});
