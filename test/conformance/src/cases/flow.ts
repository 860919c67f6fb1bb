// Flow control and packet sizes of 5.0. Sections 3.3.4, 4.9, 3.1.2.11.4 and 3.2.2.3.6.
import { publish } from "../build.ts";
import type { Case } from "../case.ts";
import type { Client } from "../client.ts";
import { equal, oneOf, truthy } from "../check.ts";
import type { Properties } from "../properties.ts";
import type { Trial } from "../trial.ts";

/** Subscribed with a lasting session and these CONNECT properties, and a publisher. */
async function pair(t: Trial, properties: Properties): Promise<{ subscriber: Client; publisher: Client }> {
  const subscriber = await t.connect({ lasting: true, properties });
  await subscriber.subscribe(t.topic(), 2);
  return { subscriber, publisher: await t.connect() };
}

/** The payload that makes a QoS 1 PUBLISH without properties to `topic` exactly `size` bytes, `size` below 16384. */
function payloadFor(topic: string, size: number): string {
  const length = size - (size > 129 ? 3 : 2) - 2 - topic.length - 2 - 1;
  return "x".repeat(length);
}

export const flowCases: readonly Case[] = [
  {
    ids: ["5.0 [MQTT-3.3.4-9]", "5.0 [MQTT-4.9.0-1]", "5.0 [MQTT-4.9.0-2]"],
    title: "QoS 1 and 2 share one quota, and a QoS 2 slot is held until PUBCOMP",
    hardCase: "flow/1",
    async run(t) {
      const { subscriber, publisher } = await pair(t, { receiveMaximum: 2 });
      for (let index = 0; index < 5; index += 1)
        await publisher.publish(t.topic(), `n${index}`, { qos: 1 + (index % 2) });
      const first = await subscriber.delivery();
      const second = await subscriber.delivery();
      await subscriber.silence("no third message");
      const two = first.qos === 2 ? first : second;
      const one = first.qos === 2 ? second : first;
      subscriber.ack("PUBREC", two.packetId);
      await subscriber.ackOf("PUBREL", two.packetId);
      await subscriber.silence("PUBREC frees no slot");
      subscriber.ack("PUBCOMP", two.packetId);
      await subscriber.delivery();
      subscriber.ack("PUBACK", one.packetId);
      await subscriber.delivery();
      await subscriber.silence("the quota is used up again");
    },
  },
  {
    ids: ["5.0 [MQTT-4.9.0-1]", "5.0 [MQTT-3.3.4-9]"],
    title: "acknowledgements of unknown identifiers do not raise the quota above Receive Maximum",
    hardCase: "flow/1",
    async run(t) {
      const { subscriber, publisher } = await pair(t, { receiveMaximum: 2 });
      for (const packetId of [900, 901, 902]) subscriber.ack("PUBACK", packetId);
      await subscriber.ping();
      for (let index = 0; index < 4; index += 1) await publisher.publish(t.topic(), `n${index}`, { qos: 1 });
      for (let count = 0; count < 2; count += 1) await subscriber.delivery();
      await subscriber.silence("two messages");
    },
  },
  {
    ids: ["5.0 [MQTT-3.3.4-10]", "5.0 [MQTT-4.9.0-2]", "5.0 [MQTT-4.9.0-3]"],
    title:
      "with the quota used up everything else flows, and each acknowledgement lets the next message through",
    hardCase: "flow/2",
    async run(t) {
      const { subscriber, publisher } = await pair(t, { receiveMaximum: 1 });
      for (let index = 0; index < 20; index += 1) await publisher.publish(t.topic(), `n${index}`, { qos: 2 });
      const first = await subscriber.delivery({ payload: "n0" });
      await subscriber.subscribe(t.topic("zero"), 0);
      await publisher.publish(t.topic("zero"), "flows");
      await subscriber.delivery({ payload: "flows", qos: 0 });
      oneOf(await subscriber.publish(t.topic("own"), "x", { qos: 1 }), [0, 0x10], "Reason Code of PUBACK");
      await subscriber.acknowledge(first);
      for (let index = 1; index < 20; index += 1) await subscriber.receive({ payload: `n${index}` });
      await subscriber.silence();
    },
  },
  {
    ids: ["5.0 [MQTT-3.3.4-7]"],
    title: "a client that exceeds the broker's Receive Maximum is disconnected with 0x93",
    hardCase: ["flow/3", "unnumbered/3", "connecting/12"],
    needs: { receiveMaximum: 2 },
    async run(t) {
      const client = await t.connect();
      equal(client.connack.properties.receiveMaximum, 2, "Receive Maximum");
      for (const packetId of [1, 2]) {
        client.publishOnly({ topic: t.topic(), qos: 2, packetId });
        await client.ackOf("PUBREC", packetId);
      }
      client.publishOnly({ topic: t.topic(), qos: 2, packetId: 3 });
      await client.closes([0x93]);
    },
  },
  {
    ids: ["5.0 [MQTT-3.3.4-7]"],
    title: "a client that stays within the broker's Receive Maximum is served for as long as it likes",
    needs: { receiveMaximum: 2 },
    async run(t) {
      const client = await t.connect();
      for (let round = 0; round < 10; round += 1) {
        const ids = [
          client.publishOnly({ topic: t.topic(), qos: 2 }),
          client.publishOnly({ topic: t.topic(), qos: 1 }),
        ];
        await client.ackOf("PUBREC", ids[0] ?? 0);
        await client.ackOf("PUBACK", ids[1] ?? 0);
        await client.release(ids[0] ?? 0);
      }
      await client.silence("to stay connected");
    },
  },
  {
    ids: ["5.0 [MQTT-3.1.2-24]", "5.0 [MQTT-3.1.2-25]"],
    title:
      "Maximum Packet Size counts the whole packet; a larger message is dropped for this client only, for good",
    hardCase: ["flow/4", "flow/5"],
    async run(t) {
      const { subscriber, publisher } = await pair(t, { maximumPacketSize: 100 });
      const other = await t.subscriber(t.topic(), 1);
      const sizes = [100, 101, 5000, 99];
      for (const size of sizes) await publisher.publish(t.topic(), payloadFor(t.topic(), size), { qos: 1 });
      for (const size of sizes)
        equal((await other.receive()).size, size, "size for the client without a maximum");
      equal((await subscriber.receive()).size, 100, "size of the first message");
      equal((await subscriber.receive()).size, 99, "size of the second message");
      await subscriber.silence();
      subscriber.drop();
      const back = await t.connect({ clientId: subscriber.clientId, lasting: true });
      await back.silence("the too large message is not kept");
    },
  },
  {
    ids: ["5.0 [MQTT-3.1.2-25]", "5.0 [MQTT-3.3.4-9]"],
    title: "a message too large for its client takes no slot of the quota, online and from the queue",
    hardCase: "flow/5",
    async run(t) {
      const properties = { maximumPacketSize: 100, receiveMaximum: 1 };
      const { subscriber, publisher } = await pair(t, properties);
      const send = async (): Promise<void> => {
        await publisher.publish(t.topic(), "x".repeat(200), { qos: 2 });
        await publisher.publish(t.topic(), "small", { qos: 2 });
      };
      await send();
      await subscriber.receive({ payload: "small" });
      await subscriber.disconnect();
      await send();
      const back = await t.connect({ clientId: subscriber.clientId, lasting: true, properties });
      await back.receive({ payload: "small" });
      await back.silence();
    },
  },
  {
    ids: ["5.0 [MQTT-3.2.2-15]"],
    title:
      "a packet above the broker's Maximum Packet Size closes, in 5.0 with 0x95; one of exactly the size passes",
    hardCase: ["flow/4", "unnumbered/3", "connecting/12"],
    needs: { maximumPacketSize: 1000 },
    async run(t) {
      const client = await t.connect();
      equal(client.connack.properties.maximumPacketSize, 1000, "Maximum Packet Size");
      await client.publish(t.topic(), payloadFor(t.topic(), 1000), { qos: 1 });
      client.send(publish(t.version, { topic: t.topic(), qos: 1, payload: payloadFor(t.topic(), 1001) }));
      await client.closes([0x95]);
    },
  },
  {
    ids: ["5.0 [MQTT-3.2.2-15]"],
    title:
      "beyond the standard: a packet above the broker's Maximum Packet Size is refused before its body came",
    hardCase: "flow/4",
    needs: { maximumPacketSize: 1000 },
    contract: true,
    async run(t) {
      const client = await t.connect();
      const large = publish(t.version, { topic: t.topic(), qos: 1, payload: payloadFor(t.topic(), 1001) });
      client.send(large.subarray(0, 10));
      await client.closes([0x95]);
    },
  },
  {
    ids: [
      "5.0 [MQTT-3.4.2-2]",
      "5.0 [MQTT-3.4.2-3]",
      "5.0 [MQTT-3.5.2-2]",
      "5.0 [MQTT-3.5.2-3]",
      "5.0 [MQTT-3.9.2-1]",
      "5.0 [MQTT-3.9.2-2]",
    ],
    title: "refusals of PUBLISH and SUBSCRIBE fit into the client's Maximum Packet Size",
    hardCase: "flow/6",
    needs: { deniedTopics: true, deniedFilters: true },
    async run(t) {
      const client = await t.connect({ properties: { maximumPacketSize: 20 } });
      client.publishOnly({ topic: `denied/${t.topic()}`, qos: 1, packetId: 1 });
      client.publishOnly({ topic: `denied/${t.topic()}`, qos: 2, packetId: 2 });
      const acks = [await client.ackOf("PUBACK", 1), await client.ackOf("PUBREC", 2)];
      const suback = await client.trySubscribe([{ filter: `denied/${t.topic()}` }]);
      for (const packet of [...acks, suback])
        truthy(packet.size <= 20, `${packet.name} has ${packet.size} bytes`);
      equal(
        acks.map((packet) => packet.reasonCode),
        [0x87, 0x87],
        "Reason Codes",
      );
      equal(suback.reasonCodes, [0x87], "codes of SUBACK");
    },
  },
  {
    ids: [
      "5.0 [MQTT-3.6.2-2]",
      "5.0 [MQTT-3.6.2-3]",
      "5.0 [MQTT-3.7.2-2]",
      "5.0 [MQTT-3.7.2-3]",
      "5.0 [MQTT-3.11.2-1]",
      "5.0 [MQTT-3.11.2-2]",
      "5.0 [MQTT-3.14.2-3]",
      "5.0 [MQTT-3.14.2-4]",
    ],
    title: "PUBREL, PUBCOMP, UNSUBACK and DISCONNECT of failures fit into the client's Maximum Packet Size",
    hardCase: "flow/6",
    async run(t) {
      const client = await t.connect({ properties: { maximumPacketSize: 20 } });
      client.ack("PUBREL", 9);
      client.ack("PUBREC", 10);
      const acks = [
        await client.take("PUBCOMP"),
        await client.take("PUBREL"),
        await client.unsubscribe("none"),
      ];
      for (const packet of acks) truthy(packet.size <= 20, `${packet.name} has ${packet.size} bytes`);
      client.send(Uint8Array.of(0x36, 0));
      await client.wire.ended();
      for (const packet of client.wire.packets)
        truthy(packet.size <= 20, `${packet.name} has ${packet.size} bytes`);
    },
  },
];
