// Accounts: a session belongs to the one that made it, and each has its share of sessions and connections.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Broker, Counters, MemoryStore, type Hooks, type Permissions } from "@heirloom/core";
import { MemoryBroker, MemoryWorld } from "@heirloom/core/testing";
import { lasting, resume } from "./support.ts";

/** Everyone is who they say they are. */
const BELIEVE: Hooks = { connect: () => undefined };

for (const version of [4, 5] as const) {
  for (const cleanStart of [true, false]) {
    const how = `MQTT ${version === 5 ? "5.0" : "3.1.1"}, ${cleanStart ? "clean" : "resuming"}`;
    test(`another account cannot take a session up, online or offline: ${how} - attack SESS-01, attack SESS-02`, async () => {
      const broker = await MemoryBroker.start({ hooks: BELIEVE });
      const victim = await lasting(broker, "id", { username: "victim" });
      await victim.subscribe("t");
      const refused = version === 5 ? "CONNACK 0x87 present=0" : "CONNACK 0x05 present=0";
      const tries = async (username?: string): Promise<string[]> =>
        broker.client("id", version).connect({ cleanStart, ...(username === undefined ? {} : { username }) });
      assert.deepEqual(await tries("thief"), [refused]);
      assert.deepEqual(await tries(), [refused]);
      assert.deepEqual(await victim.ping(), ["PINGRESP"]);
      await victim.drop();
      await broker.restart();
      const publisher = broker.client("p");
      await publisher.connect({ username: "p" });
      await publisher.publish({ topicName: "t", qos: 1, payload: "mine" });
      assert.deepEqual(await tries("thief"), [refused]);
      const { words } = await resume(broker, "id", { username: "victim" });
      assert.deepEqual(words, ["CONNACK 0x00 present=1", 'PUBLISH 1 t qos=1 dup=0 "mine"']);
    });
  }
}

test("anyone who knows the client identifier takes it up where that is wanted", async () => {
  const broker = await MemoryBroker.start({ hooks: BELIEVE, limits: { sessionOwner: "anyone" } });
  await lasting(broker, "id", { username: "a" });
  const { words } = await resume(broker, "id", { username: "b" });
  assert.deepEqual(words, ["CONNACK 0x00 present=1"]);
});

test("a session made without an account belongs to whoever comes first with one", async () => {
  const broker = await MemoryBroker.start({ hooks: BELIEVE });
  await lasting(broker, "id");
  const { client } = await resume(broker, "id", { username: "a" });
  await client.drop();
  await broker.restart();
  assert.deepEqual((await resume(broker, "id", { username: "b" })).words, ["CONNACK 0x87 present=0"]);
  assert.deepEqual((await resume(broker, "id", { username: "a" })).words, ["CONNACK 0x00 present=1"]);
});

test("client identifiers are compared byte for byte - attack SESS-07, attack PARSE-15", async () => {
  const broker = await MemoryBroker.start({ hooks: BELIEVE });
  const names = ["id", "ID", "id ", "\u00e9", "e\u0301", "\ufeffid", "constructor", "__proto__"];
  for (const name of names) await lasting(broker, name, { username: `of ${name}` });
  assert.equal(broker.counters.sessions, names.length);
  for (const name of names) {
    assert.deepEqual((await resume(broker, name, { username: `of ${name}` })).words, [
      "CONNACK 0x00 present=1",
    ]);
  }
});

test("sessions of one account, and of all, are bounded: 0x97 - attack SESS-05", async () => {
  const broker = await MemoryBroker.start({
    hooks: BELIEVE,
    limits: { sessionsPerAccount: 2, sessions: 3 },
  });
  for (const clientId of ["a1", "a2"]) await (await lasting(broker, clientId, { username: "a" })).drop();
  const full = ["CONNACK 0x97 present=0"];
  assert.deepEqual(await broker.client("a3").connect({ username: "a" }), full);
  assert.deepEqual((await resume(broker, "a1", { username: "a" })).words, ["CONNACK 0x00 present=1"]);
  await broker.restart();
  assert.deepEqual(await broker.client("a3").connect({ username: "a" }), full);
  await lasting(broker, "b1", { username: "b" });
  assert.deepEqual(await broker.client("b2").connect({ username: "b" }), full);
  assert.deepEqual(await broker.client("a2").connect({ username: "a" }), ["CONNACK 0x00 present=0"]);
});

