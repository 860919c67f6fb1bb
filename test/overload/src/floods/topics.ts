// Floods of topics: retained messages, names that are new each time, aliases.

import assert from "node:assert/strict";
import { PacketType } from "@heirloom/codec";
import { WireClient } from "#interop/wire-client";
import { type Flood, KIBIBYTE, MEBIBYTE } from "../flood.ts";
import { many, publishBytes, sendAll } from "../flooder.ts";

const QUOTA_EXCEEDED = 0x97;
/** Unacknowledged messages that a flooder keeps. */
const WINDOW = 1_000;

/** Publishes retained messages at QoS 1. @returns how many were refused with 0x97. */
async function retainAll(
  client: WireClient,
  count: number,
  topicName: (index: number) => string,
  payload: Uint8Array,
): Promise<number> {
  let refused = 0;
  for (let first = 0; first < count; first += WINDOW) {
    const last = Math.min(first + WINDOW, count);
    await sendAll(client.socket, last - first, (offset) =>
      publishBytes({
        topicName: topicName(first + offset),
        payload,
        qos: 1,
        retain: true,
        packetId: offset + 1,
      }),
    );
    for (let index = first; index < last; index++) {
      const { reasonCode } = await client.take(PacketType.PUBACK);
      if (reasonCode === QUOTA_EXCEEDED) refused++;
    }
  }
  return refused;
}

const RETAINED = 20_000;

export const retainedTopics: Flood = {
  title: "retained messages beyond retainedMessages are refused with 0x97 - attack MEM-09",
  options: { limits: { retainedMessages: RETAINED } },
  isDurable: true,
  boundBytes: RETAINED * KIBIBYTE + 64 * MEBIBYTE,
  boundReason: "retainedMessages at 1 KiB each, and the buffers of the database",
  counters: ["retained", "retainedBytes", "refused"],
  async run(broker, scale) {
    const { client } = await WireClient.connect({ port: broker.port, clientId: "flooder" });
    const count = RETAINED + 20_000 * scale;
    const refused = await retainAll(client, count, (index) => `flood/${index}`, Buffer.alloc(2));
    assert.equal(refused, count - RETAINED);
    const { counters } = await broker.report();
    assert.equal(counters.retained, RETAINED);
    assert.equal(counters.refused, refused);
    await client.disconnect();
  },
};

const RETAINED_BYTES = 16 * MEBIBYTE;
const LARGE_BYTES = 64 * KIBIBYTE;

export const retainedPayloads: Flood = {
  title: "retained payloads beyond retainedBytes are refused with 0x97; what is there can be deleted",
  options: { limits: { retainedBytes: RETAINED_BYTES } },
  isDurable: true,
  boundBytes: 2 * RETAINED_BYTES + 96 * MEBIBYTE,
  boundReason: "retainedBytes in memory and in a batch, and the buffers of the database",
  counters: ["retained", "retainedBytes", "refused"],
  async run(broker, scale) {
    const { client } = await WireClient.connect({ port: broker.port, clientId: "flooder" });
    const count = 1_000 * scale;
    const refused = await retainAll(client, count, (index) => `flood/${index}`, Buffer.alloc(LARGE_BYTES));
    const { counters } = await broker.report();
    assert.equal(counters.refused, refused);
    assert.ok(refused > 0 && counters.retainedBytes <= RETAINED_BYTES);
    assert.ok(counters.retainedBytes > RETAINED_BYTES - 2 * LARGE_BYTES);
    assert.equal(await retainAll(client, 1, () => "flood/0", new Uint8Array()), 0);
    assert.equal(await retainAll(client, 1, () => "flood/new", Buffer.alloc(LARGE_BYTES)), 0);
    await client.disconnect();
  },
};

const MATCH_CACHE_BYTES = 16 * MEBIBYTE;

export const newTopics: Flood = {
  title: "topic names that are new each time leave nothing behind but the cache of matches - attack CPU-06",
  options: {},
  boundBytes: 4 * MATCH_CACHE_BYTES,
  boundReason: "the cache of matches: 16 MiB of names and results, and four times as much with its maps",
  counters: ["publishReceived", "bytesReceived"],
  async run(broker, scale) {
    const { client } = await WireClient.connect({ port: broker.port, clientId: "flooder" });
    await client.subscribe("other/+/#", 0);
    const payload = Buffer.alloc(1);
    await sendAll(client.socket, 300_000 * scale, (index) =>
      publishBytes({ topicName: `flood/${index}/${index * 7}`, payload }),
    );
    const long = "x".repeat(60_000);
    await sendAll(client.socket, 1_000 * scale, (index) =>
      publishBytes({ topicName: `${index}${long}`, payload }),
    );
    await client.roundTrip();
    await client.disconnect();
  },
};

const ALIASING = 50;
const ALIASES = 16;
const LONG_TOPIC_BYTES = 60 * KIBIBYTE;

export const aliases: Flood = {
  title: "aliases for the longest topics stop at the Topic Alias Maximum - attack MEM-08",
  options: { limits: { topicAliasMaximum: ALIASES } },
  boundBytes: ALIASING * ALIASES * LONG_TOPIC_BYTES + 4 * MATCH_CACHE_BYTES,
  boundReason: "50 connections, 16 aliases, 60 KiB each, and the cache of matches",
  counters: ["publishReceived", "connectionsOpen"],
  async run(broker) {
    const clients = await many(ALIASING, async (index) => {
      const { client } = await WireClient.connect({ port: broker.port, clientId: `alias-${index}` });
      for (let alias = 1; alias <= ALIASES * 4; alias++) {
        client.publish({
          topicName: `${index}/${alias}/`.padEnd(LONG_TOPIC_BYTES, "x"),
          topicAlias: ((alias - 1) % ALIASES) + 1,
          payload: Buffer.alloc(1),
        });
      }
      await client.roundTrip();
      return client;
    });
    const [first] = clients;
    assert.ok(first !== undefined);
    first.publish({
      topicName: "x",
      topicAlias: ALIASES + 1,
      payload: Buffer.alloc(1),
    });
    assert.equal((await first.take(PacketType.DISCONNECT)).reasonCode, 0x94);
    for (const client of clients) client.socket.destroy();
  },
};
