// Floods of subscriptions: many, long, deep, and such that one topic matches as many of them as can be.

import assert from "node:assert/strict";
import { encodePacket, PacketType } from "@heirloom/codec";
import { WireClient } from "#interop/wire-client";
import { type Flood, KIBIBYTE, MEBIBYTE } from "../flood.ts";
import { publishBytes, sendAll } from "../flooder.ts";

const HOUR_SECONDS = 3_600;
const QUOTA_EXCEEDED = 0x97;
const FILTERS_AT_ONCE = 1_000;
const LONGEST_BYTES = 65_535;

/** Subscribes to filters, many in each SUBSCRIBE. @returns how many were refused with 0x97. */
async function subscribeAll(
  client: WireClient,
  topicFilters: readonly string[],
  atOnce: number = FILTERS_AT_ONCE,
  subscriptionIdentifier?: number,
): Promise<number> {
  let refused = 0;
  for (let first = 0; first < topicFilters.length; first += atOnce) {
    client.send({
      type: PacketType.SUBSCRIBE,
      packetId: 1,
      subscriptions: topicFilters.slice(first, first + atOnce).map((topicFilter) => ({
        topicFilter,
        qos: 1,
        noLocal: false,
        retainAsPublished: false,
        retainHandling: 0,
      })),
      properties: subscriptionIdentifier === undefined ? {} : { subscriptionIdentifier },
    });
    const { reasonCodes } = await client.take(PacketType.SUBACK);
    refused += reasonCodes.filter((reasonCode) => reasonCode === QUOTA_EXCEEDED).length;
  }
  return refused;
}

const MANY = 10_000;

export const manyFilters: Flood = {
  title: "filters beyond subscriptionsPerSession are refused with 0x97 - attack MEM-05",
  options: { limits: { subscriptionsPerSession: MANY } },
  isDurable: true,
  boundBytes: MANY * 4 * KIBIBYTE + 64 * MEBIBYTE,
  boundReason: "subscriptionsPerSession at 4 KiB each, and the buffers of the database",
  counters: ["subscriptions", "refusedSubscriptions", "logs"],
  async run(broker, scale) {
    const { client } = await WireClient.connect({
      port: broker.port,
      clientId: "bomber",
      sessionExpiryInterval: HOUR_SECONDS,
    });
    const count = 2 * MANY * scale;
    const refused = await subscribeAll(
      client,
      Array.from({ length: count }, (_, index) => `bomb/${index}/+/x/#`),
    );
    assert.equal(refused, count - MANY);
    const { counters } = await broker.report();
    assert.equal(counters.subscriptions, MANY + 1);
    assert.equal(counters.refusedSubscriptions, refused);
    await client.disconnect();
  },
};

const SUBSCRIPTION_BYTES = 2 * MEBIBYTE;

export const longFilters: Flood = {
  title: "filters of 65,535 bytes stop at subscriptionBytesPerSession with 0x97 - attack MEM-05",
  options: { limits: { subscriptionBytesPerSession: SUBSCRIPTION_BYTES } },
  isDurable: true,
  boundBytes: 8 * SUBSCRIPTION_BYTES + 64 * MEBIBYTE,
  boundReason: "each filter's text in session, tree, log and records, and the buffers of the database",
  counters: ["subscriptions", "refusedSubscriptions"],
  async run(broker, scale) {
    const { client } = await WireClient.connect({
      port: broker.port,
      clientId: "bomber",
      sessionExpiryInterval: HOUR_SECONDS,
    });
    const count = 500 * scale;
    const refused = await subscribeAll(
      client,
      Array.from({ length: count }, (_, index) => `${index}/`.padEnd(LONGEST_BYTES - 2, "x") + "/+"),
      10,
    );
    assert.equal(count - refused, Math.floor(SUBSCRIPTION_BYTES / LONGEST_BYTES));
    await client.disconnect();
  },
};

const EXPLODING_LEVELS = 13;

/** Every filter of `levels` levels that are "+" or "a": one topic matches all of them. */
function exploding(levels: number): string[] {
  return Array.from({ length: 2 ** levels }, (_, bits) =>
    Array.from({ length: levels }, (__, level) => ((bits >> level) & 1 ? "+" : "a")).join("/"),
  );
}

