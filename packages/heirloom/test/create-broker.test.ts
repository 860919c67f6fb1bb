// The library: the examples of the manual, and what goes wrong, with real MQTT clients (MQTT.js).

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { MemoryStore, StoreError } from "@heirloom/core";
import { type Broker, type BrokerOptions, createBroker, type ReceivedMessage } from "heirloom";
import mqtt, { type IDisconnectPacket, type MqttClient } from "mqtt";
import { newDirectory, readAll } from "./support.ts";

async function running(context: TestContext, options: BrokerOptions = {}): Promise<Broker> {
  const broker = await createBroker({ store: "memory", port: 0, ...options });
  context.after(() => broker.stop());
  return broker;
}

function urlOf(broker: Broker, index = 0): string {
  const url = broker.listeners[index]?.url;
  assert.ok(url !== undefined);
  return url;
}

/** Resolves when a client's connection has closed. */
function closeOf(client: MqttClient): Promise<void> {
  return new Promise((resolve) => client.once("close", () => resolve()));
}

/** The first `count` messages of a subscription of the application. */
async function firstMessages(broker: Broker, topicFilter: string, count: number): Promise<ReceivedMessage[]> {
  const messages: ReceivedMessage[] = [];
  await new Promise<void>((resolve) => {
    void broker.subscribe(topicFilter, (message) => {
      if (messages.push(message) === count) resolve();
    });
  });
  return messages;
}

