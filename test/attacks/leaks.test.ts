// Connections that fail in every way, on real sockets: nothing of them stays, and counters get no new names.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { connect } from "node:net";
import { connect as connectTls } from "node:tls";
import { describe, it, type TestContext } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { type Broker, createBroker } from "heirloom";
import { ROOT } from "./src/rows.ts";

const ROUND = 25;
const WARM_UP_ROUNDS = 3;
const ROUNDS = 12;
/** Compiled code, and what the event loop still has in hand. One connection that stays has more than a tenth of it. */
const SLACK_BYTES = 1_500_000;
const LIMIT_MS = 20_000;

/** CONNECT of 5.0 with these bytes behind its header, flags and Keep Alive. */
function connectOf(flags: number, rest: readonly number[], version = 5): number[] {
  const body = [0, 4, 77, 81, 84, 84, version, flags, 0, 60, ...rest];
  return [0x10, body.length, ...body];
}

const GOOD = connectOf(0x02, [0, 0, 0]);
const TEXT = (text: string): number[] => [...Buffer.from(text)];

/** What is sent before the peer is gone; each ends in another place of the broker. */
const FAILURES: readonly (readonly [name: string, bytes: readonly number[]])[] = [
  ["nothing", []],
  ["one byte", [0x10]],
  ["a length without an end", [0x10, 0xff, 0xff, 0xff, 0xff, 0xff]],
  ["half a CONNECT", GOOD.slice(0, 8)],
  ["HTTP", TEXT("GET / HTTP/1.1\r\n\r\n")],
  ["TLS", [0x16, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3]],
  ["another protocol's name", [0x10, 13, 0, 4, 77, 81, 84, 88, 5, 2, 0, 60, 0, 0, 0]],
  ["an unknown version", connectOf(0x02, [0, 0, 0], 9)],
  ["a reserved flag", connectOf(0x03, [0, 0, 0])],
  ["an unknown property", connectOf(0x02, [2, 0x7f, 0, 0, 0])],
  ["a password without its bytes", connectOf(0xc2, [0, 0, 0, 0, 1, 97, 0, 9])],
  ["an authentication method", connectOf(0x02, [4, 0x15, 0, 1, 97, 0, 0])],
  ["PUBLISH before CONNECT", [0x30, 3, 0, 1, 97]],
  ["a second CONNECT", [...GOOD, ...GOOD]],
  ["a reserved packet", [...GOOD, 0xf1, 0]],
  ["PUBLISH with QoS 3", [...GOOD, 0x36, 6, 0, 1, 97, 0, 1, 0]],
  ["PUBLISH to a wildcard", [...GOOD, 0x30, 4, 0, 1, 35, 0]],
  ["PUBLISH with an unknown alias", [...GOOD, 0x30, 6, 0, 0, 3, 0x23, 0, 99]],
  ["PUBLISH that is no UTF-8", [...GOOD, 0x30, 5, 0, 2, 0xc3, 0x28, 0]],
  ["half a PUBLISH", [...GOOD, 0x30, 100, 0, 1, 97, 0]],
  ["SUBSCRIBE without filters", [...GOOD, 0x82, 3, 0, 1, 0]],
  ["SUBSCRIBE with a wrong filter", [...GOOD, 0x82, 8, 0, 1, 0, 0, 2, 35, 35, 0]],
  ["PUBACK of nothing", [...GOOD, 0x40, 2, 0, 9]],
  ["PUBREL of nothing", [...GOOD, 0x62, 2, 0, 9]],
  ["QoS 2 that is not released", [...GOOD, 0x34, 7, 0, 1, 97, 0, 7, 0, 120]],
  ["AUTH without a method", [...GOOD, 0xf0, 2, 0x18, 0]],
  ["a subscription, and gone", [...GOOD, 0x82, 7, 0, 1, 0, 0, 1, 97, 1]],
  ["DISCONNECT with a wrong reason", [...GOOD, 0xe0, 1, 0x05]],
];

