// How long a client may hold a connection without showing that it is there.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { PacketType } from "@heirloom/codec";
import { createTestBroker } from "heirloom/testing";
import { connectPacket, WireClient } from "./wire-client.js";

/** Seconds; the default of `keepAliveMaximum`. */
const MAXIMUM = 1_200;
const PINGREQ = { type: PacketType.PINGREQ } as const;

describe("Keep Alive", () => {
  for (const version of [3, 4, 5] as const) {
    for (const keepAlive of [0, 65_535]) {
      const title = `of ${keepAlive} holds a connection of version ${version} for half an hour of silence and no longer`;
      it(`${title} - 5.0 [MQTT-3.1.2-21] - attack CONN-02`, async (context) => {
        const broker = await createTestBroker();
        context.after(() => broker.stop());
        const client = new WireClient(broker.connect(), version);
        client.send(connectPacket(version, { keepAlive }));
        const connack = await client.next();
        assert.ok(connack !== "closed" && connack.type === PacketType.CONNACK);
        // 3.x has no way to be told.
        assert.equal(connack.properties.serverKeepAlive, version === 5 ? MAXIMUM : undefined);
        await broker.advance(MAXIMUM * 1_500 - 1);
        client.send(PINGREQ);
        await broker.settle();
        await broker.advance(MAXIMUM * 1_500 - 1);
        assert.equal(broker.counters.connectionsOpen, 1);
        await broker.advance(1);
        assert.equal(broker.counters.connectionsOpen, 0);
      });
    }

    it(`is what a client of version ${version} asks for, where that is wanted`, async (context) => {
      const broker = await createTestBroker({ limits: { keepAliveMaximum: 0 } });
      context.after(() => broker.stop());
      const client = new WireClient(broker.connect(), version);
      assert.equal(await client.connect({ keepAlive: 0 }), 0);
      await broker.advance("2h");
      assert.equal(broker.counters.connectionsOpen, 1);
    });
  }
});
