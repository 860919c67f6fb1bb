// Floods of packets: tiny ones, ones in single bytes, ones that are never finished, and questions whose answers nobody reads.

import assert from "node:assert/strict";
import { encodePacket, PacketType, type UserProperties, writeForwardedProperties } from "@heirloom/codec";
import { WireClient } from "#interop/wire-client";
import { type Flood, KIBIBYTE, MEBIBYTE } from "../flood.ts";
import { connectBytes, many, openSocket, publishBytes, sendAll, writeAll } from "../flooder.ts";

const PINGREQ = Uint8Array.of(0xc0, 0x00);

export const tinyPackets: Flood = {
  title: "a million PINGREQ and packets in single bytes cost no memory - attack CPU-03 - attack CPU-04",
  options: {},
  boundBytes: 32 * MEBIBYTE,
  boundReason: "what is read and written at one time",
  counters: ["bytesReceived", "bytesSent", "writes", "turns"],
  async run(broker, scale) {
    const { client } = await WireClient.connect({ port: broker.port, clientId: "pinger" });
    await sendAll(client.socket, 500_000 * scale, () => PINGREQ);
    let open = 500_000 * scale;
    for (; open > 0; open--) await client.take(PacketType.PINGRESP);
    const packet = publishBytes({ topicName: "a/b", payload: Buffer.alloc(100), qos: 1, packetId: 1 });
    for (let round = 0; round < 20 * scale; round++) {
      for (const byte of packet) client.socket.write(Uint8Array.of(byte));
      await client.take(PacketType.PUBACK);
    }
    await client.disconnect();
  },
};

const UNREAD = 25;
const OUTPUT = { outputBytes: 256 * KIBIBYTE, totalOutputBytes: 8 * MEBIBYTE, maximumPacketSize: MEBIBYTE };

export const unreadAnswers: Flood = {
  title: "who does not read the answers to PINGREQ is not read either - attack CONN-07",
  options: { limits: OUTPUT },
  boundBytes: 2 * OUTPUT.totalOutputBytes + UNREAD * 256 * KIBIBYTE,
  boundReason: "twice totalOutputBytes, and the answers to four chunks for each of 25 connections",
  counters: ["bytesReceived", "bytesSent", "outputBytes"],
  async run(broker, scale) {
    const pings = Buffer.alloc(64 * KIBIBYTE, PINGREQ);
    const clients = await many(UNREAD, async (index) => {
      const { client } = await WireClient.connect({ port: broker.port, clientId: `unread-${index}` });
      client.socket.pause();
      return client;
    });
    // More than the buffers of the system on both sides take; what is too much stays here. A pause after each round lets the
    // other client, in this process, have its turn.
    for (let round = 0; round < 80 * scale; round++) {
      for (const client of clients) client.socket.write(pings);
      await new Promise((resolve) => setImmediate(resolve));
    }
    let readBytes = -1;
    await broker.until("nothing more is read", ({ counters }) => {
      // The other client goes on, with a few hundred bytes between two looks.
      const isStill = counters.bytesReceived - readBytes < 32 * KIBIBYTE;
      readBytes = counters.bytesReceived;
      return isStill && counters.outputBytes > 0;
    });
    const { counters } = await broker.report();
    assert.ok(counters.bytesReceived < UNREAD * 80 * scale * pings.length);
    assert.ok(
      counters.outputBytes <= 2 * OUTPUT.totalOutputBytes + UNREAD * 256 * KIBIBYTE,
      `${counters.outputBytes} bytes wait`,
    );
    for (const client of clients) client.socket.destroy();
  },
};

const CUT = 100;
const CUT_BYTES = MEBIBYTE;
const TOTAL_INPUT_BYTES = 16 * MEBIBYTE;

export const cutPackets: Flood = {
  title: "100 packets of 1 MiB that never end keep totalInputBytes in memory - attack MEM-02",
  options: { limits: { totalInputBytes: TOTAL_INPUT_BYTES } },
  boundBytes: 2 * 2 * TOTAL_INPUT_BYTES + CUT * 64 * KIBIBYTE,
  boundReason: "twice totalInputBytes in buffers that may be half empty, and a chunk for each connection",
  counters: ["bytesReceived", "inputBytes", "inputDropped", "connectionsOpen"],
  async run(broker, scale) {
    const whole = publishBytes({ topicName: "cut", payload: Buffer.alloc(CUT_BYTES) });
    const cut = whole.subarray(0, whole.length - 1);
    const sockets = await many(CUT * scale, async (index) => {
      const socket = await openSocket(broker.port);
      await writeAll(socket, connectBytes(`cut-${index}`));
      await writeAll(socket, cut);
      return socket;
    });
    const { counters } = await broker.until(
      "connections were ended",
      ({ counters: now }) => now.inputDropped > 0 && now.inputBytes <= TOTAL_INPUT_BYTES,
    );
    assert.ok(counters.inputBytes > 0);
    for (const socket of sockets) socket.destroy();
    const { counters: after } = await broker.until(
      "all are gone",
      ({ counters: now }) => now.connectionsOpen === 1,
    );
    assert.equal(after.inputBytes, 0);
  },
};

export const userProperties: Flood = {
  title: "packets full of User Properties end their connection and cost no memory - attack MEM-07",
  options: { limits: { maximumPacketSize: 4 * MEBIBYTE } },
  boundBytes: 64 * MEBIBYTE,
  boundReason: "a few copies of the largest packet",
  counters: ["publishReceived", "bytesReceived", "connectionsOpen"],
  async run(broker, scale) {
    const publish = publishBytes({
      topicName: "full",
      payload: Buffer.alloc(1),
      forwarded: writeForwardedProperties({ userProperties: pairs(400_000) }),
    });
    const unsubscribe = encodePacket(
      {
        type: PacketType.UNSUBSCRIBE,
        packetId: 1,
        topicFilters: ["none"],
        properties: { userProperties: pairs(100_000) },
      },
      5,
    );
    for (let round = 0; round < 5 * scale; round++) {
      for (const packet of [publish, unsubscribe]) {
        const { client } = await WireClient.connect({ port: broker.port, clientId: "full" });
        client.socket.write(packet);
        await client.closed;
      }
    }
  },
};

/** As many User Properties as small as they can be. */
function pairs(count: number): UserProperties {
  return Array.from({ length: count }, () => ["", ""]);
}
