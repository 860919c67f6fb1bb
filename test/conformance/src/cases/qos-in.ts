// QoS 1 and 2 from the client to the broker: acknowledgements, repeats, identifiers. Sections 4.3, 4.4 and 2.2.1
// (2.3.1 in 3.1.1).
import { publish } from "../build.ts";
import { hex } from "../bytes.ts";
import { type Case, NUMBERED, VERSIONS } from "../case.ts";
import { equal, forEach, oneOf } from "../check.ts";
import type { Client } from "../client.ts";
import type { Trial } from "../trial.ts";

/** Drops the connection and resumes its session. */
async function reconnected(t: Trial, client: Client): Promise<Client> {
  client.drop();
  return t.connect({ clientId: client.clientId, lasting: true });
}

/** Sends the QoS 2 PUBLISH with identifier 5, for the first time or again, and expects PUBREC. */
async function answered(t: Trial, client: Client, dup: boolean): Promise<void> {
  client.send(publish(t.version, { topic: t.topic(), payload: "once", qos: 2, dup, packetId: 5 }));
  oneOf((await client.ackOf("PUBREC", 5)).reasonCode, [0, 0x10], "Reason Code of PUBREC");
}

/** Releases identifier 5, and expects its message to have been delivered once. */
async function deliveredOnce(t: Trial, client: Client, subscriber: Client): Promise<void> {
  equal((await client.release(5)).reasonCode, 0, "Reason Code of PUBCOMP");
  await subscriber.receive({ payload: "once" });
  await client.publish(t.topic(), "marker", { qos: 2 });
  await subscriber.receive({ payload: "marker" });
  await subscriber.silence("one delivery");
}

