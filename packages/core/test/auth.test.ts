// Enhanced authentication: AUTH goes back and forth before CONNACK, and again while connected. MQTT 5.0 section 4.12.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Packet, PacketType } from "@heirloom/codec";
import type { AuthMethod } from "@heirloom/core";
import { MemoryBroker, type TestClient, utf8 } from "@heirloom/core/testing";
import { clean } from "./support.ts";

/** Asks once, and is content with "yes". */
const method: AuthMethod = {
  start: () => ({
    step(data, packet) {
      if (packet.type === PacketType.CONNECT || packet.reasonCode === 0x19) return { outcome: "continue" };
      const isRight = data !== undefined && new TextDecoder().decode(data) === "yes";
      return isRight ? { outcome: "success", username: "u" } : { outcome: "refuse", reasonCode: 0x87 };
    },
  }),
};

function start(): Promise<MemoryBroker> {
  return MemoryBroker.start({ hooks: { authMethods: new Map([["ask", method]]) } });
}

async function auth(
  broker: MemoryBroker,
  client: TestClient,
  reasonCode: number,
  answer?: string,
): Promise<string[]> {
  client.send({
    type: PacketType.AUTH,
    reasonCode,
    properties: {
      authenticationMethod: "ask",
      ...(answer === undefined ? {} : { authenticationData: utf8(answer) }),
    },
  });
  await broker.settle();
  return client.words();
}

const CONNECT = { properties: { authenticationMethod: "ask" } };

test("connects after the right answer, with the method in CONNACK - 5.0 [MQTT-4.12.0-2], [MQTT-4.12.0-5]", async () => {
  const broker = await start();
  const client = broker.client("c");
  assert.deepEqual(await client.connect(CONNECT), ["AUTH 0x18"]);
  assert.deepEqual(await auth(broker, client, 0x18, "yes"), ["CONNACK 0x00 present=0 method=ask"]);
  assert.deepEqual(await client.ping(), ["PINGRESP"]);
});

test("refuses the wrong answer and leaves the holder of the ClientId alone - 5.0 [MQTT-4.12.0-4], [MQTT-3.1.4-2]", async () => {
  const broker = await start();
  const holder = await clean(broker, "c");
  const client = broker.client("c");
  await client.connect(CONNECT);
  assert.deepEqual(await auth(broker, client, 0x18, "no"), ["CONNACK 0x87 present=0"]);
  assert.equal(client.isClosed, true);
  assert.deepEqual(await holder.ping(), ["PINGRESP"]);
});

test("refuses a method that it does not know with 0x8C - 5.0 [MQTT-4.12.0-1]", async () => {
  const broker = await start();
  assert.deepEqual(await broker.client("c").connect({ properties: { authenticationMethod: "x" } }), [
    "CONNACK 0x8C present=0",
  ]);
});

test("nothing but AUTH and DISCONNECT before CONNACK - 5.0 [MQTT-3.1.2-30] - attack STATE-04", async () => {
  const broker = await start();
  const client = broker.client("c");
  await client.connect(CONNECT);
  assert.deepEqual(await client.subscribe("t"), ["CONNACK 0x82 present=0"]);
  assert.equal(broker.counters.subscriptions, 0);
});

test("AUTH without a method in CONNECT is 0x82 - 5.0 [MQTT-4.12.0-7] - attack STATE-09", async () => {
  const broker = await start();
  const client = await clean(broker, "c");
  assert.deepEqual(await auth(broker, client, 0x19), ["DISCONNECT 0x82"]);
});

test("authenticates again while messages go on; a wrong answer ends the connection - 5.0 [MQTT-4.12.1-1], [MQTT-4.12.1-2]", async () => {
  const broker = await start();
  const client = broker.client("c");
  await client.connect(CONNECT);
  await auth(broker, client, 0x18, "yes");
  assert.deepEqual(await auth(broker, client, 0x19), ["AUTH 0x18"]);
  assert.deepEqual(await client.ping(), ["PINGRESP"]);
  assert.deepEqual(await auth(broker, client, 0x18, "yes"), ["AUTH 0x00"]);
  await auth(broker, client, 0x19);
  assert.deepEqual(await auth(broker, client, 0x18, "no"), ["DISCONNECT 0x87"]);
  assert.equal(client.isClosed, true);
});

/** Asks again and again, and never says whether it is content. */
const endless: AuthMethod = { start: () => ({ step: () => ({ outcome: "continue" }) }) };

