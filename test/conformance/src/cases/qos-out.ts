// QoS 1 and 2 from the broker to the client: first transmission, resending on resume, identifiers, refusals by the
// subscriber. Sections 4.3, 4.4 and 2.2.1 (2.3.1 in 3.1.1).
import { publish } from "../build.ts";
import { type Case, NUMBERED, VERSIONS } from "../case.ts";
import type { Client } from "../client.ts";
import { equal, truthy } from "../check.ts";
import type { Packet, Publish } from "../parse.ts";
import type { Trial } from "../trial.ts";

/** A connected client with a lasting session, subscribed to the trial's topic, and a publisher. */
async function lastingPair(t: Trial, qos: number = 2): Promise<{ subscriber: Client; publisher: Client }> {
  const subscriber = await t.connect({ lasting: true });
  await subscriber.subscribe(t.topic(), qos);
  return { subscriber, publisher: await t.connect() };
}

/** Drops the client's connection and resumes its session. */
async function resume(t: Trial, client: Client): Promise<Client> {
  client.drop();
  return t.connect({ clientId: client.clientId, lasting: true });
}

export const qosOutCases: readonly Case[] = [
  {
    ids: [
      "3.1.1 [MQTT-3.3.1-1]",
      "3.1.1 [MQTT-3.3.1-3]",
      "3.1.1 [MQTT-4.3.2-1]",
      "3.1.1 [MQTT-2.3.1-4]",
      "5.0 [MQTT-3.3.1-1]",
      "5.0 [MQTT-3.3.1-3]",
      "5.0 [MQTT-4.3.2-2]",
      "5.0 [MQTT-4.3.2-3]",
      "5.0 [MQTT-4.3.3-2]",
      "5.0 [MQTT-4.3.3-3]",
      "5.0 [MQTT-4.4.0-1]",
    ],
    versions: VERSIONS,
    title:
      "DUP is 0 at first, whatever the publisher's was, and 1 when resent after a resume, with the same identifier",
    hardCase: "qos/1",
    async run(t) {
      for (const qos of [1, 2]) {
        const { subscriber, publisher } = await lastingPair(t);
        await publisher.publish(t.topic(), "dup", { qos, dup: true });
        const first = await subscriber.delivery({ payload: "dup", qos, dup: false });
        const back = await resume(t, subscriber);
        await back.receive({ payload: "dup", qos, dup: true, packetId: first.packetId });
        await (await resume(t, back)).silence("nothing after its acknowledgement");
      }
    },
  },
  {
    ids: [
      "3.1.1 [MQTT-3.3.1-2]",
      "3.1.1 [MQTT-4.3.1-1]",
      "3.1.1 [MQTT-2.3.1-5]",
      "5.0 [MQTT-3.3.1-2]",
      "5.0 [MQTT-4.3.1-1]",
      "5.0 [MQTT-2.2.1-2]",
    ],
    versions: VERSIONS,
    title: "a QoS 0 delivery has DUP 0 and no identifier",
    hardCase: "qos/1",
    async run(t) {
      const subscriber = await t.subscriber(t.topic(), 0);
      const publisher = await t.connect();
      await publisher.publish(t.topic(), "zero");
      await subscriber.receive({ payload: "zero", qos: 0, dup: false });
      await publisher.publish(t.topic(), "was one", { qos: 1, dup: true });
      await subscriber.receive({ payload: "was one", qos: 0, dup: false });
    },
  },
  {
    ids: [
      "3.1.1 [MQTT-4.4.0-1]",
      "3.1.1 [MQTT-4.6.0-1]",
      "3.1.1 [MQTT-4.6.0-6]",
      "5.0 [MQTT-4.4.0-1]",
      "5.0 [MQTT-4.6.0-5]",
    ],
    versions: VERSIONS,
    title:
      "on resume what is unacknowledged comes first, in its order, with its identifiers and DUP, before anything new",
    hardCase: "qos/2",
    async run(t) {
      const { subscriber, publisher } = await lastingPair(t);
      const sent: Publish[] = [];
      for (let index = 0; index < 10; index += 1) {
        await publisher.publish(t.topic(), `n${index}`, { qos: 1 + (index % 2) });
        sent.push(await subscriber.delivery());
      }
      const released = [7, 3].map((index) => sent[index]?.packetId ?? 0);
      for (const packetId of released) {
        subscriber.ack("PUBREC", packetId);
        await subscriber.ackOf("PUBREL", packetId);
      }
      subscriber.drop();
      for (let index = 10; index < 15; index += 1)
        await publisher.publish(t.topic(), `n${index}`, { qos: 1 });
      const back = await t.connect({ clientId: subscriber.clientId, lasting: true });
      const again = await upTo(back, 15);
      const publishes = again.flatMap((packet) => (packet.name === "PUBLISH" ? [packet] : []));
      equal(
        publishes.map(({ payload, dup, packetId }) => [
          Buffer.from(payload).toString(),
          dup,
          dup ? packetId : 0,
        ]),
        [
          ...sent
            .filter((_, index) => index !== 3 && index !== 7)
            .map(({ payload, packetId }) => [Buffer.from(payload).toString(), true, packetId]),
          ...[10, 11, 12, 13, 14].map((index) => [`n${index}`, false, 0]),
        ],
        "payload, DUP and identifier of the messages",
      );
      const pubrels = again.flatMap((packet) => (packet.name === "PUBREL" ? [packet.packetId] : []));
      equal(pubrels.sort(), [...released].sort(), "identifiers of PUBREL");
      const firstNew = again.findIndex((packet) => packet.name === "PUBLISH" && !packet.dup);
      equal(firstNew, 10, "packets before the first new message");
    },
  },
  {
    ids: ["5.0 [MQTT-4.4.0-1]"],
    versions: NUMBERED,
    title: "nothing is resent on a live connection",
    hardCase: "qos/3",
    seconds: 25,
    async run(t) {
      const { subscriber, publisher } = await lastingPair(t);
      await publisher.publish(t.topic(), "one", { qos: 1 });
      await publisher.publish(t.topic(), "two", { qos: 2 });
      const delivered = [await subscriber.delivery(), await subscriber.delivery()];
      const two = delivered.find((packet) => packet.qos === 2);
      subscriber.ack("PUBREC", two?.packetId ?? 0);
      await subscriber.take("PUBREL");
      for (let count = 0; count < 5; count += 1) {
        await t.delay(5000);
        await subscriber.silence("no repetition");
      }
    },
  },
  {
    ids: ["3.1.1 [MQTT-4.3.3-1]", "5.0 [MQTT-4.3.3-4]", "5.0 [MQTT-4.3.3-5]", "5.0 [MQTT-4.3.3-6]"],
    versions: VERSIONS,
    title: "after PUBREC only PUBREL is repeated on resume, never PUBLISH",
    hardCase: "qos/4",
    async run(t) {
      const { subscriber, publisher } = await lastingPair(t);
      await publisher.publish(t.topic(), "two", { qos: 2 });
      const { packetId } = await subscriber.delivery({ qos: 2 });
      subscriber.ack("PUBREC", packetId);
      await subscriber.ackOf("PUBREL", packetId);
      const second = await resume(t, subscriber);
      await second.ackOf("PUBREL", packetId);
      await second.silence("no PUBLISH after PUBREL");
      const third = await resume(t, second);
      await third.ackOf("PUBREL", packetId);
      third.ack("PUBCOMP", packetId);
      await third.silence();
      await (await resume(t, third)).silence("nothing after PUBCOMP");
    },
  },
  {
    ids: ["3.1.1 [MQTT-4.3.3-1]", "5.0 [MQTT-4.3.3-5]"],
    title: "a PUBREC that the broker read right before the connection ended is remembered",
    hardCase: "qos/4",
    async run(t) {
      const { subscriber, publisher } = await lastingPair(t);
      await publisher.publish(t.topic(), "two", { qos: 2 });
      const { packetId } = await subscriber.delivery({ qos: 2 });
      subscriber.ack("PUBREC", packetId);
      // DISCONNECT makes sure that the broker has read what came before it; it may or may not have sent PUBREL.
      await subscriber.disconnect();
      const back = await t.connect({ clientId: subscriber.clientId, lasting: true });
      await back.ackOf("PUBREL", packetId);
      await back.silence("no PUBLISH");
    },
  },
  {
    ids: ["5.0 [MQTT-4.3.3-7]"],
    title: "Message Expiry does not delete a QoS 2 exchange once PUBLISH was sent",
    hardCase: "qos/5",
    seconds: 3,
    async run(t) {
      const { subscriber, publisher } = await lastingPair(t);
      await publisher.publish(t.topic(), "two", { qos: 2, properties: { messageExpiryInterval: 1 } });
      const { packetId } = await subscriber.delivery({ qos: 2 });
      subscriber.ack("PUBREC", packetId);
      await subscriber.ackOf("PUBREL", packetId);
      subscriber.drop();
      await t.delay(2500);
      const back = await t.connect({ clientId: subscriber.clientId, lasting: true });
      await back.ackOf("PUBREL", packetId);
      back.ack("PUBCOMP", packetId);
      await back.silence();
    },
  },
  {
    ids: ["5.0 [MQTT-4.3.3-4]", "5.0 [MQTT-4.4.0-2]", "5.0 [MQTT-3.3.4-9]"],
    title: "a subscriber's PUBACK or PUBREC of 0x80 ends the delivery and frees its slot",
    hardCase: "qos/9",
    async run(t) {
      for (const qos of [1, 2]) {
        const properties = { receiveMaximum: 1 };
        const subscriber = await t.connect({ lasting: true, properties });
        await subscriber.subscribe(t.topic(), 2);
        const publisher = await t.connect();
        for (const payload of ["bad", "good"]) await publisher.publish(t.topic(), payload, { qos });
        const { packetId } = await subscriber.delivery({ payload: "bad" });
        await subscriber.silence("the second waits for the quota");
        subscriber.ack(qos === 1 ? "PUBACK" : "PUBREC", packetId, 0x80);
        await subscriber.receive({ payload: "good" });
        await subscriber.silence("no PUBREL");
        await (await resume(t, subscriber)).silence("nothing resent");
      }
    },
  },
  {
    ids: ["5.0 [MQTT-4.3.3-4]"],
    title: "PUBREC 0x10 is a success: PUBREL follows",
    async run(t) {
      const { subscriber, publisher } = await lastingPair(t);
      await publisher.publish(t.topic(), "two", { qos: 2 });
      const { packetId } = await subscriber.delivery();
      subscriber.ack("PUBREC", packetId, 0x10);
      await subscriber.ackOf("PUBREL", packetId);
    },
  },
  {
    ids: ["3.1.1 [MQTT-4.3.3-1]", "5.0 [MQTT-4.3.3-3]"],
    versions: VERSIONS,
    title: "an acknowledgement of the wrong kind does not complete an exchange",
    hardCase: "qos/11",
    async run(t) {
      for (const [qos, wrong] of [
        [2, "PUBACK"],
        [2, "PUBCOMP"],
        [1, "PUBREC"],
        [1, "PUBCOMP"],
      ] as const) {
        const { subscriber, publisher } = await lastingPair(t);
        await publisher.publish(t.topic(), "kept", { qos });
        const { packetId } = await subscriber.delivery({ qos });
        subscriber.ack(wrong, packetId);
        const back = await resume(t, subscriber);
        await back.receive({ payload: "kept", packetId });
      }
    },
  },
  {
    ids: ["3.1.1 [MQTT-2.3.1-4]", "5.0 [MQTT-2.2.1-4]", "5.0 [MQTT-4.3.2-1]", "5.0 [MQTT-4.3.3-1]"],
    versions: VERSIONS,
    title: "client and broker use the same identifier at the same time without harm",
    hardCase: "qos/12",
    async run(t) {
      const { subscriber, publisher } = await lastingPair(t);
      await publisher.publish(t.topic(), "theirs", { qos: 2 });
      const { packetId } = await subscriber.delivery();
      subscriber.publishOnly({ topic: t.topic("other"), qos: 2, packetId });
      await subscriber.ackOf("PUBREC", packetId);
      subscriber.ack("PUBREC", packetId);
      await subscriber.ackOf("PUBREL", packetId);
      equal((await subscriber.release(packetId)).reasonCode, 0, "Reason Code of PUBCOMP");
      subscriber.ack("PUBCOMP", packetId);
      await subscriber.silence();
    },
  },
  {
    ids: ["3.1.1 [MQTT-2.3.1-4]", "5.0 [MQTT-2.2.1-4]", "5.0 [MQTT-4.3.2-1]", "5.0 [MQTT-4.3.3-1]"],
    title:
      "an identifier in use, or awaiting PUBCOMP, is not given to another message, also after the wrap at 65535",
    hardCase: "qos/12",
    seconds: 20,
    async run(t) {
      const { subscriber, publisher } = await lastingPair(t);
      await publisher.publish(t.topic(), "held", { qos: 1 });
      await publisher.publish(t.topic(), "released", { qos: 2 });
      const held = [await subscriber.delivery(), await subscriber.delivery()];
      const two = held.find((packet) => packet.qos === 2)?.packetId ?? 0;
      subscriber.ack("PUBREC", two);
      await subscriber.ackOf("PUBREL", two);
      const taken = held.map((packet) => packet.packetId);
      const window = 40;
      for (let sent = 0; sent < 70_000; sent += window)
        await exchange(t.topic(), publisher, subscriber, window, taken);
    },
  },
  {
    ids: ["3.1.1 [MQTT-4.6.0-4]"],
    versions: NUMBERED,
    title: "PUBRELs follow the order of the PUBRECs",
    async run(t) {
      const { subscriber, publisher } = await lastingPair(t);
      const ids: number[] = [];
      for (let index = 0; index < 6; index += 1) {
        await publisher.publish(t.topic(), `n${index}`, { qos: 2 });
        ids.push((await subscriber.delivery()).packetId);
      }
      const shuffled = [3, 0, 5, 1, 4, 2].map((index) => ids[index] ?? 0);
      for (const packetId of shuffled) subscriber.ack("PUBREC", packetId);
      for (const packetId of shuffled) await subscriber.ackOf("PUBREL", packetId);
    },
  },
  {
    ids: ["3.1.1 [MQTT-3.1.2-5]", "3.1.1 [MQTT-3.8.4-6]", "5.0 [MQTT-3.8.4-8]", "5.0 [MQTT-4.5.0-1]"],
    versions: VERSIONS,
    title: "the QoS of a delivery is the lesser of published and granted, online and from the queue",
    hardCase: "qos/16",
    async run(t) {
      for (const granted of [0, 1, 2]) {
        const subscriber = await t.connect({ lasting: true });
        await subscriber.subscribe(t.topic(`g${granted}`), granted);
        const publisher = await t.connect();
        for (const qos of [0, 1, 2]) {
          await publisher.publish(t.topic(`g${granted}`), `p${qos}`, { qos });
          await subscriber.receive({ payload: `p${qos}`, qos: Math.min(qos, granted) });
        }
        await subscriber.disconnect();
        if (granted === 0) continue;
        for (const qos of [1, 2]) await publisher.publish(t.topic(`g${granted}`), `q${qos}`, { qos });
        const back = await t.connect({ clientId: subscriber.clientId, lasting: true });
        for (let count = 0; count < 2; count += 1) {
          const message = await back.receive();
          const published = message.payload.at(-1) === 0x31 ? 1 : 2;
          equal(message.qos, Math.min(published, granted), "QoS of a queued message");
        }
      }
    },
  },
  {
    ids: ["3.1.1 [MQTT-4.6.0-5]", "3.1.1 [MQTT-4.6.0-6]", "5.0 [MQTT-4.6.0-5]", "5.0 [MQTT-4.6.0-6]"],
    versions: NUMBERED,
    title: "one publisher's messages of a topic and QoS keep their order while the subscriber comes and goes",
    hardCase: "qos/14",
    seconds: 3,
    async run(t) {
      const { subscriber, publisher } = await lastingPair(t);
      const total = 200;
      let current = subscriber;
      let expected = 0;
      for (let sent = 0; sent < total; sent += 20) {
        for (let index = sent; index < sent + 20; index += 1)
          await publisher.publish(t.topic(), String(index), { qos: 1 });
        for (let taken = 0; taken < 10; taken += 1) expected = await takeInOrder(current, expected);
        // The broker has read the acknowledgements before the connection is gone.
        await current.ping();
        current = await resume(t, current);
      }
      while (expected < total) expected = await takeInOrder(current, expected);
    },
  },
  {
    ids: ["3.1.1 [MQTT-4.6.0-5]", "5.0 [MQTT-4.6.0-6]"],
    title: "a thousand pipelined messages of each QoS arrive in order",
    hardCase: "qos/14",
    async run(t) {
      for (const qos of [0, 1, 2]) {
        const subscriber = await t.subscriber(t.topic(), qos);
        const publisher = await t.connect();
        let next = 0;
        for (let sent = 0; sent < 1000; sent += 10) {
          const ids = Array.from({ length: 10 }, (_, index) => sent + index + 1);
          for (const packetId of ids)
            publisher.publishOnly({ topic: t.topic(), payload: String(packetId), qos, packetId });
          for (const packetId of qos === 0 ? [] : ids)
            await publisher.ackOf(qos === 1 ? "PUBACK" : "PUBREC", packetId);
          for (const packetId of qos === 2 ? ids : []) await publisher.release(packetId);
          for (; next < sent + 10; next += 1) await subscriber.receive({ payload: String(next + 1) });
        }
      }
    },
  },
];

