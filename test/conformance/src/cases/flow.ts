// Flow control, packet sizes and Topic Aliases of 5.0. Sections 3.3.4, 4.9, 3.1.2.11.4, 3.2.2.3.6 and 3.3.2.3.4.
import { ack, publish } from "../build.ts";
import { type Case } from "../case.ts";
import type { Client } from "../client.ts";
import { equal, forEach, oneOf, truthy } from "../check.ts";
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
      for (let index = 0; index < 5; index += 1) await publisher.publish(t.topic(), `n${index}`, { qos: 1 + (index % 2) });
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
    title: "acknowledgements of unknown identifiers do not raise the quota, and a resend counts in it",
    hardCase: "flow/1",
    async run(t) {
      const { subscriber, publisher } = await pair(t, { receiveMaximum: 2 });
      for (const packetId of [900, 901, 902]) subscriber.ack("PUBACK", packetId);
      for (let index = 0; index < 4; index += 1) await publisher.publish(t.topic(), `n${index}`, { qos: 1 });
      const ids = [await subscriber.delivery(), await subscriber.delivery()].map((packet) => packet.packetId);
      await subscriber.silence("two messages");
      subscriber.drop();
      const back = await t.connect({ clientId: subscriber.clientId, lasting: true, properties: { receiveMaximum: 1 } });
      await back.delivery({ packetId: ids[0] ?? 0, dup: true });
      await back.silence("one message, as the new connection's Receive Maximum says");
    },
  },
  {
    ids: ["5.0 [MQTT-3.3.4-10]", "5.0 [MQTT-4.9.0-2]", "5.0 [MQTT-4.9.0-3]"],
    title: "with the quota used up everything else flows, and each acknowledgement lets the next message through",
    hardCase: "flow/2",
    async run(t) {
      const { subscriber, publisher } = await pair(t, { receiveMaximum: 1 });
      for (let index = 0; index < 20; index += 1) await publisher.publish(t.topic(), `n${index}`, { qos: 2 });
      const first = await subscriber.delivery({ payload: "n0" });
      await subscriber.subscribe(t.topic("zero"), 0);
      await publisher.publish(t.topic("zero"), "flows");
      await subscriber.delivery({ payload: "flows", qos: 0 });
      equal(await subscriber.publish(t.topic("own"), "x", { qos: 1 }), 0x10, "Reason Code of PUBACK without subscribers");
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
        const ids = [client.publishOnly({ topic: t.topic(), qos: 2 }), client.publishOnly({ topic: t.topic(), qos: 1 })];
        await client.ackOf("PUBREC", ids[0] ?? 0);
        await client.ackOf("PUBACK", ids[1] ?? 0);
        await client.release(ids[0] ?? 0);
      }
      await client.silence("to stay connected");
    },
  },
  {
    ids: ["5.0 [MQTT-3.1.2-24]", "5.0 [MQTT-3.1.2-25]"],
    title: "Maximum Packet Size counts the whole packet; a larger message is dropped for this client only, for good",
    hardCase: ["flow/4", "flow/5"],
    async run(t) {
      const { subscriber, publisher } = await pair(t, { maximumPacketSize: 100 });
      const other = await t.subscriber(t.topic(), 1);
      const sizes = [100, 101, 5000, 99];
      for (const size of sizes) await publisher.publish(t.topic(), payloadFor(t.topic(), size), { qos: 1 });
      for (const size of sizes) equal((await other.receive()).size, size, "size for the client without a maximum");
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
    title: "a packet above the broker's Maximum Packet Size is refused with 0x95 before its body came; one of the size passes",
    hardCase: ["flow/4", "unnumbered/3", "connecting/12"],
    needs: { maximumPacketSize: 1000 },
    async run(t) {
      const client = await t.connect();
      equal(client.connack.properties.maximumPacketSize, 1000, "Maximum Packet Size");
      await client.publish(t.topic(), payloadFor(t.topic(), 1000), { qos: 1 });
      client.send(publish(t.version, { topic: t.topic(), qos: 1, payload: payloadFor(t.topic(), 1001) }).subarray(0, 10));
      await client.closes([0x95]);
    },
  },
  {
    ids: ["5.0 [MQTT-3.4.2-2]", "5.0 [MQTT-3.4.2-3]", "5.0 [MQTT-3.5.2-2]", "5.0 [MQTT-3.5.2-3]", "5.0 [MQTT-3.9.2-1]", "5.0 [MQTT-3.9.2-2]"], // prettier-ignore
    title: "refusals of PUBLISH and SUBSCRIBE fit into the client's Maximum Packet Size",
    hardCase: "flow/6",
    needs: { deniedTopics: true },
    async run(t) {
      const client = await t.connect({ properties: { maximumPacketSize: 20 } });
      client.publishOnly({ topic: `denied/${t.topic()}`, qos: 1, packetId: 1 });
      client.publishOnly({ topic: `denied/${t.topic()}`, qos: 2, packetId: 2 });
      const acks = [await client.ackOf("PUBACK", 1), await client.ackOf("PUBREC", 2)];
      const suback = await client.trySubscribe([{ filter: `denied/${t.topic()}` }]);
      for (const packet of [...acks, suback]) truthy(packet.size <= 20, `${packet.name} has ${packet.size} bytes`);
      equal(acks.map((packet) => packet.reasonCode), [0x87, 0x87], "Reason Codes"); // prettier-ignore
      equal(suback.reasonCodes, [0x87], "codes of SUBACK");
    },
  },
  {
    ids: ["5.0 [MQTT-3.6.2-2]", "5.0 [MQTT-3.6.2-3]", "5.0 [MQTT-3.7.2-2]", "5.0 [MQTT-3.7.2-3]", "5.0 [MQTT-3.11.2-1]", "5.0 [MQTT-3.11.2-2]", "5.0 [MQTT-3.14.2-3]", "5.0 [MQTT-3.14.2-4]"], // prettier-ignore
    title: "PUBREL, PUBCOMP, UNSUBACK and DISCONNECT of failures fit into the client's Maximum Packet Size",
    hardCase: "flow/6",
    async run(t) {
      const client = await t.connect({ properties: { maximumPacketSize: 20 } });
      client.ack("PUBREL", 9);
      client.ack("PUBREC", 10);
      const acks = [await client.take("PUBCOMP"), await client.take("PUBREL"), await client.unsubscribe("none")];
      for (const packet of acks) truthy(packet.size <= 20, `${packet.name} has ${packet.size} bytes`);
      client.send(Uint8Array.of(0x36, 0));
      await client.wire.ended();
      for (const packet of client.wire.packets) truthy(packet.size <= 20, `${packet.name} has ${packet.size} bytes`);
    },
  },
];

