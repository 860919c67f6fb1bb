// MQTT over WebSocket, with real sockets and the client of `ws`. MQTT 5.0 section 6.

import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:http";
import { describe, it, type TestContext } from "node:test";
import { createWebSocketStream, WebSocket } from "ws";
import type { Limits } from "@heirloom/core";
import { createBroker, type ListenerOptions } from "heirloom";
import { resolveSettings } from "../dist/config/settings.js";
import type { Listener } from "../dist/transports/transport.js";
import { listenWebSocket } from "../dist/transports/websocket.js";
import { Accepting, connectTcp, readAll, type NotingConnection } from "./support.ts";
import { WireClient } from "./wire-client.ts";

async function listening(
  context: TestContext,
  options: ListenerOptions = {},
  limits: Partial<Limits> = {},
): Promise<{ listener: Listener; accepting: Accepting }> {
  const accepting = new Accepting();
  const [settings] = resolveSettings(
    { listeners: [{ transport: "websocket", port: 0, ...options }], limits },
    false,
    [],
  ).listeners;
  assert.ok(settings !== undefined);
  const listener = await listenWebSocket(settings, accepting);
  context.after(() => listener.close());
  return { listener, accepting };
}

async function connected(
  context: TestContext,
  options?: ListenerOptions,
): Promise<{ socket: WebSocket; connection: NotingConnection }> {
  const { listener, accepting } = await listening(context, options);
  const socket = new WebSocket(listener.url, "mqtt");
  context.after(() => socket.terminate());
  await once(socket, "open");
  return { socket, connection: await accepting.next() };
}