/** The next `count` packets in their order. */
async function upTo(client: Client, count: number): Promise<readonly Packet[]> {
  const packets: Packet[] = [];
  while (packets.length < count) packets.push(await client.next());
  return packets;
}

/** One window of QoS 1 messages from publisher to subscriber; none may carry a taken identifier. */
async function exchange(
  topic: string,
  publisher: Client,
  subscriber: Client,
  window: number,
  taken: readonly number[],
): Promise<void> {
  const publishes = Array.from({ length: window }, (_, index) =>
    publish(publisher.version, { topic, qos: 1, packetId: index + 1 }),
  );
  publisher.send(...publishes);
  for (let index = 0; index < window; index += 1) {
    const { packetId } = await subscriber.delivery();
    truthy(!taken.includes(packetId), `identifier ${packetId} was given twice`);
    // At once: a broker may have fewer messages under way than our window has.
    subscriber.ack("PUBACK", packetId);
  }
  for (let index = 1; index <= window; index += 1) await publisher.ackOf("PUBACK", index);
}

/** Takes one message; a repetition may go back, a first delivery has to be the next number. */
async function takeInOrder(client: Client, expected: number): Promise<number> {
  const packet = await client.receive();
  const number = Number(Buffer.from(packet.payload).toString());
  if (number < expected && packet.dup) return expected;
  equal(number, expected, "number of the message");
  return expected + 1;
}