const UPGRADE =
  "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: ";

/** Bytes in one frame of a client, with a mask of zeroes. */
function frame(firstByte: number, bytes: readonly number[]): number[] {
  return [firstByte, 0x80 | bytes.length, 0, 0, 0, 0, ...bytes];
}

/** The same for WebSocket. */
const WS_FAILURES: readonly (readonly [name: string, bytes: readonly number[]])[] = [
  ["half an upgrade", TEXT(UPGRADE.slice(0, 80))],
  ["an upgrade of another protocol", TEXT(`${UPGRADE}chat\r\n\r\n`)],
  ["plain HTTP", TEXT("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n")],
  ["no HTTP", GOOD],
  ["an upgrade, and gone", TEXT(`${UPGRADE}mqtt\r\n\r\n`)],
  ["a text frame", [...TEXT(`${UPGRADE}mqtt\r\n\r\n`), ...frame(0x81, GOOD)]],
  ["a frame that is reserved", [...TEXT(`${UPGRADE}mqtt\r\n\r\n`), ...frame(0xf2, GOOD)]],
  ["a frame without a mask", [...TEXT(`${UPGRADE}mqtt\r\n\r\n`), 0x82, GOOD.length, ...GOOD]],
  ["a client, and gone", [...TEXT(`${UPGRADE}mqtt\r\n\r\n`), ...frame(0x82, GOOD)]],
  ["a reserved packet", [...TEXT(`${UPGRADE}mqtt\r\n\r\n`), ...frame(0x82, [...GOOD, 0xf1, 0])]],
];

/** The same for TLS, before its handshake is done. */
const TLS_FAILURES: readonly (readonly [name: string, bytes: readonly number[]])[] = [
  ["nothing", []],
  ["MQTT", GOOD],
  ["half a ClientHello", [0x16, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3]],
  ["an alert", [0x15, 3, 3, 0, 2, 2, 40]],
  ["a record that is too long", [0x16, 3, 3, 0xff, 0xff, ...TEXT("x".repeat(200))]],
  ["HTTP", TEXT("GET / HTTP/1.1\r\n\r\n")],
];

/** And when its handshake is done. */
const INSIDE_TLS: readonly (readonly [name: string, bytes: readonly number[]])[] = [
  ["nothing", []],
  ["half a CONNECT", GOOD.slice(0, 8)],
  ["a client, and gone", GOOD],
  ["a reserved packet", [...GOOD, 0xf1, 0]],
];

interface Ports {
  readonly port: number;
  readonly wsPort: number;
  readonly tlsPort: number;
}

async function running(context: TestContext): Promise<{ broker: Broker; ports: Ports }> {
  const tls = {
    certificate: `${ROOT}packages/heirloom/test/certificates/server.pem`,
    key: `${ROOT}packages/heirloom/test/certificates/server.key`,
  };
  const broker = await createBroker({
    store: "memory",
    listeners: [{ port: 0 }, { transport: "websocket", port: 0 }, { name: "tls", port: 0, tls }],
  });
  context.after(() => broker.stop());
  const [port = 0, wsPort = 0, tlsPort = 0] = broker.listeners.map((listener) => listener.port);
  return { broker, ports: { port, wsPort, tlsPort } };
}

/** Sends it and is gone: in order for some, with RST for others. Resolves when the socket is closed. */
function fail(port: number, bytes: readonly number[], isReset: boolean): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1" }, () => {
      socket.write(Uint8Array.from(bytes), () => {
        if (isReset) socket.resetAndDestroy();
        else socket.end();
      });
    });
    socket.resume().on("error", () => {});
    socket.once("close", () => resolve());
  });
}