/** The HTTP status with which an upgrade is refused; 101 when it is not. */
async function upgradeStatus(
  url: string,
  protocols: string[],
  headers: Record<string, string> = {},
): Promise<number> {
  const socket = new WebSocket(url, protocols, { headers });
  return new Promise((resolve, reject) => {
    socket.on("open", () => {
      socket.terminate();
      resolve(101);
    });
    socket.on("unexpected-response", (_request, response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    socket.on("error", reject);
  });
}

describe("listenWebSocket", () => {
  it('answers with the subprotocol "mqtt" - 5.0 [MQTT-6.0.0-4]', async (context) => {
    const { listener } = await listening(context);
    for (const [offered, chosen] of [
      [["mqtt"], "mqtt"],
      [["mqttv3.1"], "mqttv3.1"],
      [["mqttv3.1", "mqtt"], "mqtt"],
      [["chat", "mqtt"], "mqtt"],
    ] as const) {
      const socket = new WebSocket(listener.url, [...offered]);
      await once(socket, "open");
      assert.equal(socket.protocol, chosen);
      socket.terminate();
    }
  });

  it('refuses clients that do not offer "mqtt" - 5.0 [MQTT-6.0.0-3]', async (context) => {
    const { listener, accepting } = await listening(context);
    assert.equal(await upgradeStatus(listener.url, []), 400);
    assert.equal(await upgradeStatus(listener.url, ["chat"]), 400);
    assert.equal(await upgradeStatus(listener.url, ["MQTT"]), 400);
    assert.equal(accepting.waitingCount, 0);
  });

  it("serves every path, or only the one that is configured - attack WS-06", async (context) => {
    const any = await listening(context);
    assert.equal(await upgradeStatus(`${any.listener.url}/some/path`, ["mqtt"]), 101);
    const one = await listening(context, { path: "/mqtt" });
    assert.match(one.listener.url, /\/mqtt$/);
    assert.equal(await upgradeStatus(one.listener.url, ["mqtt"]), 101);
    assert.equal(await upgradeStatus(`${one.listener.url}?token=x`, ["mqtt"]), 101);
    assert.equal(await upgradeStatus(`${one.listener.url}/more`, ["mqtt"]), 404);
  });

  it("lets only pages of this machine connect while anonymous clients of this machine can - attack WS-01", async (context) => {
    const { listener } = await listening(context);
    const statusFor = (origin: string): Promise<number> => upgradeStatus(listener.url, ["mqtt"], { origin });
    for (const origin of ["http://localhost:3000", "http://127.0.0.1", "https://[::1]:8443"]) {
      assert.equal(await statusFor(origin), 101, origin);
    }
    for (const origin of [
      "https://example.org",
      "http://localhost.example.org",
      "null",
      "http://127.0.0.1.example",
    ]) {
      assert.equal(await statusFor(origin), 403, origin);
    }
  });

  it("lets only pages of the configured origins connect - attack WS-01", async (context) => {
    const { listener } = await listening(context, { allowedOrigins: ["https://Example.org"] });
    const statusFor = (origin: string): Promise<number> => upgradeStatus(listener.url, ["mqtt"], { origin });
    assert.equal(await statusFor("https://example.org"), 101);
    for (const origin of ["http://example.org", "https://example.org:444", "https://a.example.org", "null"]) {
      assert.equal(await statusFor(origin), 403, origin);
    }
    const open = await listening(context, { allowedOrigins: ["*"] });
    assert.equal(await upgradeStatus(open.listener.url, ["mqtt"], { origin: "https://example.org" }), 101);
  });

  it("answers plain HTTP with 426 - attack WS-06", async (context) => {
    const { listener } = await listening(context);
    const [response] = await once(request({ port: listener.port, host: "127.0.0.1" }).end(), "response");
    assert.equal(response.statusCode, 426);
    response.resume();
  });

  it("closes what is no HTTP, and stays", async (context) => {
    const { listener, accepting } = await listening(context);
    const socket = await connectTcp(context, listener.port);
    socket.write(Buffer.from("101500044d5154540402003c000161", "hex"));
    await readAll(socket);
    const reset = await connectTcp(context, listener.port);
    reset.write("GET / HTTP/1.1\r\n");
    reset.resetAndDestroy();
    assert.equal(await upgradeStatus(listener.url, ["mqtt"]), 101);
    await accepting.next();
  });

  it("ends upgrades that do not come to an end within the time for CONNECT - attack CONN-01", async (context) => {
    const { listener } = await listening(context, {}, { connectTimeoutMs: 100 });
    const socket = await connectTcp(context, listener.port);
    socket.write("GET / HTTP/1.1\r\nHost: x\r\n");
    await readAll(socket);
  });

  it("closes the oldest upgrade when there are too many - attack CONN-01", async (context) => {
    const { listener, accepting } = await listening(context, {}, { pendingConnections: 1 });
    const silent = await connectTcp(context, listener.port);
    const closed = readAll(silent);
    assert.equal(await upgradeStatus(listener.url, ["mqtt"]), 101);
    await closed;
    assert.equal(accepting.droppedCount, 1);
  });

  it("ends a connection whose first message is larger than CONNECT may be - attack MEM-01", async (context) => {
    const { listener, accepting } = await listening(context, {}, { maximumConnectSize: 1_000 });
    const socket = new WebSocket(listener.url, "mqtt");
    context.after(() => socket.terminate());
    await once(socket, "open");
    await accepting.next();
    socket.on("error", () => undefined);
    socket.send(Buffer.alloc(10_000), { fin: false });
    await once(socket, "close");
  });

  it("collects no more than CONNECT may take of any message until the client is accepted - attack MEM-01", async (context) => {
    const { listener, accepting } = await listening(context, {}, { maximumConnectSize: 1_000 });
    const socket = new WebSocket(listener.url, "mqtt");
    context.after(() => socket.terminate());
    await once(socket, "open");
    const connection = await accepting.next();
    socket.on("error", () => undefined);
    // What begins a CONNECT, in as many frames and bytes as it likes.
    for (let count = 1; count <= 1_000; count++) socket.send(Buffer.of(0x10));
    await connection.until(() => connection.received.length === 1_000);
    socket.send(Buffer.alloc(10_000), { fin: false });
    await once(socket, "close");
    assert.deepEqual(connection.closes, [new Error("a message that is larger than CONNECT may be")]);
    assert.equal(connection.received.length, 1_000);
  });

  it("takes messages of any size from a client that was accepted", async (context) => {
    const broker = await createBroker({
      store: "memory",
      listeners: [{ transport: "websocket", port: 0 }],
      limits: { maximumConnectSize: 1_000 },
    });
    context.after(() => broker.stop());
    const received = new Promise<number>((resolve) => {
      void broker.subscribe("a", ({ payload }) => resolve(payload.length));
    });
    const socket = new WebSocket(broker.listeners[0]?.url ?? "", "mqtt");
    const client = new WireClient(createWebSocketStream(socket));
    context.after(() => socket.terminate());
    assert.equal(await client.connect(), 0);
    // PUBLISH to "a".
    socket.send(Buffer.concat([Buffer.from("30a48d0600016100", "hex"), Buffer.alloc(100_000)]));
    assert.equal(await received, 100_000);
  });

  it("refuses more headers than are read, and headers of WebSocket that are crafted - attack WS-04", async (context) => {
    const { listener, accepting } = await listening(context);
    const many = Object.fromEntries(Array.from({ length: 70 }, (_, index) => [`x-${index}`, "y"]));
    assert.equal(await upgradeStatus(listener.url, ["mqtt"], many), 431);
    const extensions = { "sec-websocket-extensions": `permessage-deflate${"; a".repeat(1_000)}` };
    assert.equal(await upgradeStatus(listener.url, ["mqtt"], extensions), 101);
    await accepting.next();
  });

  it("believes X-Forwarded-For only of trusted proxies - attack PROXY-03", async (context) => {
    const headers = { "x-forwarded-for": "198.51.100.1, 203.0.113.9" };
    const open = await listening(context);
    assert.equal(await upgradeStatus(open.listener.url, ["mqtt"], headers), 101);
    assert.match((await open.accepting.next()).transport.remoteAddress, /^127\.0\.0\.1:/);
    const behind = await listening(context, { trustedProxies: ["127.0.0.1"] });
    assert.equal(await upgradeStatus(behind.listener.url, ["mqtt"], headers), 101);
    assert.equal((await behind.accepting.next()).transport.remoteAddress, "203.0.113.9");
  });

  it("refuses headers that are too long - attack WS-04", async (context) => {
    const { listener } = await listening(context);
    assert.equal(await upgradeStatus(listener.url, ["mqtt"], { padding: "x".repeat(10_000) }), 431);
  });
});

describe("a WebSocket connection", () => {
  it("takes one byte per frame, empty frames and pings between them - 5.0 [MQTT-6.0.0-2], attack WS-05", async (context) => {
    const { socket, connection } = await connected(context);
    const bytes = Buffer.from("one packet in many frames");
    for (const byte of bytes) {
      socket.send(Buffer.of(byte));
      socket.send(Buffer.alloc(0));
      socket.ping();
    }
    await connection.until(() => connection.received.length === bytes.length);
    assert.deepEqual(connection.received, bytes);
    assert.equal(connection.receivedCount, bytes.length);
  });

  it("takes many packets in one frame, and one frame in many fragments", async (context) => {
    const { socket, connection } = await connected(context);
    const packets = Buffer.concat(Array.from({ length: 100 }, () => Buffer.from("c000", "hex")));
    socket.send(packets);
    for (let index = 0; index < packets.length; index++) {
      socket.send(packets.subarray(index, index + 1), { fin: index === packets.length - 1 });
    }
    await connection.until(() => connection.received.length === 2 * packets.length);
    assert.deepEqual(connection.received, Buffer.concat([packets, packets]));
  });

  it("closes with 1003 when a text frame arrives - 5.0 [MQTT-6.0.0-1], attack WS-05", async (context) => {
    const { socket, connection } = await connected(context);
    socket.send("text");
    socket.send(Buffer.from("behind it"));
    const [code] = await once(socket, "close");
    assert.equal(code, 1003);
    assert.equal(connection.received.length, 0);
    assert.equal(connection.closes.length, 1);
    assert.match(String(connection.closes[0]), /text frame/);
  });

  it("closes with a code and not one byte more, whatever is in Node's pool of memory - attack WS-07", async (context) => {
    Buffer.allocUnsafe(Buffer.poolSize >>> 1).fill("canary");
    const { socket } = await connected(context);
    socket.send("text");
    const [code, reason] = await once(socket, "close");
    assert.equal(code, 1003);
    assert.equal(reason.length, 0);
  });

  it("looks neither at cookies nor at the query of the URL, and tells nobody of them - attack WS-08", async (context) => {
    const { listener, accepting } = await listening(context, { path: "/mqtt" });
    const secret = { cookie: "session=canary", authorization: "Bearer canary" };
    assert.equal(await upgradeStatus(`${listener.url}?token=canary`, ["mqtt"], secret), 101);
    const { transport } = await accepting.next();
    assert.equal(await upgradeStatus(`${listener.url}/more?token=canary`, ["mqtt"], secret), 404);
    assert.equal(await upgradeStatus(`${listener.url}?token=canary`, ["canary"], secret), 400);
    const told = JSON.stringify([transport.remoteAddress, accepting.refusals, accepting.warnings]);
    assert.equal(accepting.refusals.length, 2);
    assert.doesNotMatch(told, /canary/);
  });

  it("sends each write as one binary frame", async (context) => {
    const { socket, connection } = await connected(context);
    const frames: string[] = [];
    socket.on("message", (data: Buffer, isBinary) => frames.push(`${data.toString()} ${isBinary}`));
    connection.transport.write(Buffer.from("one"));
    connection.transport.write(Buffer.from("two"));
    connection.transport.end();
    const [code] = await once(socket, "close");
    assert.deepEqual(frames, ["one true", "two true"]);
    assert.equal(code, 1000);
    await connection.until(() => connection.isTransportClosed);
    assert.deepEqual(connection.closes, []);
  });

  it("counts what the system has not taken, and tells when it has taken all", async (context) => {
    const { socket, connection } = await connected(context);
    socket.pause();
    connection.transport.write(Buffer.alloc(16 * 1_048_576));
    assert.ok(connection.transport.bufferedBytes > 0);
    socket.resume();
    await connection.until(() => connection.drainedCount === 1);
    assert.equal(connection.transport.bufferedBytes, 0);
  });

  it("tells once that the peer closed, in order or not", async (context) => {
    const orderly = await connected(context);
    orderly.socket.close();
    await orderly.connection.until(() => orderly.connection.isTransportClosed);
    assert.deepEqual(orderly.connection.closes, [undefined]);
    const sudden = await connected(context);
    sudden.socket.terminate();
    await sudden.connection.until(() => sudden.connection.isTransportClosed);
    assert.equal(sudden.connection.closes.length, 1);
    sudden.connection.transport.write(Buffer.from("nobody reads this"));
    sudden.connection.transport.end();
  });

  it("closes a message of more fragments than anybody needs - attack WS-03", async (context) => {
    const { socket, connection } = await connected(context);
    socket.on("error", () => {});
    for (let index = 0; index < 2_000; index++) socket.send(Buffer.alloc(0), { fin: false });
    await once(socket, "close");
    await connection.until(() => connection.isTransportClosed);
    assert.equal(connection.received.length, 0);
  });

  it("does not take compressed frames - attack WS-02", async (context) => {
    const { listener, accepting } = await listening(context);
    const socket = new WebSocket(listener.url, "mqtt", { perMessageDeflate: true });
    context.after(() => socket.terminate());
    await once(socket, "open");
    assert.equal(socket.extensions, "");
    await accepting.next();
  });

  it("waits for the rest of a packet that is cut in a frame, and hands on nothing else - attack PARSE-02", async (context) => {
    const { socket, connection } = await connected(context);
    const packet = Buffer.from("101000044d5154540502003c000161", "hex");
    for (let length = 1; length < packet.length; length++) socket.send(packet.subarray(0, length));
    const expected = Buffer.concat(
      Array.from({ length: packet.length - 1 }, (_, index) => packet.subarray(0, index + 1)),
    );
    await connection.until(() => connection.received.length === expected.length);
    assert.deepEqual(connection.received, expected);
  });

  it("closes when a frame is longer than the packet limit allows - attack WS-03", async (context) => {
    const { socket, connection } = await connected(context, { maximumPacketSize: 1_000 });
    socket.on("error", () => {});
    socket.send(Buffer.alloc(1_048_577));
    const [code] = await once(socket, "close");
    assert.equal(code, 1009);
    await connection.until(() => connection.isTransportClosed);
    assert.equal(connection.received.length, 0);
    assert.equal(connection.closes.length, 1);
  });
});