export const explodingFilters: Flood = {
  title: "a topic that matches 8,192 filters of one client costs one look at each - attack CPU-02",
  options: { limits: { subscriptionsPerSession: MANY } },
  boundBytes: 64 * MEBIBYTE,
  boundReason: "8,192 subscriptions and what matched, at 8 KiB",
  counters: ["publishReceived", "publishSent", "delivered"],
  async run(broker, scale) {
    const { client } = await WireClient.connect({ port: broker.port, clientId: "bomber" });
    await subscribeAll(client, exploding(EXPLODING_LEVELS), 256, 7);
    const { client: writer } = await WireClient.connect({ port: broker.port, clientId: "writer" });
    const before = await broker.report();
    const count = 50 * scale;
    const prefix = "a/".repeat(EXPLODING_LEVELS - 1);
    // A topic that is new each time, and one that all filters match.
    for (let packetId = 1; packetId <= count; packetId++) {
      const topicName = packetId % 2 === 0 ? `${prefix}new-${packetId}` : `${prefix}a`;
      writer.publish({ topicName, payload: Buffer.alloc(1), qos: 1, packetId });
      await writer.take(PacketType.PUBACK);
      const { packetId: received, subscriptionIdentifiers } = await client.take(PacketType.PUBLISH);
      assert.equal(subscriptionIdentifiers.length, packetId % 2 === 0 ? 2 ** (EXPLODING_LEVELS - 1) : 8_192);
      client.ack(PacketType.PUBACK, received);
    }
    const after = await broker.report();
    assert.ok(after.counters.publishReceived > before.counters.publishReceived);
    await client.disconnect();
    await writer.disconnect();
  },
};

export const deepFilters: Flood = {
  title:
    "topics of 128 levels against filters of 128 levels, and of 65,535 levels - attack MEM-06 - attack CPU-02",
  options: {},
  boundBytes: 128 * MEBIBYTE,
  boundReason: "1,000 filters of 128 levels at 70 bytes a level, the cache of matches",
  counters: ["subscriptions", "publishReceived"],
  async run(broker, scale) {
    const { client } = await WireClient.connect({ port: broker.port, clientId: "bomber" });
    const plus = "+/".repeat(120);
    await subscribeAll(
      client,
      Array.from({ length: 1_000 }, (_, index) => `${plus}${index}/+/+/#`),
      100,
    );
    const { client: writer } = await WireClient.connect({ port: broker.port, clientId: "writer" });
    await sendAll(writer.socket, 2_000 * scale, (index) =>
      publishBytes({ topicName: `${index}/`.repeat(126) + "x", payload: Buffer.alloc(1) }),
    );
    await writer.roundTrip();
    // Refused before any work: the connection ends, nothing else.
    writer.publish({ topicName: "/".repeat(LONGEST_BYTES), payload: Buffer.alloc(1) });
    await writer.closed;
    await client.disconnect();
  },
};

const PACKET_BYTES = 4 * MEBIBYTE;

export const filtersInOnePacket: Flood = {
  title:
    "a SUBSCRIBE with a million filters is refused without a million objects - attack CPU-05 - attack MEM-05",
  options: { limits: { maximumPacketSize: 2 * PACKET_BYTES } },
  boundBytes: 8 * PACKET_BYTES,
  boundReason: "a few copies of one packet",
  counters: ["subscriptions", "connectionsOpen"],
  async run(broker, scale) {
    const count = PACKET_BYTES / 4;
    const packet = encodePacket(
      {
        type: PacketType.SUBSCRIBE,
        packetId: 1,
        subscriptions: Array.from({ length: count }, () => ({
          topicFilter: "x",
          qos: 0,
          noLocal: false,
          retainAsPublished: false,
          retainHandling: 0,
        })),
        properties: {},
      },
      5,
    );
    for (let round = 0; round < scale; round++) {
      const { client } = await WireClient.connect({ port: broker.port, clientId: "bomber" });
      client.socket.write(packet);
      await client.closed;
    }
    const { counters } = await broker.report();
    assert.equal(counters.connectionsOpen, 1);
  },
};
