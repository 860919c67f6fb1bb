// Floods of connections: too many, half open, too large, again and again.

import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { WireClient } from "#interop/wire-client";
import { type Flood, KIBIBYTE, MEBIBYTE } from "../flood.ts";
import type { FloodedBroker } from "../flooded-broker.ts";
import { closeAll, connectBytes, many, openSocket, untilClosed, writeAll } from "../flooder.ts";

/** About what a socket, its streams and its connection take in Node. */
const CONNECTION_BYTES = 12 * KIBIBYTE;
/** CONNACK of 5.0: the byte of the reason code. */
const REASON_CODE = 3;
const SERVER_BUSY = 0x89;
const MOST_SOCKETS = 15_000;

const CONNECTIONS = 500;
const BURST = 5_000;

export const connectionFlood: Flood = {
  title:
    "5,000 connections beyond the limit are refused with 0x89, and descriptors come back - attack CONN-03",
  options: { limits: { connections: CONNECTIONS } },
  boundBytes: BURST * CONNECTION_BYTES,
  boundReason: "5,000 sockets at 12 KiB while they are refused",
  counters: ["connectionsAccepted", "connectionsRefused", "connectionsOpen"],
  async run(broker, scale) {
    for (let round = 0; round < scale; round++) await burst(broker);
    // Again and again: as many as may be, and gone at once.
    for (let round = 0; round < 5 * scale; round++) {
      const sockets = await many(CONNECTIONS - 1, async (index) => {
        const socket = await openSocket(broker.port);
        await writeAll(socket, connectBytes(`again-${index}`));
        return socket;
      });
      closeAll(sockets);
    }
    await onlyTheOther(broker);
  },
};

async function burst(broker: FloodedBroker): Promise<void> {
  const sockets = await many(BURST, async (index) => {
    const socket = await openSocket(broker.port);
    await writeAll(socket, connectBytes(`burst-${index}`));
    return socket;
  });
  let refused = 0;
  for (const socket of sockets) {
    socket.on("data", (chunk: Buffer) => (refused += chunk[REASON_CODE] === SERVER_BUSY ? 1 : 0));
  }
  const { counters } = await broker.until(
    "all that are too many are refused",
    ({ counters: now }) => now.connectionsOpen === CONNECTIONS,
  );
  assert.ok(counters.connectionsRefused >= BURST - CONNECTIONS);
  closeAll(sockets);
  assert.ok(refused > 0);
  await onlyTheOther(broker);
}

/** All sockets but those of the other client are given back. */
async function onlyTheOther(broker: FloodedBroker): Promise<void> {
  await broker.until(
    "everything is given back",
    ({ counters, openSockets }) =>
      counters.connectionsOpen === 1 && openSockets <= 1 && counters.sessions === 1,
  );
}

const SILENT = 2_000;
const CONNECT_TIMEOUT_MS = 1_500;
const UPGRADE =
  "GET /mqtt HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";

/** What half-open handshakes have sent before they stop. */
const BEGINNINGS: readonly { readonly isWebSocket: boolean; readonly text: string }[] = [
  { isWebSocket: false, text: "" },
  { isWebSocket: false, text: "\x10" },
  { isWebSocket: true, text: UPGRADE },
  { isWebSocket: true, text: `${UPGRADE}\r\n` },
  { isWebSocket: true, text: "" },
];

export const halfOpen: Flood = {
  title:
    "2,000 half-open handshakes end at the CONNECT deadline while others connect at once - attack CONN-01 - attack CONN-06",
  options: { limits: { connectTimeoutMs: CONNECT_TIMEOUT_MS } },
  boundBytes: SILENT * 2 * CONNECTION_BYTES,
  boundReason: "2,000 sockets at 24 KiB, the half of them with a parser of HTTP",
  counters: ["connectionsAccepted", "handshakesTimedOut", "connectionsOpen"],
  async run(broker, scale) {
    const sockets = await many(Math.min(SILENT * scale, MOST_SOCKETS), async (index) => {
      const { isWebSocket, text } = BEGINNINGS[index % BEGINNINGS.length] ?? { isWebSocket: false, text: "" };
      const socket = await openSocket(isWebSocket ? broker.wsPort : broker.port);
      await writeAll(socket, Buffer.from(text, "latin1"));
      return socket;
    });
    const ended = sockets.map(untilClosed);
    for (let index = 0; index < 20; index++) {
      const { client, connack } = await WireClient.connect({ port: broker.port, clientId: `other-${index}` });
      assert.equal(connack.reasonCode, 0);
      await client.disconnect();
    }
    await Promise.all(ended);
    const { counters } = await broker.report();
    assert.ok(counters.handshakesTimedOut >= (2 * sockets.length) / BEGINNINGS.length);
    await onlyTheOther(broker);
  },
};

