// Packets byte by byte, for clients that break the rules: the codec would refuse to write them.

import type { ProtocolVersion } from "@heirloom/codec";
import type { MemoryBroker, TestClient } from "@heirloom/core/testing";

export const VERSIONS: readonly ProtocolVersion[] = [3, 4, 5];

/** A string with its length in front, as latin-1 so that any byte can be written. */
export function field(text: string): number[] {
  return [text.length >> 8, text.length & 0xff, ...Buffer.from(text, "latin1")];
}

/** A packet around a body of any length. */
export function packet(firstByte: number, body: readonly number[]): Uint8Array {
  const length: number[] = [];
  for (let rest = body.length; ; rest >>= 7) {
    length.push(rest > 0x7f ? (rest & 0x7f) | 0x80 : rest);
    if (rest <= 0x7f) break;
  }
  return Uint8Array.of(firstByte, ...length, ...body);
}

/** The bytes that only 5.0 has: no properties. */
export function noProperties(version: ProtocolVersion): number[] {
  return version === 5 ? [0] : [];
}

/** A client that is connected, with nothing left to take. */
export async function connected(
  broker: MemoryBroker,
  name: string,
  version: ProtocolVersion = 5,
): Promise<TestClient> {
  const client = broker.client(name, version);
  await client.connect();
  client.take();
  return client;
}

/** What the broker says to these bytes, and whether it ended the connection. */
export async function answerTo(
  broker: MemoryBroker,
  client: TestClient,
  bytes: Uint8Array,
): Promise<{ readonly words: string[]; readonly isClosed: boolean }> {
  client.sendBytes(bytes);
  await broker.settle();
  return { words: client.words(), isClosed: client.isClosed };
}

/** What a connection that breaks the rules gets: 5.0 is told why, 3.x is not. */
export function ended(
  version: ProtocolVersion,
  reasonCode: number,
): { readonly words: string[]; readonly isClosed: boolean } {
  const code = `0x${reasonCode.toString(16).toUpperCase().padStart(2, "0")}`;
  return { words: version === 5 ? [`DISCONNECT ${code}`] : [], isClosed: true };
}
