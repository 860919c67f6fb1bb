// Retained messages. 3.1.1 section 3.3.1.3, 5.0 sections 3.3.1.3 and 3.8.3.1.
import { hex } from "../bytes.ts";
import { type Case, NUMBERED, VERSIONS } from "../case.ts";
import type { Client } from "../client.ts";
import { equal, forEach, oneOf, truthy } from "../check.ts";
import type { Properties } from "../properties.ts";
import type { Trial } from "../trial.ts";

/** A client that has published a retained message to each topic. */
async function retaining(t: Trial, topics: readonly string[], qos: number = 0): Promise<Client> {
  const client = await t.connect();
  for (const topic of topics) await client.publish(topic, "kept", { qos, retain: true });
  return client;
}

export const retainedCases: readonly Case[] = [
  {
    ids: [
      "3.1.1 [MQTT-3.3.1-5]",
      "3.1.1 [MQTT-3.3.1-6]",
      "3.1.1 [MQTT-3.3.1-8]",
      "3.1.1 [MQTT-3.8.4-6]",
      "5.0 [MQTT-3.8.4-8]",
      "5.0 [MQTT-3.3.1-9]",
    ],
    versions: VERSIONS,
    title:
      "retained messages come with RETAIN 1 at the lesser of stored and granted QoS, exact and by wildcard",
    hardCase: "retained/1",
    async run(t) {
      const topics = [0, 1, 2].map((qos) => t.topic(`s/${qos}`));
      for (const [qos, topic] of topics.entries()) await retaining(t, [topic], qos);
      for (const granted of [0, 1, 2]) {
        for (const [qos, topic] of topics.entries()) {
          const exact = await t.subscriber(topic, granted);
          await exact.receive({ topic, retain: true, dup: false, qos: Math.min(qos, granted) });
        }
        const wild = await t.subscriber(t.topic("s/+"), granted);
        const seen: string[] = [];
        for (let count = 0; count < 3; count += 1) {
          const message = await wild.receive({ retain: true });
          seen.push(message.topic);
          equal(message.qos, Math.min(topics.indexOf(message.topic), granted), `QoS of ${message.topic}`);
        }
        equal(seen.sort(), topics, "topics of the retained messages");
        await wild.silence("each retained message once");
      }
    },
  },
  {
    ids: ["3.1.1 [MQTT-3.3.1-9]", "5.0 [MQTT-3.3.1-12]"],
    versions: VERSIONS,
    title: "an established subscription gets the message with RETAIN 0",
    hardCase: "retained/2",
    async run(t) {
      const live = await t.subscriber(t.topic(), 1);
      await retaining(t, [t.topic()], 1);
      await live.receive({ retain: false });
    },
  },
  {
    ids: ["5.0 [MQTT-3.3.1-12]", "5.0 [MQTT-3.3.1-13]"],
    title:
      "Retain As Published keeps RETAIN as it was published; what SUBSCRIBE brings has RETAIN 1 in any case",
    hardCase: "retained/2",
    async run(t) {
      const publisher = await t.connect();
      for (const retainAsPublished of [false, true]) {
        const topic = t.topic(`rap${retainAsPublished}`);
        const live = await t.connect();
        await live.subscribe(topic, 1, { retainAsPublished });
        for (const retain of [true, false]) {
          await publisher.publish(topic, "x", { qos: 1, retain });
          await live.receive({ retain: retain && retainAsPublished });
        }
        const late = await t.connect();
        await late.subscribe(topic, 1, { retainAsPublished });
        await late.receive({ retain: true });
      }
    },
  },
  {
    ids: ["5.0 [MQTT-3.3.1-9]", "5.0 [MQTT-3.3.1-10]", "5.0 [MQTT-3.3.1-11]", "5.0 [MQTT-3.8.4-4]"],
    title: "Retain Handling decides at a new, a repeated, a resumed and a renewed subscription",
    hardCase: "retained/3",
    async run(t) {
      await retaining(t, [t.topic()]);
      const expected = [
        [0, [true, true, true, true]],
        [1, [true, false, false, true]],
        [2, [false, false, false, false]],
      ] as const;
      for (const [retainHandling, wanted] of expected) {
        const seen: boolean[] = [];
        let client = await t.connect({ lasting: true });
        const subscribe = async (): Promise<void> => {
          await client.subscribe(t.topic(), 0, { retainHandling });
          await client.ping();
          seen.push(client.wire.packets.length > 0);
          client.wire.packets.length = 0;
        };
        await subscribe();
        await subscribe();
        await client.disconnect();
        client = await t.connect({ clientId: client.clientId, lasting: true });
        await subscribe();
        await client.unsubscribe(t.topic());
        await subscribe();
        equal(seen, wanted, `Retain Handling ${retainHandling}: new, repeated, resumed, after UNSUBSCRIBE`);
      }
    },
  },
  {
    ids: ["3.1.1 [MQTT-3.8.4-3]", "5.0 [MQTT-3.8.4-4]"],
    versions: NUMBERED,
    title: "a repeated SUBSCRIBE sends the retained message again and loses none of a running stream",
    hardCase: "retained/4",
    async run(t) {
      const topic = t.topic();
      const publisher = await retaining(t, [topic]);
      const subscriber = await t.subscriber(topic, 1);
      await subscriber.receive({ retain: true });
      const streaming = (async (): Promise<void> => {
        for (let index = 0; index < 100; index += 1)
          await publisher.publish(topic, String(index), { qos: 1 });
      })();
      for (let count = 0; count < 5; count += 1) await subscriber.subscribe(topic, 1);
      await streaming;
      const numbers: number[] = [];
      let retained = 0;
      while (numbers.length < 100 || retained < 5) {
        const message = await subscriber.receive();
        if (message.retain) retained += 1;
        else numbers.push(Number(Buffer.from(message.payload).toString()));
      }
      equal(
        numbers,
        Array.from({ length: 100 }, (_, index) => index),
        "numbers of the stream",
      );
      await subscriber.silence();
    },
  },
  {
    ids: [
      "3.1.1 [MQTT-3.3.1-10]",
      "3.1.1 [MQTT-3.3.1-11]",
      "3.1.1 [MQTT-3.3.1-12]",
      "3.1.1 [MQTT-3.3.1-7]",
      "5.0 [MQTT-3.3.1-5]",
      "5.0 [MQTT-3.3.1-6]",
      "5.0 [MQTT-3.3.1-7]",
      "5.0 [MQTT-3.3.1-8]",
    ],
    versions: VERSIONS,
    title:
      "RETAIN 1 replaces, RETAIN 1 with an empty payload is delivered and deletes, RETAIN 0 changes nothing",
    hardCase: "retained/5",
    async run(t) {
      const topic = t.topic();
      const live = await t.subscriber(topic, 1);
      const publisher = await t.connect();
      const steps = [
        ["", true, undefined],
        ["A", true, "A"],
        ["B", false, "A"],
        ["", false, "A"],
        ["C", true, "C"],
        ["", true, undefined],
      ] as const;
      for (const [index, [payload, retain, kept]] of steps.entries()) {
        await publisher.publish(topic, payload, { qos: index % 2, retain });
        await live.receive({ payload, retain: false });
        const late = await t.subscriber(topic, 1);
        if (kept !== undefined) await late.receive({ payload: kept, retain: true });
        await late.silence("the last retained message only");
      }
    },
  },
  {
    ids: ["3.1.1 [MQTT-3.1.2-7]", "3.1.1 [MQTT-3.3.1-7]"],
    versions: VERSIONS,
    title: "retained messages belong to no session: they outlive their publisher's",
    async run(t) {
      const publisher = await retaining(t, [t.topic()], 1);
      await publisher.publish(t.topic(), "newer", { retain: true });
      await publisher.disconnect();
      const late = await t.subscriber(t.topic(), 1);
      await late.receive({ payload: "newer", retain: true });
      await late.silence("not the older one");
    },
  },
  {
    ids: ["5.0 section 4.8.2"],
    title: "a Shared Subscription gets no retained messages at SUBSCRIBE, but live ones with RETAIN 1",
    hardCase: "retained/6",
    async run(t) {
      const topic = t.topic();
      const publisher = await retaining(t, [topic]);
      for (const retainHandling of [0, 1, 2]) {
        const member = await t.connect();
        await member.subscribe(`$share/g${retainHandling}/${topic}`, 1, { retainHandling });
        await member.silence("no retained message");
        await publisher.publish(topic, "live", { qos: 1, retain: true });
        await member.receive({ payload: "live" });
      }
    },
  },
  {
    ids: ["3.1.1 [MQTT-3.8.4-5]", "3.1.1 [MQTT-3.9.3-2]", "5.0 [MQTT-3.8.4-7]", "5.0 [MQTT-3.9.3-2]"],
    versions: NUMBERED,
    title: "a refused filter gets a failure code and no retained messages",
    hardCase: ["retained/7", "subscriptions/13"],
    needs: { deniedFilters: true },
    async run(t) {
      const client = await t.connect();
      const filters = [t.topic("a"), `denied/${t.topic()}`, t.topic("b")];
      const suback = await client.trySubscribe(filters.map((filter, index) => ({ filter, qos: index })));
      equal(suback.reasonCodes, [0, t.five ? 0x87 : 0x80, 2], "codes of SUBACK");
      await client.silence("no retained message of the refused filter");
    },
  },
  {
    ids: ["5.0 [MQTT-3.3.2-5]", "5.0 [MQTT-3.3.2-6]"],
    title: "Message Expiry of a retained message counts down and removes it",
    hardCase: "retained/8",
    seconds: 3,
    async run(t) {
      const publisher = await t.connect();
      const [long, short] = [t.topic("long"), t.topic("short")];
      await publisher.publish(long, "x", { retain: true, properties: { messageExpiryInterval: 120 } });
      await publisher.publish(short, "x", { retain: true, properties: { messageExpiryInterval: 1 } });
      await t.delay(2500);
      const late = await t.connect();
      await late.trySubscribe([{ filter: long }, { filter: short }]);
      const message = await late.receive({ topic: long });
      oneOf(
        message.properties.messageExpiryInterval,
        [115, 116, 117, 118],
        "Message Expiry Interval after 2.5 of 120 s",
      );
      await late.silence("not the expired message");
    },
  },
  {
    ids: [
      "5.0 [MQTT-3.3.4-3]",
      "5.0 [MQTT-3.3.2-4]",
      "5.0 [MQTT-3.3.2-15]",
      "5.0 [MQTT-3.3.2-16]",
      "5.0 [MQTT-3.3.2-17]",
      "5.0 [MQTT-3.3.2-18]",
      "5.0 [MQTT-3.3.2-20]",
    ],
    title: "a retained message keeps its properties and carries the identifier of the new subscription",
    hardCase: "retained/9",
    async run(t) {
      const properties: Properties = {
        payloadFormatIndicator: 1,
        contentType: "text/plain",
        responseTopic: "answer/here",
        correlationData: hex("00 ff"),
        userProperties: [
          ["b", "1"],
          ["a", ""],
          ["b", "2"],
        ],
      };
      await (await t.connect()).publish(t.topic(), "x", { retain: true, properties });
      const late = await t.connect();
      await late.subscribe(t.topic(), 1, {}, { subscriptionIdentifiers: [42] });
      const message = await late.receive({ retain: true });
      const { correlationData, ...others } = message.properties;
      const { correlationData: _, ...expected } = properties;
      equal(others, { ...expected, subscriptionIdentifiers: [42] }, "properties");
      equal([...(correlationData ?? [])], [0, 255], "Correlation Data");
    },
  },
  {
    ids: ["5.0 [MQTT-3.2.2-13]", "5.0 [MQTT-3.2.2-14]"],
    title: "a broker without retained messages says so and refuses RETAIN with 0x9A",
    hardCase: ["retained/10", "unnumbered/3", "connecting/12", "session/12"],
    needs: { retainAvailable: false },
    async run(t) {
      await t.refused({ will: { topic: t.topic(), retain: true } }, [0x9a]);
      await forEach(
        [
          ["QoS 0", 0],
          ["QoS 1", 1],
        ],
        async (qos) => {
          const client = await t.connect();
          equal(client.connack.properties.retainAvailable, 0, "Retain Available");
          client.publishOnly({ topic: t.topic(), qos, retain: true });
          await client.closes([0x9a]);
        },
      );
      const late = await t.subscriber(t.topic(), 1);
      await late.silence("nothing was retained");
      truthy(!late.wire.closed, "a subscriber was closed");
    },
  },
];