export const evictedHandshakes: Flood = {
  title: "handshakes beyond their limit end the oldest, so that others still come in - attack CONN-01",
  options: { limits: { pendingConnections: 200, connectTimeoutMs: 60_000 } },
  boundBytes: SILENT * CONNECTION_BYTES,
  boundReason: "2,000 sockets at 12 KiB, before the oldest are closed",
  counters: ["connectionsAccepted", "handshakesDropped", "connectionsOpen"],
  async run(broker, scale) {
    const sockets = await many(Math.min(SILENT * scale, MOST_SOCKETS), (index) =>
      openSocket(index % 2 === 0 ? broker.port : broker.wsPort),
    );
    const { client, connack } = await WireClient.connect({ port: broker.port, clientId: "other" });
    assert.equal(connack.reasonCode, 0);
    await client.disconnect();
    const { counters } = await broker.until(
      "the oldest are closed",
      ({ counters: now }) => now.connectionsOpen <= 201,
    );
    assert.ok(counters.handshakesDropped >= sockets.length - 2 * 200);
    closeAll(sockets);
    await onlyTheOther(broker);
  },
};

const PIECE_BYTES = 60 * KIBIBYTE;
const TOTAL_INPUT_BYTES = 32 * MEBIBYTE;

export const hugeConnects: Flood = {
  title: "2,000 CONNECT that stop before their end keep totalInputBytes in memory - attack MEM-01",
  options: { limits: { totalInputBytes: TOTAL_INPUT_BYTES } },
  boundBytes: 2 * 2 * TOTAL_INPUT_BYTES + SILENT * CONNECTION_BYTES,
  boundReason: "twice totalInputBytes in buffers that may be half empty, and 2,000 sockets at 12 KiB",
  counters: ["connectionsAccepted", "inputBytes", "inputDropped", "connectionsOpen"],
  async run(broker, scale) {
    // Remaining length 65,539, then less than that.
    const piece = Buffer.concat([
      Uint8Array.of(0x10, 0x83, 0x80, 0x04, 0x00, 0x04),
      Buffer.from("MQTT\x05\x02\x00\x00\x00\xff\xff", "latin1"),
      Buffer.alloc(PIECE_BYTES, 0x61),
    ]);
    const sockets: Socket[] = await many(Math.min(SILENT * scale, MOST_SOCKETS), async () => {
      const socket = await openSocket(broker.port);
      await writeAll(socket, piece);
      return socket;
    });
    const { counters } = await broker.until(
      "everything was read",
      ({ counters: now }) => now.connectionsAccepted > sockets.length,
    );
    assert.ok(counters.inputDropped > 0);
    assert.ok(counters.inputBytes <= 2 * TOTAL_INPUT_BYTES, `${counters.inputBytes} bytes are kept`);
    closeAll(sockets);
    await onlyTheOther(broker);
    assert.equal((await broker.report()).counters.inputBytes, 0);
  },
};

export const tooLargeConnects: Flood = {
  title: "a CONNECT above maximumConnectSize is refused before its bytes are read - attack MEM-01",
  options: {},
  boundBytes: BURST * CONNECTION_BYTES,
  boundReason: "5,000 sockets at 12 KiB",
  counters: ["connectionsAccepted", "bytesReceived", "connectionsOpen"],
  async run(broker, scale) {
    // Remaining length 268,435,455.
    const huge = Buffer.concat([Uint8Array.of(0x10, 0xff, 0xff, 0xff, 0x7f), Buffer.alloc(PIECE_BYTES)]);
    await many(Math.min(1_000 * scale, MOST_SOCKETS), async () => {
      const socket = await openSocket(broker.port);
      const closed = untilClosed(socket);
      await writeAll(socket, huge);
      await closed;
    });
    await onlyTheOther(broker);
  },
};
