// What floods are made of: sockets by the thousand, and bytes as fast as the broker takes them.

import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { type Connect, createPublish, encodePacket, PacketType, type PublishInit } from "@heirloom/codec";
import { WireClient } from "#interop/wire-client";

/** Bytes of packets that are written together. */
const CHUNK_BYTES = 262_144;
/** Sockets that are opened at the same time. */
const OPENING = 500;

/** A socket that is connected. What happens to it later is nobody's error. */
export async function openSocket(port: number): Promise<Socket> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  socket.on("error", () => undefined);
  await Promise.race([once(socket, "connect"), once(socket, "close")]);
  return socket;
}

/** Does something `count` times, many at a time, and returns what came of each. */
export async function many<Result>(
  count: number,
  action: (index: number) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  for (let first = 0; first < count; first += OPENING) {
    const batch = Array.from({ length: Math.min(OPENING, count - first) }, (_, index) =>
      action(first + index),
    );
    results.push(...(await Promise.all(batch)));
  }
  return results;
}

/** Resolves when the peer has closed the socket, and gives all bytes that came before. */
export async function untilClosed(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  if (!socket.closed) await once(socket, "close");
  return Buffer.concat(chunks);
}

export function closeAll(sockets: readonly Socket[]): void {
  for (const socket of sockets) socket.destroy();
}

/** Writes and waits until the system has taken it, or the connection is gone. */
export async function writeAll(socket: Socket, bytes: Uint8Array): Promise<void> {
  if (socket.destroyed || socket.write(bytes)) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      socket.off("drain", done).off("close", done);
      resolve();
    };
    socket.on("drain", done).on("close", done);
  });
}

/** Sends packet number 0 to `count - 1` of 5.0 as fast as they are taken. */
export async function sendAll(
  socket: Socket,
  count: number,
  packet: (index: number) => Uint8Array,
): Promise<void> {
  let chunk: Uint8Array[] = [];
  let bytes = 0;
  for (let index = 0; index < count; index++) {
    const next = packet(index);
    chunk.push(next);
    bytes += next.length;
    if (bytes < CHUNK_BYTES && index < count - 1) continue;
    await writeAll(socket, Buffer.concat(chunk));
    chunk = [];
    bytes = 0;
  }
}

export function publishBytes(init: PublishInit): Uint8Array {
  return encodePacket(createPublish(init), 5);
}

/** CONNECT of a clean session of 5.0. */
export function connectBytes(clientId: string, properties: Connect["properties"] = {}): Uint8Array {
  return encodePacket(
    { type: PacketType.CONNECT, protocolVersion: 5, clientId, cleanStart: true, keepAlive: 0, properties },
    5,
  );
}

/** Subscribes to a filter and stops reading. */
export async function stuckSubscriber(
  port: number,
  clientId: string,
  topicFilter: string,
  qos: 0 | 1,
  sessionExpiryInterval = 0,
): Promise<WireClient> {
  const { client } = await WireClient.connect({ port, clientId, sessionExpiryInterval });
  await client.subscribe(topicFilter, qos);
  client.socket.pause();
  return client;
}
