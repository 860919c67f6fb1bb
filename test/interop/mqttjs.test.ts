// MQTT.js, the client of most Node applications, over TCP and over WebSocket.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import mqtt, { type IClientOptions, type IConnackPacket, type IPublishPacket, type MqttClient } from "mqtt";
import { newDirectory, removeDirectory } from "./src/directory.ts";
import { Mailbox } from "./src/mailbox.ts";
import { ServerProcess } from "./src/server.ts";

/** A connected client and what it receives. */
interface Connected {
  readonly client: MqttClient;
  readonly connack: IConnackPacket;
  readonly arrived: Mailbox<IPublishPacket>;
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
    const connect = (clientId: string, options: IClientOptions = {}): Promise<Connected> =>
      connectTo(transport, {
        clientId: `${clientId}-${place}`,
        protocolVersion: version,
        protocolId: version === 3 ? "MQIsdp" : "MQTT",
        ...options,
      });

    test(`${name} messages of every QoS arrive`, async () => {
      const { client: reader, arrived } = await connect("reader");
      await reader.subscribeAsync(`qos/${place}/+`, { qos: 2 });
      const { client: writer } = await connect("writer");
      for (const qos of [0, 1, 2] as const) {
        await writer.publishAsync(`qos/${place}/${qos}`, `message ${qos}`, { qos });
      }
      for (const qos of [0, 1, 2] as const) {
        const packet = await arrived.take();
        assert.deepEqual(
          [packet.topic, packet.payload.toString(), packet.qos, packet.retain],
          [`qos/${place}/${qos}`, `message ${qos}`, qos, false],
        );
      }
      await reader.endAsync();
      await writer.endAsync();
    });

    test(`${name} a retained message is kept, and deleted by an empty one`, async () => {
      const { client, arrived } = await connect("retained");
      const topic = `retained/${place}`;
      await client.publishAsync(topic, "kept", { qos: 1, retain: true });
      await client.subscribeAsync(topic, { qos: 1 });
      const kept = await arrived.take();
      assert.deepEqual([kept.payload.toString(), kept.retain], ["kept", true]);
      await client.unsubscribeAsync(topic);
      await client.publishAsync(topic, "", { qos: 1, retain: true });
      await client.subscribeAsync(topic, { qos: 1 });
      await client.publishAsync(topic, "live", { qos: 1 });
      const next = await arrived.take();
      assert.deepEqual([next.payload.toString(), next.retain], ["live", false]);
      await client.endAsync();
    });

    test(`${name} the will of a lost client is published`, async () => {
      const { client: reader, arrived } = await connect("reader");
      await reader.subscribeAsync(`will/${place}`, { qos: 1 });
      const will = { topic: `will/${place}`, payload: Buffer.from("gone"), qos: 1, retain: false } as const;
      const { client: lost } = await connect("lost", { will });
      lost.stream.destroy();
      assert.equal((await arrived.take()).payload.toString(), "gone");
      await lost.endAsync(true);
      await reader.endAsync();
    });

