// The broker for tests: time moves only by hand, and everything that follows is done when `advance` returns.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { MemoryStore } from "@heirloom/core";
import { createTestBroker, type TestBroker, type TestBrokerOptions } from "heirloom/testing";
import { MqttClient, type IClientOptions } from "mqtt";

async function testBroker(context: TestContext, options?: TestBrokerOptions): Promise<TestBroker> {
  const broker = await createTestBroker(options);
  context.after(() => broker.stop());
  return broker;
}

/** A client of MQTT.js on a stream of the broker. Its own timers are off. */
async function connected(
  context: TestContext,
  broker: TestBroker,
  options: IClientOptions,
): Promise<MqttClient> {
  const client = new MqttClient(() => broker.connect(), { reconnectPeriod: 0, keepalive: 0, ...options });
  context.after(() => client.end(true));
  await new Promise<void>((resolve, reject) => {
    client.once("connect", () => resolve());
    client.once("error", reject);
  });
  return client;
}

/** What a client receives from now on, as "topic payload". */
function receivedBy(client: MqttClient): string[] {
  const received: string[] = [];
  client.on("message", (topic, payload) => received.push(`${topic} ${payload.toString()}`));
  return received;
}

describe("createTestBroker", () => {
  it("serves real clients in process", async (context) => {
    const broker = await testBroker(context);
    const client = await connected(context, broker, { clientId: "c", protocolVersion: 5 });
    const received = receivedBy(client);
    await client.subscribeAsync("a/#", { qos: 2 });
    await client.publishAsync("a/b", "one", { qos: 2 });
    await broker.publish("a/c", "two");
    await broker.settle();
    assert.deepEqual(received, ["a/b one", "a/c two"]);
  });

  it("moves time by what was asked for, as a number of milliseconds or in words", async (context) => {
    const broker = await testBroker(context, { startMs: 1_000 });
    assert.equal(broker.nowMs, 1_000);
    await broker.advance(500);
    await broker.advance("2h");
    assert.equal(broker.nowMs, 1_500 + 7_200_000);
    await assert.rejects(broker.advance("soon"), { code: "USAGE" });
    await assert.rejects(broker.advance(-1), { code: "USAGE" });
  });

  it("fires each deadline in order: a will delay, then the end of the session", async (context) => {
    const broker = await testBroker(context);
    const told: string[] = [];
    const startMs = broker.nowMs;
    broker.on("willPublished", ({ topicName }) => told.push(`${broker.nowMs - startMs} will ${topicName}`));
    broker.on("sessionEnded", ({ clientId }) => told.push(`${broker.nowMs - startMs} ended ${clientId}`));
    const client = await connected(context, broker, {
      clientId: "c",
      protocolVersion: 5,
      clean: false,
      properties: { sessionExpiryInterval: 3_600 },
      will: { topic: "w", payload: Buffer.from("gone"), qos: 1, properties: { willDelayInterval: 60 } },
    });
    client.stream.destroy();
    await broker.advance("59s");
    assert.equal(told.length, 0);
    await broker.advance("2h");
    assert.deepEqual(
      told.map((line) => line.replace(/^\d+ /, "")),
      ["will w", "ended c"],
    );
    const [willMs, endMs] = told.map((line) => Number(line.split(" ", 1)[0]));
    assert.ok(willMs !== undefined && willMs >= 60_000 && willMs < 61_000, `${willMs}`);
    assert.ok(endMs !== undefined && endMs >= 3_600_000 && endMs < 3_601_000, `${endMs}`);
  });

  it("closes a client that is silent for one and a half times its Keep Alive - 5.0 [MQTT-3.1.2-22]", async (context) => {
    const broker = await testBroker(context);
    const reasons: number[] = [];
    broker.on("disconnected", ({ reasonCode }) => reasons.push(reasonCode));
    const stream = broker.connect();
    // CONNECT of 5.0, Keep Alive 10 s, ClientId "a".
    stream.write(Buffer.from("100e00044d5154540502000a00000161", "hex"));
    const chunks: Buffer[] = [];
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    await broker.advance("14s");
    assert.equal(reasons.length, 0);
    await broker.advance("3s");
    assert.deepEqual(reasons, [0x8d]);
    assert.equal(Buffer.concat(chunks)[0], 0x20);
  });

  it("keeps sessions over a restart on the same store", async (context) => {
    const store = new MemoryStore();
    const first = await createTestBroker({ store });
    const session: IClientOptions = { clientId: "c", clean: false };
    const client = await connected(context, first, session);
    await client.subscribeAsync("a", { qos: 1 });
    client.end(true);
    await first.settle();
    await first.publish("a", "kept", { qos: 1 });
    await first.stop();
    const second = await testBroker(context, { store });
    const again = new MqttClient(() => second.connect(), { reconnectPeriod: 0, keepalive: 0, ...session });
    context.after(() => again.end(true));
    const received = receivedBy(again);
    await second.settle();
    assert.deepEqual(received, ["a kept"]);
  });
});
