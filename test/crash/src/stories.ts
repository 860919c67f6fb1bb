// What a user does on the first day, with kill -9 in the middle. Each story runs against any way to start the server on one
// data directory, and fails by an assertion.

import assert from "node:assert/strict";
import { PacketType, type Publish, type QoS } from "@heirloom/codec";
import type { ServerProcess } from "#interop/server";
import { WireClient, type WireOptions } from "#interop/wire-client";
import { drain, textOf } from "./drain.ts";

/** Starts the server again on the same data. */
export type Start = () => Promise<ServerProcess>;

const MESSAGES = 500;
const HOUR_SECONDS = 3_600;

/** 500 acknowledged messages at QoS 1 and at QoS 2 and a retained one wait for two sessions while the broker is killed. */
export async function acknowledgedMessagesStay(start: Start): Promise<void> {
  let server = await start();
  for (const qos of [1, 2] as const) {
    const { client } = await lasting({ port: server.port, clientId: `reader-${qos}` });
    await client.subscribe("story/#", qos);
    await client.disconnect();
  }
  await publishAll(server.port, 1);
  await publishAll(server.port, 2);
  await publishRetained(server.port);
  await server.kill();

  server = await start();
  for (const qos of [1, 2] as const) await readAll(server.port, qos);
  await readRetained(server.port);
  await server.stop();
}

async function publishAll(port: number, qos: 1 | 2): Promise<void> {
  const { client } = await WireClient.connect({ port, clientId: `writer-${qos}` });
  for (let number = 0; number < MESSAGES; number++) {
    client.publish({
      topicName: `story/${qos}`,
      payload: Buffer.from(String(number)),
      qos,
      packetId: number + 1,
    });
  }
  for (let packetId = 1; packetId <= MESSAGES; packetId++) {
    const ack = await client.take(qos === 1 ? PacketType.PUBACK : PacketType.PUBREC);
    assert.deepEqual([ack.packetId, ack.reasonCode], [packetId, 0]);
  }
  if (qos === 2) await releaseAll(client);
  await client.disconnect();
}

async function releaseAll(client: WireClient): Promise<void> {
  for (let packetId = 1; packetId <= MESSAGES; packetId++) client.ack(PacketType.PUBREL, packetId);
  for (let packetId = 1; packetId <= MESSAGES; packetId++) {
    assert.equal((await client.take(PacketType.PUBCOMP)).packetId, packetId);
  }
}

async function publishRetained(port: number): Promise<void> {
  const { client } = await WireClient.connect({ port, clientId: "writer-retained" });
  client.publish({ topicName: "state", payload: Buffer.from("kept"), qos: 1, retain: true, packetId: 1 });
  assert.ok((await client.take(PacketType.PUBACK)).reasonCode < 0x80);
  await client.disconnect();
}

async function readAll(port: number, granted: 1 | 2): Promise<void> {
  const { client, sessionPresent } = await lasting({ port, clientId: `reader-${granted}` });
  assert.equal(sessionPresent, true);
  const messages = await drain(client, 2 * MESSAGES);
  const expected = Array.from({ length: MESSAGES }, (_, number) => String(number));
  for (const published of [1, 2] as const) {
    const ofTopic = messages.filter(({ topicName }) => topicName === `story/${published}`);
    assert.deepEqual(
      ofTopic.map(textOf),
      expected,
      `what was published at QoS ${published}: once and in order`,
    );
    assert.ok(ofTopic.every(({ qos }) => qos === Math.min(published, granted)));
  }
  await client.disconnect();
}

async function readRetained(port: number): Promise<void> {
  const { client } = await WireClient.connect({ port, clientId: "reader-retained" });
  await client.subscribe("state", 1);
  const message = await client.take(PacketType.PUBLISH);
  assert.deepEqual([textOf(message), message.retain, message.qos], ["kept", true, 1]);
  client.ack(PacketType.PUBACK, message.packetId);
  await client.disconnect();
}

/**
 * A will with a delay is published once, after the restart: of a client that was lost before the kill and of one that the
 * kill disconnected.
 */
export async function delayedWillsStay(start: Start): Promise<void> {
  let server = await start();
  const observer = await lasting({ port: server.port, clientId: "observer" });
  await observer.client.subscribe("wills/#", 2);
  await observer.client.disconnect();
  const lost = await willing(server.port, "lost");
  await willing(server.port, "connected");
  await lost.destroy();
  await roundTrip(server.port);
  await server.kill();

  server = await start();
  const { client } = await lasting({ port: server.port, clientId: "observer" });
  const wills = await drain(client, 2);
  assert.deepEqual(wills.map(topicOf).sort(), ["wills/connected", "wills/lost"]);
  await client.destroy();
  await server.kill();

  server = await start();
  const again = await lasting({ port: server.port, clientId: "observer" });
  // Their end may not have reached the disk: then PUBREL comes again, never the message.
  const packets = await again.client.roundTrip();
  assert.ok(packets.every(({ type }) => type === PacketType.PUBREL));
  await again.client.disconnect();
  await server.stop();
}

