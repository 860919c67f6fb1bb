// SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK and their effects. Sections 3.8 to 3.11.
import { packet, subscribe, unsubscribe } from "../build.ts";
import { hex, prefixed, u16 } from "../bytes.ts";
import { type Case, VERSIONS } from "../case.ts";
import type { Client } from "../client.ts";
import { equal, fail, forEach, oneOf } from "../check.ts";
import type { Publish } from "../parse.ts";
import type { Trial } from "../trial.ts";

/** The copies of one message that came before its marker on the same topic. */
async function copies(
  client: Client,
  publisher: Client,
  topic: string,
  qos: number,
): Promise<readonly Publish[]> {
  await publisher.publish(topic, "message", { qos });
  await publisher.ping();
  await client.ping();
  await client.ping();
  const packets: Publish[] = [];
  for (const packet of client.wire.packets.splice(0)) {
    if (packet.name !== "PUBLISH") fail(`unexpected ${packet.name}`);
    packets.push(packet);
    if (packet.qos === 1) client.ack("PUBACK", packet.packetId);
    if (packet.qos === 2) await client.acknowledge(packet);
  }
  return packets;
}

function malformed(t: Trial): readonly number[] {
  return t.five ? [0x81] : [];
}

export const subscribeCases: readonly Case[] = [
  {
    ids: [
      "3.1.1 [MQTT-2.3.1-7]",
      "3.1.1 [MQTT-3.8.4-1]",
      "3.1.1 [MQTT-3.8.4-2]",
      "3.1.1 [MQTT-3.10.4-4]",
      "5.0 [MQTT-2.2.1-6]",
      "5.0 [MQTT-3.8.4-1]",
      "5.0 [MQTT-3.8.4-2]",
      "5.0 [MQTT-3.10.4-4]",
    ],
    versions: VERSIONS,
    title: "SUBACK and UNSUBACK carry their request's identifier, also of pipelined requests",
    async run(t) {
      const client = await t.connect();
      const ids = [0xabcd, 1, 0xffff];
      client.send(...ids.map((id) => subscribe(t.version, id, [{ filter: t.topic(String(id)) }])));
      for (const id of ids) equal((await client.take("SUBACK")).packetId, id, "Packet Identifier of SUBACK");
      client.send(...ids.map((id) => unsubscribe(t.version, id, [t.topic(String(id))])));
      for (const id of ids)
        equal((await client.take("UNSUBACK")).packetId, id, "Packet Identifier of UNSUBACK");
    },
  },
  {
    ids: [
      "3.1.1 [MQTT-3.8.4-4]",
      "3.1.1 [MQTT-3.8.4-5]",
      "3.1.1 [MQTT-3.9.3-1]",
      "5.0 [MQTT-3.8.4-5]",
      "5.0 [MQTT-3.8.4-6]",
      "5.0 [MQTT-3.8.4-7]",
      "5.0 [MQTT-3.9.3-1]",
    ],
    versions: VERSIONS,
    title: "one SUBACK has one code per filter in the filters' order, and each filter takes effect",
    hardCase: "subscriptions/13",
    async run(t) {
      const client = await t.connect();
      const levels = [2, 0, 1, 2, 1];
      const filters = levels.map((qos, index) => ({ filter: t.topic(`f${index}`), qos }));
      equal((await client.trySubscribe(filters)).reasonCodes, levels, "codes of SUBACK");
      const publisher = await t.connect();
      for (const [index, qos] of levels.entries()) {
        await publisher.publish(t.topic(`f${index}`), "right after SUBACK", { qos: 2 });
        await client.receive({ topic: t.topic(`f${index}`), qos });
      }
    },
  },
  {
    ids: ["3.1.1 [MQTT-3.8.4-3]", "5.0 [MQTT-3.8.4-3]"],
    versions: VERSIONS,
    title: "the same filter again replaces the subscription and its QoS: still one delivery",
    hardCase: "subscriptions/1",
    async run(t) {
      const publisher = await t.connect();
      const client = await t.connect();
      for (const qos of [2, 0, 1]) {
        await client.subscribe(t.topic(), qos);
        const seen = await copies(client, publisher, t.topic(), 2);
        equal(
          seen.map((packet) => packet.qos),
          [qos],
          "QoS of the copies",
        );
      }
    },
  },
  {
    ids: ["5.0 [MQTT-3.8.4-3]"],
    title: "the same filter again replaces No Local, Retain As Published and the identifier, also by none",
    hardCase: "subscriptions/1",
    async run(t) {
      const client = await t.connect();
      for (const identifiers of [[1], [2], []]) {
        await client.subscribe(t.topic(), 1, {}, { subscriptionIdentifiers: identifiers });
        const [one, ...more] = await copies(client, client, t.topic(), 1);
        equal(more.length, 0, "further copies");
        equal(one?.properties.subscriptionIdentifiers ?? [], identifiers, "Subscription Identifiers");
      }
      await client.subscribe(t.topic(), 1, { noLocal: true });
      equal((await copies(client, client, t.topic(), 1)).length, 0, "copies with No Local");
      await client.subscribe(t.topic(), 1, { retainAsPublished: true });
      equal((await copies(client, client, t.topic(), 1)).length, 1, "copies without No Local");
    },
  },
  {
    ids: ["3.1.1 [MQTT-3.3.5-1]"],
    versions: VERSIONS,
    title: "overlapping filters deliver at the highest matching QoS",
    hardCase: "subscriptions/2",
    async run(t) {
      const client = await t.connect();
      const filters = [t.topic("#"), t.topic("a/b"), t.topic("a/+")];
      await client.trySubscribe(filters.map((filter, index) => ({ filter, qos: [0, 2, 1][index] ?? 0 })));
      const seen = await copies(client, await t.connect(), t.topic("a/b"), 2);
      equal(Math.max(...seen.map((packet) => packet.qos)), 2, "highest QoS of the copies");
      equal(seen.length <= 3, true, "at most one copy per subscription");
    },
  },
  {
    ids: ["5.0 [MQTT-3.3.4-2]", "5.0 [MQTT-3.3.4-3]", "5.0 [MQTT-3.3.4-4]", "5.0 [MQTT-3.3.4-5]"],
    title:
      "overlapping filters: one copy at the maximum QoS with all identifiers of the client, or one copy each",
    hardCase: "subscriptions/2",
    async run(t) {
      const client = await t.connect();
      await client.subscribe(t.topic("a/b"), 1, {}, { subscriptionIdentifiers: [1] });
      await client.subscribe(t.topic("a/+"), 2, {}, { subscriptionIdentifiers: [2] });
      await client.subscribe(t.topic("+/b"), 0);
      const other = await t.connect();
      await other.subscribe(t.topic("a/b"), 1, {}, { subscriptionIdentifiers: [3] });
      const seen = await copies(client, await t.connect(), t.topic("a/b"), 2);
      const identifiers = seen.flatMap((packet) => packet.properties.subscriptionIdentifiers ?? []);
      equal(identifiers.sort(), [1, 2], "identifiers of all copies together");
      equal(Math.max(...seen.map((packet) => packet.qos)), 2, "highest QoS of the copies");
      oneOf(seen.length, [1, 3], "number of copies");
      const message = await other.receive();
      equal(message.properties.subscriptionIdentifiers, [3], "identifiers for the other client");
    },
  },
  {
    ids: ["5.0 [MQTT-3.8.3-3]"],
    title: "No Local goes by the publisher's ClientID and by subscription, online and in the queue",
    hardCase: "subscriptions/3",
    async run(t) {
      const client = await t.connect({ lasting: true });
      await client.subscribe(t.topic("#"), 1, { noLocal: true });
      equal((await copies(client, client, t.topic("a"), 1)).length, 0, "copies of its own message");
      equal(
        (await copies(client, await t.connect(), t.topic("a"), 1)).length,
        1,
        "copies of another's message",
      );
      await client.subscribe(t.topic("a"), 1);
      equal(
        (await copies(client, client, t.topic("a"), 1)).length,
        1,
        "copies with a second filter without No Local",
      );
      await client.unsubscribe(t.topic("a"));
      await client.publish(t.topic("a"), "own", { qos: 1 });
      await client.disconnect();
      const back = await t.connect({ clientId: client.clientId, lasting: true });
      await back.silence("its own message was not queued");
    },
  },
  {
    ids: ["5.0 [MQTT-3.8.3-4]"],
    title: "No Local on a Shared Subscription is a Protocol Error",
    hardCase: "subscriptions/4",
    async run(t) {
      const client = await t.connect();
      client.send(subscribe(t.version, 1, [{ filter: `$share/g/${t.topic()}`, noLocal: true }]));
      await client.closes([0x82]);
    },
  },
  {
    ids: ["5.0 [MQTT-3.3.4-3]", "5.0 [MQTT-4.13.1-1]"],
    title: "Subscription Identifiers: up to 268435455, kept with the session; 0 or two in SUBSCRIBE closes",
    hardCase: "subscriptions/5",
    async run(t) {
      const client = await t.connect({ lasting: true });
      await client.subscribe(t.topic(), 1, {}, { subscriptionIdentifiers: [268_435_455] });
      client.drop();
      await (await t.connect()).publish(t.topic(), "x", { qos: 1 });
      const back = await t.connect({ clientId: client.clientId, lasting: true });
      const message = await back.receive();
      equal(message.properties.subscriptionIdentifiers, [268_435_455], "Subscription Identifiers");
      await forEach(
        [
          ["zero", [0]],
          ["two", [1, 2]],
        ],
        async (subscriptionIdentifiers) => {
          const bad = await t.connect();
          bad.send(subscribe(t.version, 1, [{ filter: t.topic() }], { subscriptionIdentifiers }));
          await bad.closes([0x81, 0x82]);
        },
      );
    },
  },
  {
    ids: ["5.0 [MQTT-3.3.4-6]"],
    title: "a Subscription Identifier in a client's PUBLISH closes the connection",
    hardCase: "subscriptions/5",
    async run(t) {
      const publisher = await t.connect();
      publisher.publishOnly({ topic: t.topic(), properties: { subscriptionIdentifiers: [1] } });
      await publisher.closes([0x81, 0x82]);
    },
  },
  {
    ids: ["3.1.1 [MQTT-3.8.3-3]", "3.1.1 [MQTT-3.10.3-2]", "5.0 [MQTT-3.8.3-2]", "5.0 [MQTT-3.10.3-2]"],
    title: "SUBSCRIBE and UNSUBSCRIBE without a filter close the connection",
    hardCase: "subscriptions/14",
    async run(t) {
      const rows = [
        ["SUBSCRIBE", subscribe(t.version, 1, [])],
        ["UNSUBSCRIBE", unsubscribe(t.version, 1, [])],
      ] as const;
      await forEach(rows, async (bytes) => {
        const client = await t.connect();
        client.send(bytes);
        await client.closes(t.five ? [0x82, 0x81] : []);
      });
    },
  },
  {
    ids: ["3.1.1 [MQTT-3.8.3-4]", "5.0 [MQTT-3.8.3-5]"],
    title: "every options byte is judged: reserved bits, QoS 3 and Retain Handling 3 close",
    hardCase: ["subscriptions/14", "unnumbered/1"],
    async run(t) {
      const rows = Array.from(
        { length: 256 },
        (_, options) => [`options ${options.toString(16)}`, options] as const,
      );
      const legal = (options: number): boolean =>
        t.five ? (options & 3) < 3 && options >> 4 < 3 : options < 3;
      await forEach(rows, async (options) => {
        const client = await t.connect();
        client.send(subscribe(t.version, 1, [{ filter: t.topic(String(options)), options }]));
        if (legal(options))
          equal((await client.take("SUBACK")).reasonCodes, [options & 3], "codes of SUBACK");
        else await client.closes(t.five ? [0x81, 0x82] : []);
        client.drop();
      });
    },
  },
  {
    ids: ["3.1.1 [MQTT-3.8.1-1]", "3.1.1 [MQTT-3.10.1-1]", "5.0 [MQTT-3.8.1-1]", "5.0 [MQTT-3.10.1-1]"],
    title: "fixed-header flags of SUBSCRIBE and UNSUBSCRIBE other than 0010 close",
    async run(t) {
      const property = t.five ? Uint8Array.of(0) : hex("");
      const flags = [0, 1, 3, 4, 6, 8, 10, 15].map((value) => [`flags ${value}`, value] as const);
      await forEach(flags, async (value) => {
        const subscribing = await t.connect();
        subscribing.send(packet(0x80 | value, u16(1), property, prefixed(t.topic()), 0));
        const unsubscribing = await t.connect();
        unsubscribing.send(packet(0xa0 | value, u16(1), property, prefixed(t.topic())));
        await subscribing.closes(malformed(t));
        await unsubscribing.closes(malformed(t));
      });
    },
  },
];

