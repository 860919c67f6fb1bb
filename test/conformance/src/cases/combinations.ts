// Where two rules meet: quotas and retained messages, expiry and waiting, takeover and exchanges under way, pipelining.
import { connect, disconnect, publish, subscribe } from "../build.ts";
import { hex, join } from "../bytes.ts";
import { type Case, VERSIONS } from "../case.ts";
import { equal, oneOf } from "../check.ts";

export const combinationCases: readonly Case[] = [
  {
    ids: ["3.1.1 [MQTT-4.4.0-1]", "5.0 [MQTT-4.4.0-1]"],
    versions: VERSIONS,
    title: "a takeover of a lasting session carries its exchanges over to the new connection",
    async run(t) {
      const first = await t.connect({ lasting: true });
      await first.subscribe(t.topic(), 2);
      const publisher = await t.connect();
      await publisher.publish(t.topic(), "one", { qos: 1 });
      await publisher.publish(t.topic(), "two", { qos: 2 });
      const begun = [await first.delivery(), await first.delivery()];
      const second = await t.connect({ clientId: first.clientId, lasting: true });
      for (const { packetId, payload } of begun) await second.receive({ packetId, payload });
      await publisher.publish(t.topic(), "new", { qos: 1 });
      await second.receive({ payload: "new", dup: false });
      await second.silence();
    },
  },
  {
    ids: ["3.1.1 [MQTT-4.3.3-2]", "5.0 [MQTT-4.3.3-10]"],
    versions: VERSIONS,
    title: "a takeover between PUBREC and PUBREL keeps the received identifier: no second delivery",
    async run(t) {
      const watcher = await t.subscriber(t.topic(), 2);
      const first = await t.connect({ lasting: true });
      first.publishOnly({ topic: t.topic(), payload: "once", qos: 2, packetId: 3 });
      await first.ackOf("PUBREC", 3);
      const second = await t.connect({ clientId: first.clientId, lasting: true });
      second.publishOnly({ topic: t.topic(), payload: "once", qos: 2, packetId: 3, dup: true });
      await second.ackOf("PUBREC", 3);
      equal((await second.release(3)).reasonCode, 0, "Reason Code of PUBCOMP");
      await watcher.receive({ payload: "once" });
      await watcher.silence("one delivery");
    },
  },
  {
    ids: ["5.0 [MQTT-3.3.4-9]", "5.0 [MQTT-3.3.1-9]"],
    title: "retained messages keep to Receive Maximum, and all come in the end",
    async run(t) {
      const publisher = await t.connect();
      for (let index = 0; index < 10; index += 1) {
        await publisher.publish(t.topic(`r/${index}`), "kept", { qos: 1 + (index % 2), retain: true });
      }
      const client = await t.subscriber(t.topic("r/+"), 2, { properties: { receiveMaximum: 1 } });
      const seen = new Set<string>();
      for (let index = 0; index < 10; index += 1) {
        const message = await client.delivery({ retain: true, dup: false });
        await client.silence("one message at a time");
        await client.acknowledge(message);
        seen.add(message.topic);
      }
      equal(seen.size, 10, "different retained messages");
      await client.silence();
    },
  },
  {
    ids: ["5.0 [MQTT-3.3.2-5]", "5.0 [MQTT-4.9.0-2]"],
    title: "a message that expires while it waits for the quota of a connected client is not sent",
    seconds: 3,
    async run(t) {
      const client = await t.subscriber(t.topic(), 1, { properties: { receiveMaximum: 1 } });
      const publisher = await t.connect();
      await publisher.publish(t.topic(), "holds the quota", { qos: 1 });
      const held = await client.delivery();
      await publisher.publish(t.topic(), "expires", { qos: 1, properties: { messageExpiryInterval: 1 } });
      await publisher.publish(t.topic(), "stays", { qos: 1 });
      await t.delay(2500);
      await client.acknowledge(held);
      await client.receive({ payload: "stays" });
      await client.silence();
    },
  },
  {
    ids: ["5.0 [MQTT-4.9.0-1]", "5.0 [MQTT-4.4.0-1]"],
    title: "a smaller Receive Maximum on resume holds also for what is sent again, in order",
    async run(t) {
      const first = await t.connect({ lasting: true });
      await first.subscribe(t.topic(), 2);
      const publisher = await t.connect();
      for (let index = 0; index < 6; index += 1) await publisher.publish(t.topic(), `n${index}`, { qos: 2 });
      const ids: number[] = [];
      for (let index = 0; index < 6; index += 1) ids.push((await first.delivery()).packetId);
      first.drop();
      const properties = { receiveMaximum: 2 };
      const back = await t.connect({ clientId: first.clientId, lasting: true, properties });
      const window = [
        await back.delivery({ packetId: ids[0] ?? 0 }),
        await back.delivery({ packetId: ids[1] ?? 0 }),
      ];
      await back.silence("two at a time");
      for (let index = 2; index < 6; index += 1) {
        const message = window.shift();
        if (message !== undefined) await back.acknowledge(message);
        window.push(await back.delivery({ packetId: ids[index] ?? 0, payload: `n${index}`, dup: true }));
        await back.silence("two at a time");
      }
    },
  },
  {
    ids: ["5.0 [MQTT-4.5.0-1]", "5.0 [MQTT-4.8.2-3]"],
    title: "messages for a group whose members are all away wait for the member that returns",
    async run(t) {
      const filter = `$share/g/${t.topic()}`;
      const members = [await t.connect({ lasting: true }), await t.connect({ lasting: true })];
      for (const member of members) await member.subscribe(filter, 1);
      for (const member of members) await member.disconnect();
      const publisher = await t.connect();
      for (let index = 0; index < 10; index += 1) await publisher.publish(t.topic(), `n${index}`, { qos: 1 });
      const seen: string[] = [];
      for (const member of members) {
        const back = await t.connect({ clientId: member.clientId, lasting: true });
        await back.ping();
        await back.ping();
        while (back.wire.packets.some(({ name }) => name === "PUBLISH")) {
          seen.push(Buffer.from((await back.receive()).payload).toString());
          await back.ping();
        }
      }
      equal(
        seen.sort(),
        Array.from({ length: 10 }, (_, index) => `n${index}`),
        "messages of both members together",
      );
    },
  },
  {
    ids: ["3.1.1 [MQTT-3.8.4-4]", "5.0 [MQTT-3.8.4-5]", "5.0 [MQTT-3.10.4-6]"],
    versions: VERSIONS,
    title: "the same filter twice in one packet: the second replaces the first, and is unsubscribed once",
    async run(t) {
      const client = await t.connect();
      const suback = await client.trySubscribe([
        { filter: t.topic(), qos: 0 },
        { filter: t.topic(), qos: 1 },
      ]);
      equal(suback.reasonCodes, [0, 1], "codes of SUBACK");
      await client.publish(t.topic(), "x", { qos: 1 });
      await client.receive({ qos: 1 });
      await client.silence("one delivery");
      const unsuback = await client.unsubscribe(t.topic(), t.topic());
      equal(unsuback.reasonCodes, t.five ? [0, 0x11] : [], "codes of UNSUBACK");
    },
  },
  {
    ids: ["3.1.1 [MQTT-3.1.2-17]", "5.0 [MQTT-3.1.2-15]", "5.0 [MQTT-3.3.1-6]", "3.1.1 [MQTT-3.3.1-10]"],
    versions: VERSIONS,
    title: "a retained Will without a payload deletes the retained message of its topic",
    async run(t) {
      const topic = t.topic("state");
      const watcher = await t.subscriber(topic);
      await watcher.publish(topic, "online", { retain: true });
      await watcher.receive({ payload: "online" });
      (await t.connect({ will: { topic, payload: "", retain: true } })).drop();
      await watcher.receive({ payload: "" });
      await (await t.subscriber(topic)).silence("no retained message");
    },
  },
  {
    ids: ["3.1.1 [MQTT-3.3.4-1]", "5.0 [MQTT-3.3.4-1]"],
    versions: VERSIONS,
    title: "CONNECT, PUBLISH and DISCONNECT in one write: the message is taken",
    async run(t) {
      const watcher = await t.subscriber(t.topic(), 1);
      for (const qos of [0, 1]) {
        const client = await t.open();
        const payload = `qos ${qos}`;
        client.send(
          connect(t.connectFields()),
          publish(t.version, { topic: t.topic(), payload, qos, packetId: 1 }),
          disconnect(),
        );
        await watcher.receive({ payload });
        await client.wire.ended();
      }
    },
  },
  {
    ids: ["3.1.1 [MQTT-3.1.0-2]", "5.0 [MQTT-3.1.0-2]"],
    versions: VERSIONS,
    title: "a second CONNECT in the same write as the first is refused like any other",
    async run(t) {
      const client = await t.open();
      const bytes = connect(t.connectFields({ clientId: t.clientId("twice") }));
      client.send(bytes, bytes, publish(t.version, { topic: t.topic() }));
      await client.wire.ended();
      client.wire.check();
      const names = client.wire.packets.map(({ name }) => name);
      equal(names.filter((name) => name === "CONNACK").length <= 1, true, "at most one CONNACK");
      for (const packet of client.wire.packets) {
        if (packet.name === "DISCONNECT") oneOf(packet.reasonCode, [0x82], "Reason Code of DISCONNECT");
      }
    },
  },
  {
    ids: ["3.1.1 [MQTT-3.3.2-3]", "5.0 [MQTT-3.3.2-3]"],
    versions: VERSIONS,
    title: "payloads of no bytes, of all byte values and of 300,000 bytes arrive as they were, at each QoS",
    async run(t) {
      const payloads = [
        hex(""),
        Uint8Array.from({ length: 256 }, (_, index) => index),
        Buffer.alloc(300_000, "large"),
      ];
      for (const qos of [0, 1, 2]) {
        const client = await t.subscriber(t.topic(`q${qos}`), qos);
        for (const payload of payloads) {
          await client.publish(t.topic(`q${qos}`), payload, { qos });
          const message = await client.receive({ qos });
          equal(Buffer.compare(message.payload, payload), 0, `comparison of ${payload.length} bytes`);
        }
      }
    },
  },
  {
    ids: ["3.1.1 [MQTT-4.8.0-1]", "5.0 [MQTT-4.13.1-1]"],
    title: "what stands in front of a malformed packet in the same write is still served",
    async run(t) {
      const watcher = await t.subscriber(t.topic(), 1);
      const client = await t.connect();
      const good = publish(t.version, { topic: t.topic(), payload: "before", qos: 1, packetId: 1 });
      const after = publish(t.version, { topic: t.topic(), payload: "after", qos: 1, packetId: 2 });
      client.send(join(good, hex("36 00"), after));
      await client.wire.ended();
      await watcher.receive({ payload: "before" });
      await watcher.silence("nothing behind the malformed packet");
    },
  },
  {
    ids: ["5.0 [MQTT-3.3.4-3]", "5.0 [MQTT-3.8.4-3]"],
    title: "a Shared Subscription passes its identifier on, and repeated with another one uses the new one",
    async run(t) {
      const client = await t.connect();
      for (const id of [5, 6]) {
        client.send(
          subscribe(t.version, id, [{ filter: `$share/g/${t.topic()}`, qos: 1 }], {
            subscriptionIdentifiers: [id],
          }),
        );
        await client.take("SUBACK");
        await client.publish(t.topic(), "x", { qos: 1 });
        equal((await client.receive()).properties.subscriptionIdentifiers, [id], "Subscription Identifiers");
      }
      await client.silence("one delivery each");
    },
  },
  {
    ids: ["5.0 [MQTT-3.1.2-23]", "5.0 [MQTT-3.1.2-5]"],
    title: "inbound QoS 2 and outbound PUBREL of one session survive a connection that ends between them",
    async run(t) {
      const client = await t.connect({ lasting: true });
      await client.subscribe(t.topic("in"), 2);
      client.publishOnly({ topic: t.topic("out"), qos: 2, packetId: 1 });
      await client.ackOf("PUBREC", 1);
      await (await t.connect()).publish(t.topic("in"), "x", { qos: 2 });
      const { packetId } = await client.delivery();
      client.ack("PUBREC", packetId);
      await client.ackOf("PUBREL", packetId);
      client.drop();
      const back = await t.connect({ clientId: client.clientId, lasting: true });
      await back.ackOf("PUBREL", packetId);
      back.ack("PUBCOMP", packetId);
      equal((await back.release(1)).reasonCode, 0, "Reason Code of PUBCOMP");
      await back.silence();
    },
  },
];
