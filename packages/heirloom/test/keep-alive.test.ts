// How long a client may hold a connection without showing that it is there.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createBroker } from "heirloom";
import mqtt from "mqtt";

const MAXIMUM = 1_200;

describe("Keep Alive", () => {
  for (const keepalive of [0, 65_535]) {
    const title = `is ${MAXIMUM} seconds at most for 5.0 that asks for ${keepalive}; 3.1.1 keeps what it asked for`;
    it(`${title} - 5.0 [MQTT-3.1.2-21] - attack CONN-02`, async (context) => {
      const broker = await createBroker({ store: "memory", port: 0 });
      context.after(() => broker.stop());
      const url = broker.listeners[0]?.url ?? "";
      for (const [protocolVersion, granted] of [
        [5, MAXIMUM],
        [4, undefined],
      ] as const) {
        const client = mqtt.connect(url, { protocolVersion, keepalive, reconnectPeriod: 0 });
        context.after(() => client.end(true));
        const serverKeepAlive = await new Promise((resolve, reject) => {
          client.on("error", reject);
          client.once("connect", ({ properties }) => resolve(properties?.serverKeepAlive));
        });
        assert.equal(serverKeepAlive, granted);
      }
    });
  }
});