export const unsubscribeCases: readonly Case[] = [
  {
    ids: [
      "3.1.1 [MQTT-3.10.4-1]",
      "3.1.1 [MQTT-3.10.4-2]",
      "3.1.1 [MQTT-3.10.4-5]",
      "5.0 [MQTT-3.10.4-1]",
      "5.0 [MQTT-3.10.4-2]",
      "5.0 [MQTT-3.10.4-5]",
      "5.0 [MQTT-3.11.3-2]",
    ],
    versions: VERSIONS,
    title: "UNSUBSCRIBE compares filters literally, and UNSUBACK comes in any case",
    hardCase: "subscriptions/15",
    async run(t) {
      const publisher = await t.connect();
      const client = await t.subscriber(t.topic("a/+"), 1);
      const absent = await client.unsubscribe(t.topic("a/b"));
      equal(absent.reasonCodes, t.five ? [0x11] : [], "codes of UNSUBACK for an absent filter");
      equal((await copies(client, publisher, t.topic("a/b"), 1)).length, 1, "copies after an absent filter");
      equal((await client.unsubscribe(t.topic("a/+"))).reasonCodes, t.five ? [0] : [], "codes of UNSUBACK");
      equal((await copies(client, publisher, t.topic("a/b"), 1)).length, 0, "copies after UNSUBSCRIBE");
    },
  },
  {
    ids: ["3.1.1 [MQTT-3.10.4-6]", "5.0 [MQTT-3.10.4-6]", "5.0 [MQTT-3.11.3-1]"],
    versions: VERSIONS,
    title: "several filters in one UNSUBSCRIBE get one UNSUBACK, in 5.0 with their codes in order",
    hardCase: "subscriptions/15",
    async run(t) {
      const publisher = await t.connect();
      const client = await t.connect();
      const topics = ["a", "b", "c"].map((name) => t.topic(name));
      await client.trySubscribe([0, 2].map((index) => ({ filter: topics[index] ?? "", qos: 1 })));
      const unsuback = await client.unsubscribe(...topics);
      equal(unsuback.reasonCodes, t.five ? [0, 0x11, 0] : [], "codes of UNSUBACK");
      for (const topic of topics)
        equal((await copies(client, publisher, topic, 1)).length, 0, `copies on ${topic}`);
      await client.silence("one UNSUBACK");
    },
  },
  {
    ids: ["3.1.1 [MQTT-3.10.4-3]", "5.0 [MQTT-3.10.4-3]"],
    versions: VERSIONS,
    title: "deliveries that have begun are completed after UNSUBSCRIBE, also on resume",
    hardCase: "subscriptions/15",
    async run(t) {
      const client = await t.connect({ lasting: true });
      await client.subscribe(t.topic(), 2);
      const publisher = await t.connect();
      await publisher.publish(t.topic(), "one", { qos: 1 });
      await publisher.publish(t.topic(), "two", { qos: 2 });
      const begun = [await client.delivery(), await client.delivery()];
      await client.unsubscribe(t.topic());
      client.drop();
      const back = await t.connect({ clientId: client.clientId, lasting: true });
      for (const { packetId } of begun) await back.receive({ packetId });
      await back.silence();
    },
  },
];
