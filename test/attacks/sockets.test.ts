// What is no MQTT, and what stops in the middle, on real sockets of a real server.

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { test, type TestContext } from "node:test";
import { encodePacket, type Packet, PacketType } from "@heirloom/codec";
import { type Broker, createBroker } from "heirloom";
import { directoryFor } from "#interop/directory";
import { ServerProcess } from "#interop/server";
import { within } from "#interop/within";
import { OTHER_PROTOCOLS } from "./src/other-protocols.ts";

/** Milliseconds. What has not happened by then does not happen. The time for CONNECT is longer than that. */
const LIMIT_MS = 5_000;

async function opened(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => undefined);
  await once(socket, "connect");
  return socket;
}

/** What the server says before it closes. @throws Error when it does not close. */
async function untilClosed(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  const closed = await within(LIMIT_MS, once(socket, "close"));
  assert.ok(closed !== undefined, "the server closes the connection");
  return Buffer.concat(chunks);
}

test("what is no MQTT is closed at its first bytes, with a line in the log for each kind of fault at most - attack PARSE-19", async (t) => {
  const data = await directoryFor(t, "attacks");
  const server = await ServerProcess.start({ data });
  t.after(() => server.kill());
  const before = server.output;
  assert.ok(OTHER_PROTOCOLS.size >= 30);
  for (const [name, bytes] of OTHER_PROTOCOLS) {
    const socket = await opened(server.port);
    socket.write(bytes.subarray(0, 64));
    const answer = await untilClosed(socket);
    // A CONNECT of another level is told which levels there are.
    const expected = name === "MQTT of another name" ? "20020001" : "";
    assert.equal(answer.toString("hex"), expected, name);
  }
  const good = await opened(server.port);
  good.write(encodePacket(CONNECT, 4));
  const [connack] = (await within(LIMIT_MS, once(good, "data"))) ?? [];
  assert.equal((connack as Buffer).toString("hex"), "20020000");
  good.destroy();
  const lines = server.output
    .slice(before.length)
    .split("\n")
    .filter((line) => line.startsWith("refused: "));
  const kinds = lines.map((line) => line.slice(line.lastIndexOf("(")));
  assert.equal(new Set(kinds).size, lines.length, lines.join("\n"));
  assert.doesNotMatch(server.output, /^\s+at |Error:/m, "no stack");
});

const CONNECT: Packet = {
  ...{ type: PacketType.CONNECT, protocolVersion: 4, clientId: "c", cleanStart: true, keepAlive: 0 },
  properties: {},
};

async function running(context: TestContext): Promise<Broker> {
  const broker = await createBroker({
    store: "memory",
    port: 0,
    wsPort: 0,
    limits: { connectTimeoutMs: 500 },
  });
  context.after(() => broker.stop());
  return broker;
}

test("a CONNECT that is cut anywhere ends at its deadline, or with its socket, and leaves nothing - attack PARSE-02", async (t) => {
  const broker = await running(t);
  const port = broker.listeners[0]?.port ?? 0;
  const bytes = encodePacket(CONNECT, 4);
  const stalled: Promise<Buffer>[] = [];
  for (let length = 0; length < bytes.length; length++) {
    const socket = await opened(port);
    socket.write(bytes.subarray(0, length));
    stalled.push(untilClosed(socket));
    const gone = await opened(port);
    gone.end(bytes.subarray(0, length));
    stalled.push(untilClosed(gone));
  }
  for (const answer of await Promise.all(stalled)) assert.equal(answer.length, 0);
  const { connectionsOpen, sessions, inputBytes } = broker.counters;
  assert.deepEqual([connectionsOpen, sessions, inputBytes], [0, 0, 0]);
});

test("packets that are cut anywhere in one WebSocket frame are never taken whole - attack PARSE-02", async (t) => {
  const broker = await running(t);
  const port = broker.listeners[1]?.port ?? 0;
  const published: string[] = [];
  await broker.subscribe("t", ({ payload }) => void published.push(Buffer.from(payload).toString()));
  const publish = Buffer.from("300500017478 79".replaceAll(" ", ""), "hex");
  const connectBytes = encodePacket(CONNECT, 4);
  for (let length = 1; length < publish.length; length++) {
    const socket = await opened(port);
    socket.write(
      "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n",
    );
    await within(LIMIT_MS, once(socket, "data"));
    socket.write(frame(connectBytes));
    await within(LIMIT_MS, once(socket, "data"));
    socket.write(frame(publish.subarray(0, length)));
    socket.end();
    await untilClosed(socket);
  }
  assert.equal(broker.counters.publishReceived, 0);
  assert.deepEqual(published, []);
  assert.equal(broker.counters.inputBytes, 0);
});

/** One binary frame of a client, with a mask of zeroes. */
function frame(bytes: Uint8Array): Uint8Array {
  return Uint8Array.of(0x82, 0x80 | bytes.length, 0, 0, 0, 0, ...bytes);
}
