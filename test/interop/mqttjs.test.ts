// MQTT.js, the client of most Node applications, over TCP and over WebSocket.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { connectAsync, type IClientOptions, type IPublishPacket, type MqttClient } from "mqtt";
import { newDirectory, removeDirectory } from "./src/directory.ts";
import { Mailbox } from "./src/mailbox.ts";
import { ServerProcess } from "./src/server.ts";

interface Arrived {
  readonly topic: string;
  readonly text: string;
  readonly packet: IPublishPacket;
}

let server: ServerProcess;
let data: string;

before(async () => {
  data = await newDirectory("mqttjs");
  server = await ServerProcess.start({ data });
});

after(async () => {
  await server.stop();
  await removeDirectory(data);
});

for (const transport of ["TCP", "WebSocket"] as const) {
  for (const version of [3, 4, 5] as const) {
    const name = `MQTT.js over ${transport}, protocol level ${version}:`;
    const place = `${transport}-${version}`;
    const connect = (clientId: string, options: IClientOptions = {}): Promise<MqttClient> =>
      connectAsync(urlOf(transport), {
        clientId: `${clientId}-${place}`,
        protocolVersion: version,
        protocolId: version === 3 ? "MQIsdp" : "MQTT",
        reconnectPeriod: 0,
        ...options,
      });

    test(`${name} messages of every QoS arrive with it`, async () => {
      const reader = await connect("reader");
      const arrived = mailboxOf(reader);
      await reader.subscribeAsync(`qos/${place}/+`, { qos: 2 });
      const writer = await connect("writer");
      for (const qos of [0, 1, 2] as const) await writer.publishAsync(`qos/${place}/${qos}`, `message ${qos}`, { qos });
      for (const qos of [0, 1, 2] as const) {
        const { topic, text, packet } = await arrived.take();
        assert.deepEqual([topic, text, packet.qos, packet.retain], [`qos/${place}/${qos}`, `message ${qos}`, qos, false]);
      }
      await reader.endAsync();
      await writer.endAsync();
    });

    test(`${name} a retained message is kept, and deleted by an empty one`, async () => {
      const client = await connect("retained");
      const arrived = mailboxOf(client);
      await client.publishAsync(`retained/${place}`, "kept", { qos: 1, retain: true });
      await client.subscribeAsync(`retained/${place}`, { qos: 1 });
      const kept = await arrived.take();
      assert.deepEqual([kept.text, kept.packet.retain], ["kept", true]);
      await client.unsubscribeAsync(`retained/${place}`);
      await client.publishAsync(`retained/${place}`, "", { qos: 1, retain: true });
      await client.subscribeAsync(`retained/#`, { qos: 1 });
      await client.publishAsync(`retained/${place}`, "live", { qos: 1 });
      const next = await arrived.take();
      assert.deepEqual([next.text, next.packet.retain], ["live", false]);
      await client.endAsync();
    });

    test(`${name} the will of a lost client is published`, async () => {
      const reader = await connect("mourner");
      const arrived = mailboxOf(reader);
      await reader.subscribeAsync(`will/${place}`, { qos: 1 });
      const will = { topic: `will/${place}`, payload: Buffer.from("gone"), qos: 1, retain: false } as const;
      const lost = await connect("lost", { will });
      lost.stream.destroy();
      assert.equal((await arrived.take()).text, "gone");
      await lost.endAsync(true);
      await reader.endAsync();
    });

    test(`${name} a lasting session keeps what it missed`, async () => {
      const expiry = version === 5 ? { properties: { sessionExpiryInterval: 3_600 } } : {};
      const options: IClientOptions = { clean: false, ...expiry };
      const first = await connect("lasting", options);
      await first.subscribeAsync(`missed/${place}`, { qos: 2 });
      await first.endAsync();
      const writer = await connect("writer");
      await writer.publishAsync(`missed/${place}`, "one", { qos: 1 });
      await writer.publishAsync(`missed/${place}`, "two", { qos: 2 });
      await writer.endAsync();
      const again = await connectWith(() => connect("lasting", { ...options, manualConnect: true }));
      assert.equal(again.sessionPresent, version !== 3, "3.1 cannot say it");
      assert.deepEqual([await again.arrived.take(), await again.arrived.take()].map(textAndQoS), [
        ["one", 1],
        ["two", 2],
      ]);
      await again.client.endAsync();
    });
  }
}