async function willing(port: number, clientId: string): Promise<WireClient> {
  const will = { topicName: `wills/${clientId}`, payload: "gone", qos: 2 as QoS, willDelayInterval: 1 };
  return (await lasting({ port, clientId, will })).client;
}

/** Waits until the broker has handled what happened before. */
async function roundTrip(port: number): Promise<void> {
  const { client } = await WireClient.connect({ port, clientId: "round-trip" });
  await client.disconnect();
}

/** The broker is killed at each point of the handshake of a message that it receives at QoS 2. */
export async function receivingQoS2Resumes(start: Start): Promise<void> {
  let server = await start();
  const reader = await lasting({ port: server.port, clientId: "in-reader" });
  await reader.client.subscribe("in", 2);
  await reader.client.disconnect();
  const first = await lasting({ port: server.port, clientId: "in-writer" });
  const message = { topicName: "in", payload: Buffer.from("once"), qos: 2, packetId: 7 } as const;
  first.client.publish(message);
  await first.client.take(PacketType.PUBREC);
  await server.kill();

  server = await start();
  const second = await lasting({ port: server.port, clientId: "in-writer" });
  assert.equal(second.sessionPresent, true);
  second.client.publish({ ...message, dup: true });
  await second.client.take(PacketType.PUBREC);
  second.client.ack(PacketType.PUBREL, 7);
  await second.client.take(PacketType.PUBCOMP);
  await server.kill();

  server = await start();
  const third = await lasting({ port: server.port, clientId: "in-writer" });
  third.client.ack(PacketType.PUBREL, 7);
  assert.equal((await third.client.take(PacketType.PUBCOMP)).packetId, 7);
  // Released: the same identifier is a new message now.
  third.client.publish({ ...message, payload: Buffer.from("next") });
  await third.client.take(PacketType.PUBREC);
  await third.client.disconnect();
  const { client } = await lasting({ port: server.port, clientId: "in-reader" });
  assert.deepEqual((await drain(client, 2)).map(textOf), ["once", "next"]);
  await client.disconnect();
  await server.stop();
}

/** The broker is killed at each point of the handshake of a message that it sends at QoS 2. */
export async function sendingQoS2Resumes(start: Start): Promise<void> {
  let server = await start();
  const first = await lasting({ port: server.port, clientId: "out-reader" });
  await first.client.subscribe("out", 2);
  const writer = await WireClient.connect({ port: server.port, clientId: "out-writer" });
  writer.client.publish({ topicName: "out", payload: Buffer.from("once"), qos: 2, packetId: 1 });
  await writer.client.take(PacketType.PUBREC);
  const sent = await first.client.take(PacketType.PUBLISH);
  assert.deepEqual([sent.dup, sent.qos], [false, 2]);
  await server.kill();

  server = await start();
  const second = await lasting({ port: server.port, clientId: "out-reader" });
  const resent = await second.client.take(PacketType.PUBLISH);
  assert.deepEqual([resent.dup, resent.packetId, textOf(resent)], [true, sent.packetId, "once"]);
  second.client.ack(PacketType.PUBREC, sent.packetId);
  assert.equal((await second.client.take(PacketType.PUBREL)).packetId, sent.packetId);
  await server.kill();

  server = await start();
  const third = await lasting({ port: server.port, clientId: "out-reader" });
  // After PUBREC, PUBREL is what is repeated.
  assert.equal((await third.client.take(PacketType.PUBREL)).packetId, sent.packetId);
  third.client.ack(PacketType.PUBCOMP, sent.packetId);
  assert.deepEqual(await third.client.roundTrip(), []);
  await third.client.disconnect();
  await server.stop();
}

async function lasting(options: WireOptions): Promise<{ client: WireClient; sessionPresent: boolean }> {
  const { client, connack } = await WireClient.connect({
    cleanStart: false,
    sessionExpiryInterval: HOUR_SECONDS,
    ...options,
  });
  assert.equal(connack.reasonCode, 0);
  return { client, sessionPresent: connack.sessionPresent };
}

function topicOf({ topicName }: Publish): string {
  return topicName;
}
