// Enhanced authentication: AUTH goes back and forth before CONNACK, and again while connected. MQTT 5.0 section 4.12.

import assert from "node:assert/strict";
import { test } from "node:test";
import { PacketType } from "@heirloom/codec";
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

test("nothing but AUTH and DISCONNECT before CONNACK - 5.0 [MQTT-3.1.2-30]", async () => {
  const broker = await start();
  const client = broker.client("c");
  await client.connect(CONNECT);
  assert.deepEqual(await client.subscribe("t"), ["CONNACK 0x82 present=0"]);
  assert.equal(broker.counters.subscriptions, 0);
});

test("AUTH without a method in CONNECT is 0x82 - 5.0 [MQTT-4.12.0-7]", async () => {
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