/** What this broker takes in aliases; cases about aliases are skipped with 0. */
function aliasMaximum(t: Trial, client: Client, atLeast: number): number {
  const maximum = client.connack.properties.topicAliasMaximum ?? 0;
  return maximum >= atLeast ? maximum : t.skip(`the broker's Topic Alias Maximum is ${maximum}`);
}

export const aliasCases: readonly Case[] = [
  {
    ids: ["5.0 [MQTT-3.3.2-12]", "5.0 [MQTT-3.3.2-7]"],
    title: "an alias is set, used and set anew on one connection, and unknown on the next",
    hardCase: "flow/7",
    async run(t) {
      const subscriber = await t.subscriber(t.topic("#"), 1);
      const client = await t.connect({ lasting: true });
      aliasMaximum(t, client, 1);
      const properties = { topicAlias: 1 };
      await client.publish(t.topic("a"), "1", { qos: 1, properties });
      await client.publish("", "2", { qos: 1, properties });
      await client.publish(t.topic("b"), "3", { qos: 1, properties });
      await client.publish("", "4", { qos: 1, properties });
      for (const [topic, payload] of [["a", "1"], ["a", "2"], ["b", "3"], ["b", "4"]] as const) {
        await subscriber.receive({ topic: t.topic(topic), payload });
      } // prettier-ignore
      client.drop();
      const back = await t.connect({ clientId: client.clientId, lasting: true });
      back.publishOnly({ topic: "", properties });
      await back.closes([0x82, 0x94]);
      await subscriber.silence();
    },
  },
  {
    ids: ["5.0 [MQTT-3.3.2-12]"],
    title: "every alias from 1 to the announced maximum is accepted",
    hardCase: "flow/7",
    async run(t) {
      const subscriber = await t.subscriber(t.topic("#"), 1);
      const client = await t.connect();
      const maximum = Math.min(aliasMaximum(t, client, 1), 200);
      for (let alias = 1; alias <= maximum; alias += 1) {
        client.publishOnly({ topic: t.topic(String(alias)), properties: { topicAlias: alias } });
      }
      for (let alias = 1; alias <= maximum; alias += 1) {
        client.publishOnly({ topic: "", properties: { topicAlias: alias } });
      }
      for (let count = 0; count < 2 * maximum; count += 1) {
        await subscriber.receive({ topic: t.topic(String((count % maximum) + 1)) });
      }
    },
  },
  {
    ids: ["5.0 [MQTT-3.3.2-8]", "5.0 [MQTT-3.3.2-9]", "5.0 [MQTT-3.2.2-17]"],
    title: "alias 0 and aliases above the maximum are refused with 0x94",
    hardCase: ["flow/7", "unnumbered/3"],
    async run(t) {
      const probe = await t.connect();
      const maximum = probe.connack.properties.topicAliasMaximum ?? 0;
      const aliases = [0, maximum + 1, 65535].filter((alias) => alias <= 65535 && (alias === 0 || alias > maximum));
      await forEach(
        aliases.map((alias) => [`alias ${alias}`, alias] as const),
        async (topicAlias) => {
          const client = await t.connect();
          client.publishOnly({ topic: t.topic(), properties: { topicAlias } });
          await client.closes([0x94]);
        },
      );
    },
  },
  {
    ids: ["5.0 [MQTT-3.2.2-18]"],
    title: "without a Topic Alias Maximum any alias is refused with 0x94",
    hardCase: "unnumbered/3",
    needs: { topicAliasMaximum: 0 },
    async run(t) {
      const client = await t.connect();
      equal(client.connack.properties.topicAliasMaximum ?? 0, 0, "Topic Alias Maximum");
      client.publishOnly({ topic: t.topic(), properties: { topicAlias: 1 } });
      await client.closes([0x94]);
    },
  },
  {
    ids: ["5.0 [MQTT-3.3.2-12]"],
    title: "an alias is set also by a PUBLISH that is refused",
    hardCase: "flow/7",
    needs: { deniedTopics: true },
    async run(t) {
      const client = await t.connect();
      aliasMaximum(t, client, 1);
      const properties = { topicAlias: 1 };
      equal(await client.publish(`denied/${t.topic()}`, "1", { qos: 1, properties }), 0x87, "Reason Code of PUBACK");
      equal(await client.publish("", "2", { qos: 1, properties }), 0x87, "Reason Code of PUBACK with the alias");
    },
  },
  {
    ids: ["5.0 [MQTT-3.1.2-26]", "5.0 [MQTT-3.1.2-27]", "5.0 [MQTT-3.3.2-11]"],
    title: "the publisher's alias stays on its connection: live, queued and retained messages carry the topic",
    hardCase: "flow/8",
    async run(t) {
      const topic = t.topic("aliased");
      const offline = await t.connect({ lasting: true });
      await offline.subscribe(topic, 1);
      await offline.disconnect();
      const live = await t.subscriber(topic, 1);
      const client = await t.connect();
      aliasMaximum(t, client, 1);
      await client.publish(topic, "set", { qos: 1, properties: { topicAlias: 1 } });
      t.forgetRetained(topic);
      await client.publish("", "used", { qos: 1, retain: true, properties: { topicAlias: 1 } });
      const late = await t.subscriber(topic, 1);
      const back = await t.connect({ clientId: offline.clientId, lasting: true });
      for (const [subscriber, payloads] of [[live, ["set", "used"]], [late, ["used"]], [back, ["set", "used"]]] as const) {
        for (const payload of payloads) {
          const message = await subscriber.receive({ topic, payload });
          equal(message.properties.topicAlias, undefined, "Topic Alias");
        }
      } // prettier-ignore
    },
  },
  {
    ids: ["5.0 [MQTT-3.1.2-26]", "5.0 [MQTT-3.3.2-11]", "5.0 [MQTT-3.3.2-7]"],
    title: "aliases towards a client stay within its maximum and are defined anew after a reconnect",
    hardCase: "flow/9",
    async run(t) {
      const properties = { topicAliasMaximum: 1, maximumPacketSize: 200 };
      const subscriber = await t.connect({ lasting: true, properties });
      await subscriber.subscribe(t.topic("#"), 1);
      const publisher = await t.connect();
      const topics = [t.topic("one"), t.topic("two")];
      await publisher.publish(topics[0] ?? "", "x".repeat(300), { qos: 1 });
      const expected = [0, 1, 0, 0, 1, 1].map((index) => topics[index] ?? "");
      for (const [index, topic] of expected.entries()) await publisher.publish(topic, `n${index}`, { qos: 1 });
      const seen = await resolved(subscriber, expected.length, 1);
      equal(seen, expected, "topics after resolving the aliases");
      subscriber.drop();
      const back = await t.connect({ clientId: subscriber.clientId, lasting: true, properties });
      const again = await resolved(back, expected.length, 1);
      equal(again, expected, "topics of the resent messages after resolving the aliases");
    },
  },
];