async function round({ port, wsPort, tlsPort }: Ports): Promise<void> {
  for (const [, bytes] of FAILURES) await several((isReset) => fail(port, bytes, isReset));
  // Some of these are closed only after a while: all at the same time.
  await Promise.all([
    ...WS_FAILURES.map(([, bytes]) => several((isReset) => fail(wsPort, bytes, isReset))),
    ...TLS_FAILURES.map(([, bytes]) => several((isReset) => fail(tlsPort, bytes, isReset))),
    ...INSIDE_TLS.map(([, bytes]) => several((isReset) => failInside(tlsPort, bytes, isReset))),
  ]);
}

async function several(failOnce: (isReset: boolean) => Promise<void>): Promise<void> {
  await Promise.all(Array.from({ length: ROUND }, (_, index) => failOnce(index % 2 === 1)));
}

/** The same inside of TLS. */
function failInside(port: number, bytes: readonly number[], isReset: boolean): Promise<void> {
  return new Promise((resolve) => {
    const raw = connect({ port, host: "127.0.0.1" });
    const socket = connectTls({ socket: raw, rejectUnauthorized: false }, () => {
      socket.write(Uint8Array.from(bytes), () => {
        if (isReset) raw.resetAndDestroy();
        else socket.end();
      });
    });
    raw.on("error", () => {});
    socket.resume().on("error", () => {});
    raw.once("close", () => resolve());
  });
}

/** What the process has open, by kind. */
function openResources(): { sockets: number; timers: number; descriptors: number } {
  const names = process.getActiveResourcesInfo();
  return {
    sockets: names.filter((name) => name === "TCPSocketWrap").length,
    timers: names.filter((name) => name === "Timeout").length,
    descriptors: process.platform === "linux" ? readdirSync("/proc/self/fd").length : 0,
  };
}

async function untilClosed(broker: Broker): Promise<void> {
  const endMs = performance.now() + LIMIT_MS;
  while (openResources().sockets > 0 || broker.counters.connectionsOpen > 0) {
    assert.ok(performance.now() < endMs, JSON.stringify(openResources()));
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Bytes in use when everything that can go is gone. */
function usedBytes(): number {
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("gc");
  assert.ok(typeof collect === "function");
  for (let count = 0; count < 3; count++) Reflect.apply(collect, undefined, []);
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

describe("connections that fail", () => {
  it("leave no socket, timer, descriptor, session or memory behind - attack MEM-11", async (context) => {
    const { broker, ports } = await running(context);
    // One is the broker's own: it looks at its memory once a second.
    const { deadlines } = broker.counters;
    for (let count = 0; count < WARM_UP_ROUNDS; count++) await round(ports);
    await untilClosed(broker);
    const before = openResources();
    const beforeBytes = usedBytes();
    for (let count = 0; count < ROUNDS; count++) await round(ports);
    await untilClosed(broker);
    const { sessions, subscriptions, inputBytes, outputBytes } = broker.counters;
    const left = { sessions, subscriptions, inputBytes, outputBytes };
    assert.deepEqual(left, { sessions: 0, subscriptions: 0, inputBytes: 0, outputBytes: 0 });
    assert.equal(broker.counters.deadlines, deadlines);
    const after = openResources();
    assert.ok(after.timers <= before.timers + 2, `${after.timers} timers, ${before.timers} before`);
    assert.ok(after.descriptors <= before.descriptors + 1, `${after.descriptors} descriptors`);
    const grownBytes = usedBytes() - beforeBytes;
    const kinds = FAILURES.length + WS_FAILURES.length + TLS_FAILURES.length + INSIDE_TLS.length;
    const connections = kinds * ROUND * ROUNDS;
    assert.ok(grownBytes < SLACK_BYTES, `${grownBytes} bytes more after ${connections} connections`);
  });

  it("give no new names to counters - attack LOG-03", async (context) => {
    const { broker, ports } = await running(context);
    const names = Object.keys(broker.counters);
    assert.ok(names.length < 200);
    await round(ports);
    await untilClosed(broker);
    assert.deepEqual(Object.keys(broker.counters), names);
    for (const value of Object.values(broker.counters)) assert.equal(typeof value, "number");
  });
});