test("connections of one account are bounded; a takeover is none more", async () => {
  const broker = await MemoryBroker.start({ hooks: BELIEVE, limits: { connectionsPerAccount: 2 } });
  const first = await lasting(broker, "1", { username: "a" });
  await lasting(broker, "2", { username: "a" });
  assert.deepEqual(await broker.client("3").connect({ username: "a" }), ["CONNACK 0x97 present=0"]);
  assert.deepEqual((await resume(broker, "2", { username: "a" })).words, ["CONNACK 0x00 present=1"]);
  await lasting(broker, "b", { username: "b" });
  await first.drop();
  assert.deepEqual(await broker.client("3").connect({ username: "a" }), ["CONNACK 0x00 present=0"]);
});

test("a connection ends when what the client showed of itself expires - attack AUTHN-10", async () => {
  const broker = await MemoryBroker.start({
    hooks: { connect: () => ({ account: "a", validForMs: 2_000 }) },
  });
  const client = broker.client("c");
  await client.connect();
  await broker.advance(1);
  assert.deepEqual(await client.ping(), ["PINGRESP"]);
  await broker.advance(1);
  assert.deepEqual(client.words(), ["DISCONNECT 0x87"]);
  assert.equal(client.isClosed, true);
});

test("removing an account ends its connections and sessions, and publishes no will - attack SESS-09, attack WILL-02", async () => {
  const broker = await MemoryBroker.start({ hooks: BELIEVE });
  const watcher = await lasting(broker, "watcher", { username: "w" });
  await watcher.subscribe("#");
  const online = await lasting(broker, "online", { username: "a", will: { topicName: "will" } });
  await (await lasting(broker, "offline", { username: "a" })).drop();
  assert.equal(broker.broker.removeAccount("a"), 2);
  await broker.settle();
  assert.deepEqual(online.words(), ["DISCONNECT 0x98"]);
  assert.deepEqual(watcher.words(), []);
  assert.equal(broker.counters.sessions, 1);
  await broker.restart();
  assert.deepEqual((await resume(broker, "offline", { username: "a" })).words, ["CONNACK 0x00 present=0"]);
});

test("the connections of accounts end, their sessions stay", async () => {
  const broker = await MemoryBroker.start({ hooks: BELIEVE });
  const ending = await lasting(broker, "one", { username: "a" });
  const staying = await lasting(broker, "other", { username: "b" });
  assert.equal(broker.broker.disconnectAccounts(new Set(["a", "nobody"]), 0x87, "another password"), 1);
  await broker.settle();
  assert.deepEqual(ending.words(), ["DISCONNECT 0x87"]);
  assert.deepEqual(await staying.ping(), ["PINGRESP"]);
  assert.deepEqual((await resume(broker, "one", { username: "a" })).words, ["CONNACK 0x00 present=1"]);
});

for (const asked of ["will", "subscriptions"] as const) {
  for (const [how, revoke] of [
    ["is removed", (broker: Broker) => broker.removeAccounts(new Set(["a"]))],
    ["has another password", (broker: Broker) => broker.disconnectAccounts(new Set(["a"]), 0x87, "changed")],
  ] as const) {
    test(`an account that ${how} while it is asked about the ${asked} of its CONNECT is refused - attack AUTHN-10`, async () => {
      const waiting: (() => void)[] = [];
      let isSlow = false;
      const allow = (): undefined | Promise<undefined> =>
        isSlow ? new Promise((resolve) => waiting.push(() => resolve(undefined))) : undefined;
      const permissions: Permissions = {
        accessOf: () => ({ publish: allow, subscribe: allow, receive: () => true }),
        start: () => undefined,
        stop: () => undefined,
      };
      const broker = await MemoryBroker.start({ hooks: BELIEVE, permissions });
      const client = await lasting(broker, "c", { username: "a" });
      await client.subscribe("t");
      await client.drop();
      // Answers that are known do not outlive the process.
      await broker.restart();
      isSlow = true;
      const other = broker.client("other");
      const again = broker.client("c");
      const will = { topicName: "will" };
      const properties = { sessionExpiryInterval: 100 };
      const connect = { username: "a", properties, ...(asked === "will" ? { will } : {}) };
      assert.deepEqual(await other.connect({ username: "b", will }), []);
      assert.deepEqual(await again.connect({ ...connect, cleanStart: asked === "will" }), []);
      revoke(broker.broker);
      await broker.settle();
      assert.deepEqual(again.words(), ["CONNACK 0x87 present=0"]);
      isSlow = false;
      for (const answer of waiting) answer();
      await broker.settle();
      assert.deepEqual(again.words(), []);
      assert.equal(again.isClosed, true);
      assert.deepEqual(other.words(), ["CONNACK 0x00 present=0"]);
    });
  }
}

test("what stands around the core counts in the same object", () => {
  const counters = new Counters();
  const broker = new Broker({ store: new MemoryStore(), world: new MemoryWorld(0), counters });
  assert.equal(broker.counters, counters);
});
