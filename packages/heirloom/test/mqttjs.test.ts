// Real clients: MQTT.js over TCP and WebSocket, 3.1, 3.1.1 and 5.0.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createBroker } from "heirloom";
import mqtt, { type IClientOptions } from "mqtt";

const VERSIONS: readonly (readonly [name: string, options: IClientOptions])[] = [
  ["3.1", { protocolId: "MQIsdp", protocolVersion: 3 }],
  ["3.1.1", { protocolVersion: 4 }],
  ["5.0", { protocolVersion: 5 }],
];

for (const transport of ["tcp", "websocket"] as const) {
  for (const [version, versionOptions] of VERSIONS) {
    describe(`MQTT.js ${version} over ${transport}`, () => {
      it("connects, subscribes, publishes at every QoS with payloads of all sizes, and disconnects", async (context) => {
        const broker = await createBroker({ store: "memory", listeners: [{ transport, port: 0 }] });
        context.after(() => broker.stop());
        const url = broker.listeners[0]?.url ?? "";
        const client = await mqtt.connectAsync(url, { ...versionOptions, clientId: "c", reconnectPeriod: 0 });
        await client.subscribeAsync("sizes/#", { qos: 2 });
        const sizes = [0, 1, 127, 128, 65_536, 1_048_576];
        const expected = sizes.flatMap((size) => [0, 1, 2].map((qos) => `${qos} ${size}`)).sort();
        const received: string[] = [];
        const done = new Promise<void>((resolve) => {
          client.on("message", (_topic, payload, packet) => {
            assert.ok(payload.every((byte) => byte === packet.qos));
            if (received.push(`${packet.qos} ${payload.length}`) === expected.length) resolve();
          });
        });
        for (const size of sizes) {
          for (const qos of [0, 1, 2] as const) {
            await client.publishAsync(`sizes/${size}`, Buffer.alloc(size, qos), { qos });
          }
        }
        await done;
        assert.deepEqual(received.sort(), expected);
        await client.endAsync();
      });
    });
  }
}