describe("createBroker", () => {
  it("listens on a free port of this machine for port 0, and says which", async (context) => {
    const broker = await running(context, { wsPort: 0 });
    const [tcp, webSocket] = broker.listeners;
    assert.ok(tcp !== undefined && webSocket !== undefined);
    assert.match(tcp.url, /^mqtt:\/\/127\.0\.0\.1:\d+$/);
    assert.match(webSocket.url, /^ws:\/\/127\.0\.0\.1:\d+$/);
    assert.ok(tcp.port > 0 && webSocket.port > 0);
  });

  it("listens nowhere without listeners", async (context) => {
    const broker = await createBroker({ store: "memory", listeners: [] });
    context.after(() => broker.stop());
    assert.deepEqual(broker.listeners, []);
  });

  it("publishes and subscribes in process, with properties", async (context) => {
    const broker = await running(context);
    const received = firstMessages(broker, "greetings/+", 2);
    await broker.publish("greetings/world", "hello", {
      qos: 1,
      contentType: "text/plain",
      correlationData: Uint8Array.of(1, 2),
      userProperties: [["a", "b"]],
    });
    await broker.publish("greetings/bytes", Uint8Array.of(0, 255));
    const [first, second] = await received;
    assert.ok(first !== undefined && second !== undefined);
    assert.equal(first.topicName, "greetings/world");
    assert.equal(first.payload.toString(), "hello");
    assert.equal(first.qos, 0);
    assert.equal(first.retain, false);
    assert.equal(first.properties.contentType, "text/plain");
    assert.deepEqual([...(first.properties.correlationData ?? [])], [1, 2]);
    assert.deepEqual(first.properties.userProperties, [["a", "b"]]);
    assert.deepEqual([...second.payload], [0, 255]);
  });

  it("gives retained messages to a new subscription, and nothing after unsubscribe", async (context) => {
    const broker = await running(context);
    await broker.publish("state", "on", { qos: 1, retain: true });
    const [retained] = await firstMessages(broker, "state", 1);
    assert.equal(retained?.payload.toString(), "on");
    assert.equal(retained.retain, true);
    const subscription = await broker.subscribe("other", () => assert.fail("was unsubscribed"));
    subscription.unsubscribe();
    const last = firstMessages(broker, "other", 1);
    await broker.publish("other", "x");
    await last;
  });

  it("refuses what is no message and no filter", async (context) => {
    const broker = await running(context);
    await assert.rejects(broker.publish("a/#", "x"), { code: "USAGE" });
    await assert.rejects(broker.publish("", "x"), { code: "USAGE" });
    await assert.rejects(broker.publish("a", "x", { messageExpiryInterval: -1 }), { code: "USAGE" });
    await assert.rejects(
      async () => broker.subscribe("a/#/b", () => {}),
      (error) => error instanceof Error && "code" in error && error.code === "USAGE",
    );
    await assert.rejects(async () => broker.subscribe("$share/g", () => {}), { code: "USAGE" });
  });

  it("refuses a retained message when there is no room for it", async (context) => {
    const broker = await running(context, { limits: { retainedMessages: 1 } });
    await broker.publish("one", "x", { retain: true });
    await assert.rejects(broker.publish("two", "x", { retain: true }), {
      code: "PUBLISH_REFUSED",
      reasonCode: 0x97,
    });
  });

  it("tells what happens", async (context) => {
    const broker = await running(context);
    const told: string[] = [];
    broker.on("connected", ({ client }) => told.push(`connected ${client.clientId} on ${client.listener}`));
    broker.on("subscribed", ({ topicFilter, qos }) => told.push(`subscribed ${topicFilter} ${qos}`));
    const disconnected = new Promise<void>((resolve) => {
      broker.on("disconnected", ({ client, reasonCode }) => {
        told.push(`disconnected ${client.clientId} ${reasonCode}`);
        resolve();
      });
    });
    const client = await mqtt.connectAsync(urlOf(broker), { clientId: "c1", reconnectPeriod: 0 });
    await client.subscribeAsync("a/+", { qos: 2 });
    await client.endAsync();
    await disconnected;
    assert.deepEqual(told, ["connected c1 on tcp", "subscribed a/+ 2", "disconnected c1 0"]);
    assert.equal(broker.counters.connectionsAccepted, 1);
  });

  it("asks its hooks", async (context) => {
    const broker = await running(context, {
      hooks: {
        connect: (connect) => (connect.username === "alice" ? undefined : { reasonCode: 0x87 }),
        subscribe: ({ topicFilter }) => (topicFilter === "secret" ? { reasonCode: 0x87 } : undefined),
      },
    });
    const options = { reconnectPeriod: 0, protocolVersion: 5 } as const;
    await assert.rejects(mqtt.connectAsync(urlOf(broker), { ...options, username: "bob" }), { code: 0x87 });
    const client = await mqtt.connectAsync(urlOf(broker), { ...options, username: "alice" });
    context.after(() => client.end(true));
    await client.subscribeAsync("open");
    await assert.rejects(client.subscribeAsync("secret"));
  });

  it("keeps what it acknowledged over a restart on the same data", async (context) => {
    const data = await newDirectory(context);
    const session = { clientId: "keeper", clean: false, reconnectPeriod: 0 } as const;
    const first = await createBroker({ port: 0, data });
    const subscriber = await mqtt.connectAsync(urlOf(first), session);
    await subscriber.subscribeAsync("kept", { qos: 1 });
    await subscriber.endAsync();
    await first.publish("kept", "over the restart", { qos: 1 });
    await first.stop();
    const second = await createBroker({ port: 0, data });
    context.after(() => second.stop());
    const again = mqtt.connect(urlOf(second), session);
    context.after(() => again.end(true));
    const [topic, payload] = await new Promise<[string, Buffer]>((resolve) => {
      again.once("message", (...message) => resolve([message[0], message[1]]));
    });
    assert.equal(topic, "kept");
    assert.equal(payload.toString(), "over the restart");
  });

  it("says server shutting down (0x8B) to clients of 5.0 when it stops, and closes", async () => {
    const broker = await createBroker({ store: "memory", port: 0 });
    const client = await mqtt.connectAsync(urlOf(broker), { protocolVersion: 5, reconnectPeriod: 0 });
    const goodbye = new Promise<IDisconnectPacket>((resolve) => client.once("disconnect", resolve));
    const closed = closeOf(client);
    await broker.stop();
    assert.equal((await goodbye).reasonCode, 0x8b);
    await closed;
    assert.equal(broker.stop(), broker.stop(), "stopping again is the same stop");
  });

  it("takes a stream of the application's own", async (context) => {
    const broker = await running(context, { wsPort: 0 });
    const { createServer } = await import("node:net");
    const server = createServer((socket) =>
      broker.attach(socket, { listener: "own", remoteAddress: "there" }),
    );
    server.listen(0, "127.0.0.1");
    context.after(() => server.close());
    await once(server, "listening");
    const address = server.address();
    assert.ok(address !== null && typeof address === "object");
    const connected = new Promise((resolve) =>
      broker.on("connected", ({ client }) => resolve(client.listener)),
    );
    const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${address.port}`, { reconnectPeriod: 0 });
    assert.equal(await connected, "own");
    await client.endAsync();
  });

  it("tells of a store that failed, closes all connections and stops", async (context) => {
    class FailingStore extends MemoryStore {
      failing = false;

      override commit(...batch: Parameters<MemoryStore["commit"]>): Promise<void> {
        if (!this.failing) return super.commit(...batch);
        return Promise.reject(new StoreError("STORE_FAILED", "as the test wants it"));
      }
    }
    const store = new FailingStore();
    const broker = await createBroker({ store, port: 0 });
    const failed = new Promise<Error>((resolve) => broker.on("storeFailed", ({ error }) => resolve(error)));
    const client = await mqtt.connectAsync(urlOf(broker), {
      reconnectPeriod: 0,
      clean: false,
      clientId: "c",
    });
    context.after(() => client.end(true));
    client.on("error", () => {});
    const closed = closeOf(client);
    store.failing = true;
    client.publish("a", "x", { qos: 1, retain: true }, () => {});
    assert.match((await failed).message, /as the test wants it/);
    await closed;
    await broker.stop();
  });

  for (const [name, options, message] of [
    ["an option that does not exist", { prot: 1 }, "prot: there is no such option; did you mean port?"],
    [
      "a limit out of range",
      { limits: { receiveMaximum: 0 } },
      "limits.receiveMaximum: seen 0, expected a whole number from 1 to 65535",
    ],
    [
      "milliseconds out of range",
      { limits: { connectTimeoutMs: 5 } },
      "limits.connectTimeoutMs: seen 5, expected milliseconds from 100 to 3600000",
    ],
    [
      "two ways to name listeners",
      { port: 1, listeners: [] },
      "listeners: expected either `listeners` or `port`, `wsPort` and `host`",
    ],
    [
      "a port that is none",
      { port: 65_536 },
      "listeners[0].port: seen 65536, expected a whole number from 0 to 65535",
    ],
  ] as const) {
    it(`refuses ${name}`, async () => {
      const given: object = { store: "memory", ...options };
      await assert.rejects(createBroker(given), { code: "CONFIG_INVALID", message });
    });
  }

  it("refuses allowAnonymous: false when nobody can tell who a client is", async () => {
    await assert.rejects(
      createBroker({ store: "memory", allowAnonymous: false }),
      /allowAnonymous: seen false/,
    );
  });

  it("leaves nothing open when it cannot listen", async (context) => {
    const first = await running(context);
    const port = first.listeners[0]?.port ?? 0;
    const data = await newDirectory(context);
    const both = { data, listeners: [{ port: 0 }, { port }] };
    await assert.rejects(createBroker(both), { code: "LISTEN_FAILED" });
    // The data directory is not locked any more.
    const second = await createBroker({ data, port: 0 });
    await second.stop();
  });

  it("closes connections that send something else than MQTT, and stays", async (context) => {
    const broker = await running(context);
    const socket = connect(broker.listeners[0]?.port ?? 0, "127.0.0.1");
    socket.write("GET / HTTP/1.1\r\n\r\n");
    assert.equal((await readAll(socket)).length, 0);
    const client = await mqtt.connectAsync(urlOf(broker), { reconnectPeriod: 0 });
    await client.endAsync();
  });
});