/** The topics of the next messages as a client with this maximum understands them; none is acknowledged. */
async function resolved(client: Client, count: number, maximum: number): Promise<readonly string[]> {
  const aliases = new Map<number, string>();
  const topics: string[] = [];
  for (let index = 0; index < count; index += 1) {
    const { topic, properties } = await client.delivery();
    const alias = properties.topicAlias;
    truthy(alias === undefined || (alias > 0 && alias <= maximum), `alias ${alias} is above the maximum ${maximum}`);
    if (alias !== undefined && topic !== "") aliases.set(alias, topic);
    topics.push(topic !== "" ? topic : (aliases.get(alias ?? 0) ?? "unknown alias"));
  }
  return topics;
}

export const shortFormCases: readonly Case[] = [
  {
    ids: ["5.0 [MQTT-2.2.2-1]", "5.0 [MQTT-3.6.2-1]"],
    title: "acknowledgements and DISCONNECT are understood in every short form",
    hardCase: "properties/5",
    async run(t) {
      const forms: readonly ((name: "PUBACK" | "PUBREC" | "PUBREL" | "PUBCOMP", id: number) => Uint8Array)[] = [
        (name, id) => ack(name, id),
        (name, id) => ack(name, id, 0),
        (name, id) => ack(name, id, 0, {}),
      ];
      const subscriber = await t.subscriber(t.topic(), 2, { properties: { receiveMaximum: 1 } });
      const publisher = await t.connect();
      for (const form of forms) {
        await publisher.publish(t.topic(), "one", { qos: 1 });
        subscriber.send(form("PUBACK", (await subscriber.delivery({ qos: 1 })).packetId));
        publisher.publishOnly({ topic: t.topic(), qos: 2, packetId: 3 });
        await publisher.ackOf("PUBREC", 3);
        publisher.send(form("PUBREL", 3));
        oneOf((await publisher.ackOf("PUBCOMP", 3)).reasonCode, [0], "Reason Code of PUBCOMP");
        const { packetId } = await subscriber.delivery({ qos: 2 });
        subscriber.send(form("PUBREC", packetId));
        await subscriber.ackOf("PUBREL", packetId);
        subscriber.send(form("PUBCOMP", packetId));
      }
      await subscriber.silence("every exchange is complete");
      const watcher = await t.subscriber(t.topic("will"));
      for (const bytes of [[0xe0, 0], [0xe0, 1, 0], [0xe0, 2, 0, 0]]) {
        const client = await t.connect({ will: { topic: t.topic("will") } });
        client.send(Uint8Array.from(bytes));
        await client.closes();
      }
      await watcher.silence("no Will after a normal DISCONNECT in any form");
    },
  },
  {
    ids: ["3.1.1 [MQTT-2.2.2-1]", "3.1.1 [MQTT-2.3.1-6]"],
    versions: ["3.1", "3.1.1"],
    title: "a client of 3.x gets acknowledgements of exactly two bytes, whatever the other side speaks",
    hardCase: ["properties/5", "properties/6"],
    async run(t) {
      const client = await t.connect();
      await client.subscribe(t.topic(), 2);
      const other = await t.connect({ version: "5.0" });
      const userProperties = [["a", "b"]] as const;
      for (const qos of [1, 2]) await other.publish(t.topic(), "five", { qos, properties: { userProperties } });
      for (const qos of [1, 2]) await client.receive({ payload: "five", qos });
      client.publishOnly({ topic: "none", qos: 1, packetId: 1 });
      equal((await client.ackOf("PUBACK", 1)).size, 4, "size of PUBACK");
      client.ack("PUBREL", 4711);
      equal((await client.ackOf("PUBCOMP", 4711)).size, 4, "size of PUBCOMP");
      equal((await client.unsubscribe("none")).size, 4, "size of UNSUBACK");
    },
  },
];
