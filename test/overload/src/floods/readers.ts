// Floods of messages for those who do not read: sockets that are full, and sessions that are offline.

import assert from "node:assert/strict";
import { type Packet, PacketType } from "@heirloom/codec";
import { WireClient } from "#interop/wire-client";
import { type Flood, KIBIBYTE, MEBIBYTE } from "../flood.ts";
import type { FloodedBroker } from "../flooded-broker.ts";
import { many, publishBytes, sendAll, stuckSubscriber } from "../flooder.ts";

const READERS = 200;
const MESSAGE_BYTES = 16 * KIBIBYTE;
/**
 * What one turn forwards to all readers counts as waiting when the turn ends: how much that is depends on how fast the machine
 * reads, unless the publisher waits now and then.
 */
const QOS_0_AT_ONCE = 8;
const HOUR_SECONDS = 3_600;
const OUTPUT = { outputBytes: MEBIBYTE, totalOutputBytes: 32 * MEBIBYTE };

/** Publishes so much that the system's own buffers are full too, at about four megabytes for each reader. */
async function publishLoad(broker: FloodedBroker, scale: number, qos: 0 | 1): Promise<void> {
  const { client } = await WireClient.connect({ port: broker.port, clientId: "load" });
  const payload = Buffer.alloc(MESSAGE_BYTES);
  const count = 400 * scale;
  const acknowledged = qos === 0 ? client.roundTrip.bind(client) : () => takeAcks(client, count);
  const atOnce = qos === 0 ? QOS_0_AT_ONCE : count;
  for (let sent = 0; sent < count; sent += atOnce) {
    await sendAll(client.socket, atOnce, (index) =>
      publishBytes({ topicName: "load", payload, qos, packetId: (index % 65_535) + 1 }),
    );
    await acknowledged();
  }
  await client.disconnect();
}

async function takeAcks(client: WireClient, count: number): Promise<Packet[]> {
  const packets: Packet[] = [];
  for (let index = 0; index < count; index++) packets.push(await client.take(PacketType.PUBACK));
  return packets;
}

export const stuckAtQoS0: Flood = {
  title: "200 subscribers that stop reading lose QoS 0 messages, counted, and no more - attack MEM-03",
  options: { limits: OUTPUT },
  boundBytes: 2 * OUTPUT.totalOutputBytes,
  boundReason: "totalOutputBytes, and as much again while each connection has its share",
  counters: ["publishReceived", "publishSent", "droppedQoS0", "outputBytes"],
  async run(broker, scale) {
    const stuck = await many(READERS, (index) => stuckSubscriber(broker.port, `stuck-${index}`, "load", 0));
    await publishLoad(broker, scale, 0);
    const { counters } = await broker.report();
    assert.ok(counters.droppedQoS0 > 0);
    assert.ok(counters.outputBytes <= 2 * OUTPUT.totalOutputBytes, `${counters.outputBytes} bytes wait`);
    assert.equal(counters.connectionsOpen, READERS + 1);
    for (const client of stuck) client.socket.destroy();
    await broker.until("the stuck are gone", ({ counters: now }) => now.connectionsOpen === 1);
    // What is left is the other client's.
    assert.ok((await broker.report()).counters.outputBytes < KIBIBYTE);
  },
};

export const stuckAtQoS1: Flood = {
  title:
    "200 clean sessions that stop reading share their messages in memory until 0x97 ends them - attack MEM-03",
  options: { limits: { ...OUTPUT, cleanQueueBytes: 2 * MEBIBYTE } },
  boundBytes: 2 * 2 * OUTPUT.totalOutputBytes + 2 * MEBIBYTE,
  boundReason:
    "twice totalOutputBytes in buffers that may be half empty, and the messages of one queue, which all share",
  counters: ["publishReceived", "publishSent", "acknowledged", "outputBytes", "sessions"],
  async run(broker, scale) {
    const stuck = await many(READERS, (index) => stuckSubscriber(broker.port, `stuck-${index}`, "load", 1));
    await publishLoad(broker, scale, 1);
    await broker.until("the stuck are gone", ({ counters }) => counters.connectionsOpen === 1);
    for (const client of stuck) client.socket.destroy();
  },
};

export const stuckLasting: Flood = {
  title: "200 lasting sessions that stop reading cost no memory for what waits on disk - attack MEM-03",
  options: { limits: OUTPUT },
  isDurable: true,
  boundBytes: 2 * 2 * OUTPUT.totalOutputBytes + READERS * 64 * KIBIBYTE + 64 * MEBIBYTE,
  boundReason:
    "twice totalOutputBytes in buffers that may be half empty, a page of each queue, the buffers of the database",
  counters: ["publishReceived", "publishSent", "acknowledged", "outputBytes", "logCacheBytes"],
  async run(broker, scale) {
    const stuck = await many(READERS, (index) =>
      stuckSubscriber(broker.port, `stuck-${index}`, "load", 1, HOUR_SECONDS),
    );
    await publishLoad(broker, scale, 1);
    const { counters } = await broker.report();
    assert.equal(counters.connectionsOpen, READERS + 1);
    assert.ok(counters.outputBytes <= 2 * OUTPUT.totalOutputBytes, `${counters.outputBytes} bytes wait`);
    for (const client of stuck) client.socket.destroy();
  },
};

const QUEUE_BYTES = 8 * MEBIBYTE;

export const offlineQueue: Flood = {
  title: "an offline session keeps queueBytes of the newest messages; the rest is counted - attack MEM-04",
  options: { limits: { queueBytes: QUEUE_BYTES } },
  isDurable: true,
  boundBytes: 64 * MEBIBYTE,
  boundReason: "the buffers of the database, whatever is published",
  counters: ["acknowledged", "discardedAtLimit", "logCacheBytes"],
  async run(broker, scale) {
    const { client } = await WireClient.connect({
      port: broker.port,
      clientId: "offline",
      sessionExpiryInterval: HOUR_SECONDS,
    });
    await client.subscribe("load", 1);
    await client.disconnect();
    await publishLoad(broker, 5 * scale, 1);
    const { counters } = await broker.until(
      "the queue is cut",
      ({ counters: now }) => now.discardedAtLimit > 0,
    );
    assert.equal(counters.acknowledged, counters.publishReceived);
  },
};

const BIG_BYTES = 4 * MEBIBYTE;

export const bigFanOut: Flood = {
  title: "a large QoS 1 message to 200 who read slowly is not copied for all of them at once - attack MEM-10",
  options: { limits: OUTPUT },
  boundBytes: 2 * 2 * OUTPUT.totalOutputBytes + 4 * BIG_BYTES,
  boundReason: "four times totalOutputBytes, and the message itself while it is read",
  counters: ["publishReceived", "publishSent", "outputBytes"],
  async run(broker, scale) {
    const stuck = await many(READERS, (index) => stuckSubscriber(broker.port, `stuck-${index}`, "load", 1));
    const { client } = await WireClient.connect({ port: broker.port, clientId: "load" });
    for (let packetId = 1; packetId <= 2 * scale; packetId++) {
      client.publish({ topicName: "load", payload: Buffer.alloc(BIG_BYTES), qos: 1, packetId });
      await client.take(PacketType.PUBACK);
    }
    for (const reader of stuck) reader.socket.destroy();
  },
};