    test(`${name} a lasting session keeps what it missed`, async () => {
      const expiry = version === 5 ? { properties: { sessionExpiryInterval: 3_600 } } : {};
      const options: IClientOptions = { clean: false, ...expiry };
      const { client: first } = await connect("lasting", options);
      await first.subscribeAsync(`missed/${place}`, { qos: 2 });
      await first.endAsync();
      const { client: writer } = await connect("writer");
      await writer.publishAsync(`missed/${place}`, "one", { qos: 1 });
      await writer.publishAsync(`missed/${place}`, "two", { qos: 2 });
      await writer.endAsync();
      const { client: again, connack, arrived } = await connect("lasting", options);
      // 3.1 has no way to say it.
      assert.equal(connack.sessionPresent, version !== 3);
      const missed = await arrived.takeAll(2);
      assert.deepEqual(
        missed.map(({ payload, qos }) => [payload.toString(), qos]),
        [
          ["one", 1],
          ["two", 2],
        ],
      );
      await again.endAsync();
    });
  }

  test(`MQTT.js over ${transport}: the properties of 5.0 travel with the message`, async () => {
    const options: IClientOptions = { protocolVersion: 5 };
    const { client: reader, arrived } = await connectTo(transport, options);
    await reader.subscribeAsync(`properties/${transport}`, {
      qos: 1,
      properties: { subscriptionIdentifier: 42 },
    });
    const { client: writer } = await connectTo(transport, options);
    const sent = {
      payloadFormatIndicator: true,
      contentType: "text/plain",
      responseTopic: "answers",
      correlationData: Buffer.from([1, 2, 3]),
      userProperties: { colour: ["red", "green"] },
    };
    await writer.publishAsync(`properties/${transport}`, "text", {
      qos: 1,
      properties: { ...sent, messageExpiryInterval: 60 },
    });
    const { properties } = await arrived.take();
    assert.ok(properties);
    const { messageExpiryInterval, subscriptionIdentifier, userProperties, ...rest } = properties;
    assert.ok(messageExpiryInterval === 60 || messageExpiryInterval === 59);
    assert.equal(subscriptionIdentifier, 42);
    assert.deepEqual({ ...userProperties }, sent.userProperties);
    assert.deepEqual({ ...rest, userProperties: sent.userProperties }, sent);
    await reader.endAsync();
    await writer.endAsync();
  });

  test(`MQTT.js over ${transport}: a payload of a megabyte and a topic in three scripts arrive unchanged`, async () => {
    const { client, arrived } = await connectTo(transport, { protocolVersion: 5 });
    const topic = `größe/размер/大きさ/${transport}`;
    const payload = randomBytes(1_048_576);
    await client.subscribeAsync(topic, { qos: 1 });
    await client.publishAsync(topic, payload, { qos: 1 });
    const packet = await arrived.take();
    assert.equal(packet.topic, topic);
    assert.ok(payload.equals(Buffer.from(packet.payload)));
    await client.endAsync();
  });

  test(`MQTT.js over ${transport}: topic aliases work in both directions`, async () => {
    const options: IClientOptions = {
      protocolVersion: 5,
      autoUseTopicAlias: true,
      autoAssignTopicAlias: true,
      properties: { topicAliasMaximum: 10 },
    };
    const { client, arrived } = await connectTo(transport, options);
    await client.subscribeAsync(`alias/${transport}/+`, { qos: 1 });
    for (const text of ["1", "2", "3"]) await client.publishAsync(`alias/${transport}/a`, text, { qos: 1 });
    const messages = await arrived.takeAll(3);
    assert.deepEqual(
      messages.map(({ payload }) => payload.toString()),
      ["1", "2", "3"],
    );
    assert.ok(
      messages.some(({ topic }) => topic === ""),
      "the broker used an alias",
    );
    await client.endAsync();
  });

  test(`MQTT.js over ${transport}: members of a shared subscription get each message once`, async () => {
    const members = await Promise.all([0, 1].map(() => connectTo(transport, { protocolVersion: 5 })));
    const all = new Mailbox<string>();
    for (const { client } of members) {
      client.on("message", (_topic, payload) => all.put(payload.toString()));
      await client.subscribeAsync(`$share/group/shared/${transport}`, { qos: 1 });
    }
    const { client: writer } = await connectTo(transport, { protocolVersion: 5 });
    const texts = Array.from({ length: 20 }, (_, number) => String(number));
    for (const text of texts) await writer.publishAsync(`shared/${transport}`, text, { qos: 1 });
    assert.deepEqual((await all.takeAll(texts.length)).sort(), texts.sort());
    for (const { client } of [...members, { client: writer }]) await client.endAsync();
    assert.equal(all.size, 0);
  });
}

async function connectTo(transport: "TCP" | "WebSocket", options: IClientOptions): Promise<Connected> {
  const url = transport === "TCP" ? `mqtt://127.0.0.1:${server.port}` : `ws://127.0.0.1:${server.wsPort}`;
  const client = mqtt.connect(url, { reconnectPeriod: 0, ...options });
  const arrived = new Mailbox<IPublishPacket>();
  // What the session missed comes right behind CONNACK.
  client.on("message", (_topic, _payload, packet) => arrived.put(packet));
  const connack = await new Promise<IConnackPacket>((resolve, reject) => {
    client.once("connect", resolve);
    client.once("error", reject);
  });
  return { client, connack, arrived };
}
