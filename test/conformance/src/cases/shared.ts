// Shared Subscriptions of 5.0. Section 4.8.2.
import { subscribe } from "../build.ts";
import type { Case } from "../case.ts";
import type { Client } from "../client.ts";
import { equal, forEach, oneOf, truthy } from "../check.ts";
import type { Publish } from "../parse.ts";
import type { Trial } from "../trial.ts";

/** Two members of one group on the trial's topic and a publisher; the first has a session that lasts `expiry` s. */
async function group(
  t: Trial,
  expiry: number,
): Promise<{ members: readonly [Client, Client]; publisher: Client }> {
  const filter = `$share/g/${t.topic()}`;
  const properties = { sessionExpiryInterval: expiry };
  const members = [await t.connect({ properties }), await t.connect({ properties })] as const;
  for (const member of members) await member.subscribe(filter, 2);
  return { members, publisher: await t.connect() };
}

/** Publishes until it is clear who has got the one message, and returns both sides. */
async function chosen(
  members: readonly [Client, Client],
): Promise<{ holder: Client; idle: Client; message: Publish }> {
  for (const member of members) await member.ping();
  for (const member of members) await member.ping();
  const [first, second] = members;
  const firstHas = first.wire.packets.length > 0;
  const [holder, idle] = firstHas ? [first, second] : [second, first];
  const message = await holder.delivery();
  await idle.silence("one member gets the message");
  return { holder, idle, message };
}