test("an authentication has ten AUTH packets and the time for CONNECT, and no more - attack STATE-09", async () => {
  const hooks = { authMethods: new Map([["ask", endless]]) };
  const broker = await MemoryBroker.start({ hooks, limits: { connectTimeoutMs: 10_000 } });
  const busy = broker.client("busy");
  assert.deepEqual(await busy.connect(CONNECT), ["AUTH 0x18"]);
  for (let round = 1; round <= 10; round++) {
    assert.deepEqual(await auth(broker, busy, 0x18), ["AUTH 0x18"], `round ${round}`);
  }
  assert.deepEqual([await auth(broker, busy, 0x18), busy.isClosed], [["CONNACK 0x87 present=0"], true]);

  const slow = broker.client("slow");
  await slow.connect(CONNECT);
  await broker.advance(9);
  await auth(broker, slow, 0x18);
  await broker.advance(1.1);
  assert.deepEqual([slow.words(), slow.isClosed], [[], true]);
  assert.equal(broker.counters.sessions, 0);
});

test("so has each re-authentication; one that succeeds in time leaves the connection alone - attack STATE-09", async () => {
  const broker = await start();
  const connected = async (): Promise<TestClient> => {
    const client = broker.client("c");
    await client.connect(CONNECT);
    await auth(broker, client, 0x18, "yes");
    return client;
  };
  const slow = await connected();
  assert.deepEqual(await auth(broker, slow, 0x19), ["AUTH 0x18"]);
  await broker.advance(10.1);
  assert.deepEqual([slow.words(), slow.isClosed], [["DISCONNECT 0x87"], true]);
  const quick = await connected();
  for (let time = 0; time < 12; time++) {
    await auth(broker, quick, 0x19);
    assert.deepEqual(await auth(broker, quick, 0x18, "yes"), ["AUTH 0x00"]);
    await broker.advance(9);
  }
  await broker.advance(60);
  assert.deepEqual(await quick.ping(), ["PINGRESP"]);
});

test("AUTH out of its place is 0x82: without a method, with another one, or without 0x19 after success - attack STATE-09", async () => {
  const authOf = (reasonCode: number, authenticationMethod: string): Packet => ({
    type: PacketType.AUTH,
    reasonCode,
    properties: { authenticationMethod },
  });
  const cases = [
    [{}, 0x18, "ask"],
    [{}, 0x19, "ask"],
    [CONNECT, 0x19, "other"],
    [CONNECT, 0x18, "ask"],
    [CONNECT, 0x00, "ask"],
  ] as const;
  for (const [connect, reasonCode, method] of cases) {
    const broker = await start();
    const client = broker.client("c");
    await client.connect(connect);
    if (connect === CONNECT) await auth(broker, client, 0x18, "yes");
    client.send(authOf(reasonCode, method));
    await broker.settle();
    assert.deepEqual([client.words().at(-1), client.isClosed], ["DISCONNECT 0x82", true]);
  }
  const broker = await start();
  for (const [reasonCode, method] of [
    [0x18, "other"],
    [0x19, "ask"],
    [0x00, "ask"],
  ] as const) {
    const client = broker.client("c");
    await client.connect(CONNECT);
    client.send(authOf(reasonCode, method));
    await broker.settle();
    assert.deepEqual([client.words(), client.isClosed], [["CONNACK 0x82 present=0"], true]);
  }
});

test("a method that throws when it is begun ends the connection, and nothing else - attack JS-02", async () => {
  let isBroken = true;
  const method: AuthMethod = {
    start: () => {
      if (isBroken) throw new Error("no database");
      return { step: () => ({ outcome: "success" }) };
    },
  };
  const broker = await MemoryBroker.start({ hooks: { authMethods: new Map([["ask", method]]) } });
  const refused = broker.client("refused");
  assert.deepEqual(await refused.connect(CONNECT), ["CONNACK 0x80 present=0"]);
  isBroken = false;
  const client = broker.client("c");
  assert.deepEqual(await client.connect(CONNECT), ["CONNACK 0x00 present=0 method=ask"]);
  isBroken = true;
  assert.deepEqual([await auth(broker, client, 0x19), client.isClosed], [["DISCONNECT 0x80"], true]);
  assert.equal(broker.eventsOf("hookFailed").length, 2);
});

test("re-authentication as another account ends the connection with 0x87 - attack STATE-09", async () => {
  let username = "first";
  const changing: AuthMethod = { start: () => ({ step: () => ({ outcome: "success", username }) }) };
  const broker = await MemoryBroker.start({ hooks: { authMethods: new Map([["ask", changing]]) } });
  const client = broker.client("c");
  await client.connect(CONNECT);
  assert.deepEqual(await auth(broker, client, 0x19), ["AUTH 0x00"]);
  username = "second";
  assert.deepEqual([await auth(broker, client, 0x19), client.isClosed], [["DISCONNECT 0x87"], true]);
});
