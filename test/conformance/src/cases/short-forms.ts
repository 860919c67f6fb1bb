// Acknowledgements and DISCONNECT in their short and long forms. 5.0 sections 3.4.2.1, 3.14.2.1 and 3.15.2.1.
import { ack } from "../build.ts";
import type { Case } from "../case.ts";
import { equal, oneOf } from "../check.ts";

export const shortFormCases: readonly Case[] = [
  {
    ids: ["5.0 [MQTT-2.2.2-1]", "5.0 section 3.4.2.1"],
    title: "acknowledgements and DISCONNECT are understood in every short form",
    hardCase: "properties/5",
    async run(t) {
      const forms: readonly ((name: "PUBACK" | "PUBREC" | "PUBREL" | "PUBCOMP", id: number) => Uint8Array)[] =
        [(name, id) => ack(name, id), (name, id) => ack(name, id, 0), (name, id) => ack(name, id, 0, {})];
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
      for (const bytes of [
        [0xe0, 0],
        [0xe0, 1, 0],
        [0xe0, 2, 0, 0],
      ]) {
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
      for (const qos of [1, 2])
        await other.publish(t.topic(), "five", { qos, properties: { userProperties } });
      for (const qos of [1, 2]) await client.receive({ payload: "five", qos });
      client.publishOnly({ topic: "none", qos: 1, packetId: 1 });
      equal((await client.ackOf("PUBACK", 1)).size, 4, "size of PUBACK");
      client.ack("PUBREL", 4711);
      equal((await client.ackOf("PUBCOMP", 4711)).size, 4, "size of PUBCOMP");
      equal((await client.unsubscribe("none")).size, 4, "size of UNSUBACK");
    },
  },
];