export const qosInCases: readonly Case[] = [
  {
    ids: [
      "3.1.1 [MQTT-2.3.1-6]",
      "3.1.1 [MQTT-3.3.4-1]",
      "3.1.1 [MQTT-4.3.2-2]",
      "5.0 [MQTT-2.2.1-5]",
      "5.0 [MQTT-3.3.4-1]",
      "5.0 [MQTT-4.3.2-4]",
      "5.0 [MQTT-4.3.3-8]",
      "5.0 [MQTT-4.3.3-11]",
      "5.0 [MQTT-3.4.2-1]",
      "5.0 [MQTT-3.5.2-1]",
    ],
    versions: VERSIONS,
    title: "PUBLISH is answered by its QoS - nothing, PUBACK, PUBREC - with its own identifier",
    async run(t) {
      const client = await t.connect();
      client.publishOnly({ topic: t.topic() });
      await client.silence("no answer to QoS 0");
      for (const packetId of [1, 0xabcd, 65535, 256]) {
        client.publishOnly({ topic: t.topic(), qos: 1, packetId });
        oneOf((await client.ackOf("PUBACK", packetId)).reasonCode, [0, 0x10], "Reason Code of PUBACK");
        client.publishOnly({ topic: t.topic(), qos: 2, packetId });
        oneOf((await client.ackOf("PUBREC", packetId)).reasonCode, [0, 0x10], "Reason Code of PUBREC");
        equal((await client.release(packetId)).reasonCode, 0, "Reason Code of PUBCOMP");
      }
      await client.silence();
    },
  },
  {
    ids: ["3.1.1 [MQTT-4.3.3-2]", "5.0 [MQTT-4.3.3-10]"],
    versions: VERSIONS,
    title:
      "a QoS 2 PUBLISH that is repeated after each reconnect gets PUBREC each time, and one onward delivery",
    hardCase: "qos/6",
    async run(t) {
      const subscriber = await t.subscriber(t.topic(), 2);
      let client = await t.connect({ lasting: true });
      for (const dup of [false, true, true]) {
        if (dup) client = await reconnected(t, client);
        await answered(t, client, dup);
      }
      await deliveredOnce(t, client, subscriber);
    },
  },
  {
    ids: ["3.1.1 [MQTT-4.3.3-2]"],
    versions: ["3.1", "3.1.1"],
    title:
      "a QoS 2 PUBLISH that is repeated on one connection gets PUBREC each time, and one onward delivery",
    hardCase: "qos/6",
    async run(t) {
      const subscriber = await t.subscriber(t.topic(), 2);
      const client = await t.connect();
      for (const dup of [false, true, true, true]) await answered(t, client, dup);
      await deliveredOnce(t, client, subscriber);
    },
  },
  {
    // A client must not repeat on one connection in 5.0, nor without DUP; a broker may close then.
    ids: ["3.1.1 [MQTT-4.3.3-2]", "5.0 [MQTT-4.3.3-10]"],
    versions: VERSIONS,
    title:
      "beyond the standard: a QoS 2 PUBLISH repeated without DUP, or without need, is answered all the same",
    hardCase: "qos/6",
    contract: true,
    async run(t) {
      const subscriber = await t.subscriber(t.topic(), 2);
      const first = await t.connect({ lasting: true });
      for (const dup of [false, true, false]) await answered(t, first, dup);
      const second = await reconnected(t, first);
      for (const dup of [true, false, true]) await answered(t, second, dup);
      await deliveredOnce(t, second, subscriber);
    },
  },
  {
    ids: ["3.1.1 [MQTT-4.3.2-2]", "3.1.1 [MQTT-4.3.3-2]", "5.0 [MQTT-4.3.2-5]", "5.0 [MQTT-4.3.3-12]"],
    versions: VERSIONS,
    title: "after PUBACK or PUBCOMP the same identifier is a new message, also with DUP 1",
    hardCase: "qos/7",
    async run(t) {
      const subscriber = await t.subscriber(t.topic(), 2);
      const client = await t.connect();
      for (const qos of [1, 2]) {
        for (const dup of [false, true, true]) {
          const payload = `${qos} ${dup}`;
          await client.publish(t.topic(), payload, { qos, dup, packetId: 9 });
          await subscriber.receive({ payload });
        }
      }
    },
  },
  {
    ids: ["5.0 [MQTT-4.3.3-9]"],
    title: "after a refusing PUBREC the identifier is free at once",
    hardCase: "qos/8",
    needs: { deniedTopics: true },
    async run(t) {
      const subscriber = await t.subscriber(t.topic(), 2);
      const client = await t.connect();
      equal(
        await client.publish(`denied/${t.topic()}`, "no", { qos: 2, packetId: 4 }),
        0x87,
        "Reason Code of PUBREC",
      );
      equal(await client.publish(t.topic(), "yes", { qos: 2, packetId: 4 }), 0, "Reason Code of PUBREC");
      await subscriber.receive({ payload: "yes" });
    },
  },
  {
    ids: ["3.1.1 [MQTT-4.3.3-2]", "5.0 [MQTT-4.3.3-11]", "5.0 [MQTT-3.7.2-1]"],
    versions: VERSIONS,
    title: "PUBREL of an unknown identifier is answered by PUBCOMP and never closes",
    hardCase: "qos/10",
    async run(t) {
      const client = await t.connect();
      const codes = t.five ? [0, 0x92] : [0];
      for (const packetId of [1, 4711])
        oneOf((await client.release(packetId)).reasonCode, codes, "Reason Code of PUBCOMP");
      await client.publish(t.topic(), "x", { qos: 2, packetId: 6 });
      oneOf((await client.release(6)).reasonCode, codes, "Reason Code of the second PUBCOMP");
      await client.silence("to stay connected");
    },
  },
  {
    ids: ["5.0 [MQTT-3.6.2-1]"],
    title: "PUBREC of an unknown identifier is answered by PUBREL",
    hardCase: "qos/10",
    async run(t) {
      const client = await t.connect();
      client.ack("PUBREC", 4711);
      oneOf((await client.ackOf("PUBREL", 4711)).reasonCode, [0, 0x92], "Reason Code of PUBREL");
      await client.silence("to stay connected");
    },
  },
  {
    // 0x92 is what the tables of 3.6.2.1 and 3.7.2.1 have for it; no statement asks for it.
    ids: ["5.0 [MQTT-3.6.2-1]", "5.0 [MQTT-3.7.2-1]"],
    title: "beyond the standard: PUBREL and PUBREC of unknown identifiers are answered with 0x92",
    hardCase: "qos/10",
    contract: true,
    async run(t) {
      const client = await t.connect();
      equal((await client.release(4711)).reasonCode, 0x92, "Reason Code of PUBCOMP");
      client.ack("PUBREC", 4711);
      equal((await client.ackOf("PUBREL", 4711)).reasonCode, 0x92, "Reason Code of PUBREL");
      await client.publish(t.topic(), "x", { qos: 2, packetId: 6 });
      equal((await client.release(6)).reasonCode, 0x92, "Reason Code of the second PUBCOMP");
    },
  },
  {
    ids: ["3.1.1 section 4.3.2", "5.0 section 4.3.2"],
    title: "PUBACK and PUBCOMP of unknown identifiers are ignored",
    hardCase: "qos/10",
    async run(t) {
      const client = await t.connect();
      client.ack("PUBACK", 4711);
      client.ack("PUBCOMP", 4712);
      await client.silence("to stay connected");
    },
  },
  {
    ids: ["3.1.1 [MQTT-2.3.1-1]", "5.0 [MQTT-2.2.1-3]"],
    title: "Packet Identifier 0 closes the connection in every packet that has one",
    hardCase: "qos/13",
    async run(t) {
      const property = t.five ? "00" : "";
      const packets = [
        ["SUBSCRIBE", `82 0${t.five ? 7 : 6} 00 00 ${property} 00 01 61 00`],
        ["UNSUBSCRIBE", `a2 0${t.five ? 6 : 5} 00 00 ${property} 00 01 61`],
        ["PUBLISH QoS 1", `32 0${t.five ? 6 : 5} 00 01 61 00 00 ${property}`],
        ["PUBLISH QoS 2", `34 0${t.five ? 6 : 5} 00 01 61 00 00 ${property}`],
      ] as const;
      await forEach(packets, async (digits) => {
        const client = await t.connect();
        client.send(hex(digits));
        await client.closes(t.five ? [0x81, 0x82] : []);
      });
    },
  },
  {
    ids: ["3.1.1 [MQTT-4.6.0-2]", "3.1.1 [MQTT-4.6.0-3]"],
    versions: VERSIONS,
    title: "PUBACK and PUBREC follow the order of the PUBLISHes",
    async run(t) {
      const client = await t.connect();
      const ids = Array.from({ length: 20 }, (_, index) => 1000 - index * 7);
      for (const [name, qos] of [
        ["PUBACK", 1],
        ["PUBREC", 2],
      ] as const) {
        for (const packetId of ids) client.publishOnly({ topic: t.topic(), qos, packetId });
        for (const packetId of ids) await client.ackOf(name, packetId);
      }
    },
  },
  {
    ids: ["3.1.1 [MQTT-4.6.0-2]", "3.1.1 [MQTT-4.6.0-3]", "3.1.1 [MQTT-4.6.0-6]"],
    versions: NUMBERED,
    title: "acknowledgements follow arrival also when some publications take long to be authorised",
    hardCase: "qos/15",
    needs: { slowTopics: true },
    async run(t) {
      const client = await t.connect();
      for (const [name, qos] of [
        ["PUBACK", 1],
        ["PUBREC", 2],
      ] as const) {
        const first = qos * 1000;
        for (let index = 0; index < 18; index += 1) {
          const topic = index % 3 === 0 ? `slow/${t.topic()}` : t.topic();
          client.publishOnly({ topic, qos, packetId: first + index });
        }
        for (let index = 0; index < 18; index += 1) await client.ackOf(name, first + index);
        if (qos === 2) for (let index = 0; index < 18; index += 1) await client.release(first + index);
      }
    },
  },
  {
    ids: ["3.1.1 [MQTT-3.3.5-2]"],
    versions: ["3.1", "3.1.1"],
    title: "a PUBLISH that is not allowed is acknowledged as usual or closes, and goes nowhere",
    hardCase: "qos/17",
    needs: { deniedTopics: true },
    async run(t) {
      for (const qos of [0, 1, 2]) {
        const topic = `denied/${t.topic(`q${qos}`)}`;
        const client = await t.connect();
        try {
          await client.publish(topic, "no", { qos, retain: true });
        } catch (error) {
          if (!client.wire.closed) throw error;
        }
      }
      const watcher = await t.connect();
      await watcher.trySubscribe([{ filter: "#", qos: 0 }]);
      const seen = watcher.wire.packets.some(
        (packet) => packet.name === "PUBLISH" && packet.topic.includes(t.prefix),
      );
      equal(seen, false, "a refused message was retained");
    },
  },
  {
    ids: ["5.0 [MQTT-3.4.2-1]", "5.0 [MQTT-3.5.2-1]", "5.0 [MQTT-4.3.3-9]"],
    title: "a PUBLISH that is not allowed gets 0x87 and is neither routed nor retained",
    hardCase: "qos/17",
    needs: { deniedTopics: true },
    async run(t) {
      const watcher = await t.connect();
      await watcher.trySubscribe([{ filter: "+/+/+", qos: 0 }]);
      const client = await t.connect();
      const topic = `denied/${t.topic()}`;
      equal(await client.publish(topic, "no", { qos: 1, retain: true }), 0x87, "Reason Code of PUBACK");
      equal(await client.publish(topic, "no", { qos: 2, retain: true }), 0x87, "Reason Code of PUBREC");
      client.publishOnly({ topic, retain: true });
      try {
        await client.silence("silence or DISCONNECT 0x87");
      } catch (error) {
        if (!client.wire.closed) throw error;
        await client.closes([0x87]);
      }
      await watcher.ping();
      await watcher.trySubscribe([{ filter: "+/+/+", qos: 0 }]);
      const seen = watcher.wire.packets.some(
        (packet) => packet.name === "PUBLISH" && packet.topic.includes(t.prefix),
      );
      equal(seen, false, "a refused message was delivered");
    },
  },
  {
    ids: ["5.0 [MQTT-4.3.3-13]"],
    title: "a QoS 2 exchange is completed although its message has expired",
    hardCase: "qos/5",
    seconds: 3,
    async run(t) {
      const client = await t.connect();
      client.publishOnly({ topic: t.topic(), qos: 2, packetId: 3, properties: { messageExpiryInterval: 1 } });
      await client.ackOf("PUBREC", 3);
      await t.delay(2500);
      equal((await client.release(3)).reasonCode, 0, "Reason Code of PUBCOMP");
    },
  },
];