export const sharedCases: readonly Case[] = [
  {
    ids: ["5.0 [MQTT-4.8.2-1]", "5.0 [MQTT-4.8.2-2]"],
    title: "shared filters with a bad ShareName or without a filter never become subscriptions",
    hardCase: "subscriptions/6",
    async run(t) {
      const filters = [
        "$share/g",
        "$share//t",
        "$share/g/",
        "$share/g+/t",
        "$share/g#/t",
        "$share/+/t",
        "$share/",
      ];
      await forEach(
        filters.map((filter) => [filter, filter] as const),
        async (filter) => {
          const client = await t.connect();
          client.send(subscribe(t.version, 1, [{ filter, qos: 1 }]));
          try {
            oneOf((await client.take("SUBACK")).reasonCodes[0], [0x80, 0x8f], "code of SUBACK");
          } catch (error) {
            if (!client.wire.closed) throw error;
            await client.closes([0x81, 0x82, 0x8f]);
          }
        },
      );
    },
  },
  {
    ids: ["5.0 [MQTT-4.8.2-2]", "5.0 [MQTT-3.10.4-1]"],
    title: "$share/g//t is the filter /t, and UNSUBSCRIBE wants the full string",
    hardCase: "subscriptions/6",
    async run(t) {
      const publisher = await t.connect();
      const topic = `/${t.topic()}`;
      const member = await t.subscriber(`$share/g/${topic}`, 1);
      await publisher.publish(topic, "x", { qos: 1 });
      await member.receive({ topic });
      equal((await member.unsubscribe(topic)).reasonCodes, [0x11], "codes of UNSUBACK for the bare filter");
      equal(
        (await member.unsubscribe(`$share/h/${topic}`)).reasonCodes,
        [0x11],
        "codes of UNSUBACK, other group",
      );
      equal(
        (await member.unsubscribe(`$share/g/${topic}`)).reasonCodes,
        [0],
        "codes of UNSUBACK, full string",
      );
      await publisher.publish(topic, "x", { qos: 1 });
      await member.silence("nothing after UNSUBSCRIBE");
    },
  },
  {
    ids: ["5.0 section 4.8.2"],
    title: "$share without a slash is an ordinary filter: granted or refused by a code, and no error",
    hardCase: "subscriptions/6",
    async run(t) {
      const client = await t.connect();
      await client.trySubscribe([{ filter: "$share", qos: 1 }]);
      await client.silence("to stay connected");
    },
  },
  {
    ids: ["5.0 [MQTT-4.8.2-3]", "5.0 [MQTT-3.8.4-8]"],
    title: "each group and each ordinary subscription gets its own copy, at the member's granted QoS",
    hardCase: "subscriptions/7",
    async run(t) {
      const publisher = await t.connect();
      const everywhere = await t.connect();
      await everywhere.subscribe(`$share/a/${t.topic()}`, 1);
      await everywhere.subscribe(`$share/b/${t.topic()}`, 0);
      await everywhere.subscribe(`$share/a/${t.topic("#")}`, 2);
      await everywhere.subscribe(t.topic(), 2);
      await publisher.publish(t.topic(), "x", { qos: 2 });
      const levels: number[] = [];
      for (let count = 0; count < 4; count += 1)
        levels.push((await everywhere.receive({ payload: "x" })).qos);
      equal(levels.sort(), [0, 1, 2, 2], "QoS of the copies");
      await everywhere.silence("four copies");
    },
  },
  {
    ids: ["5.0 [MQTT-4.8.2-3]"],
    title: "one message goes to one member of a group, and all members together get all messages",
    hardCase: "subscriptions/7",
    async run(t) {
      const members = await Promise.all([0, 1, 2].map((qos) => t.subscriber(`$share/g/${t.topic()}`, qos)));
      const publisher = await t.connect();
      for (let index = 0; index < 30; index += 1) await publisher.publish(t.topic(), `n${index}`, { qos: 2 });
      const seen: string[] = [];
      for (const [qos, member] of members.entries()) {
        await member.ping();
        await member.ping();
        while (member.wire.packets.some((packet) => packet.name === "PUBLISH")) {
          const message = await member.receive();
          truthy(message.qos <= qos, `QoS ${message.qos} for a member that was granted ${qos}`);
          seen.push(Buffer.from(message.payload).toString());
        }
      }
      equal(seen.length, 30, "messages of all members together");
      equal(new Set(seen).size, 30, "different messages");
    },
  },
  {
    ids: ["5.0 [MQTT-4.8.2-4]"],
    title: "a QoS 2 delivery stays with its member, before and after PUBREC, and is completed on its return",
    hardCase: "subscriptions/8",
    async run(t) {
      for (const answered of [false, true]) {
        const { members, publisher } = await group(t, 60);
        await publisher.publish(t.topic(), "two", { qos: 2 });
        const { holder, idle, message } = await chosen(members);
        if (answered) {
          holder.ack("PUBREC", message.packetId);
          await holder.ackOf("PUBREL", message.packetId);
        }
        holder.drop();
        await idle.silence("the other member stays idle");
        const back = await t.connect({ clientId: holder.clientId, lasting: true });
        if (answered) await back.ackOf("PUBREL", message.packetId);
        else await back.receive({ packetId: message.packetId, dup: true });
        for (const member of [back, idle]) await member.unsubscribe(`$share/g/${t.topic()}`);
      }
    },
  },
  {
    ids: ["5.0 [MQTT-4.8.2-5]"],
    title: "a QoS 2 delivery that began goes to nobody else although the member's session ends",
    hardCase: "subscriptions/8",
    async run(t) {
      const { members, publisher } = await group(t, 0);
      await publisher.publish(t.topic(), "two", { qos: 2 });
      const { holder, idle } = await chosen(members);
      await holder.disconnect();
      await idle.silence("nothing of the ended session");
      await publisher.publish(t.topic(), "next", { qos: 2 });
      await idle.receive({ payload: "next" });
    },
  },
  {
    // The standard says SHOULD.
    ids: ["5.0 section 4.8.2"],
    title: "beyond the standard: a QoS 1 delivery without PUBACK is not lost when its member's session ends",
    hardCase: "subscriptions/8",
    contract: true,
    async run(t) {
      const { members, publisher } = await group(t, 0);
      await publisher.publish(t.topic(), "one", { qos: 1 });
      const { holder, idle } = await chosen(members);
      await holder.disconnect();
      await idle.receive({ payload: "one" });
    },
  },
  {
    ids: ["5.0 [MQTT-4.8.2-6]"],
    title: "PUBACK or PUBREC of 0x80 discards the message; no other member gets it",
    hardCase: "subscriptions/8",
    async run(t) {
      const { members, publisher } = await group(t, 60);
      for (const [qos, name] of [
        [1, "PUBACK"],
        [2, "PUBREC"],
      ] as const) {
        await publisher.publish(t.topic(), "refused", { qos });
        const { holder, idle, message } = await chosen(members);
        holder.ack(name, message.packetId, 0x80);
        await holder.silence();
        await idle.silence();
      }
    },
  },
];
