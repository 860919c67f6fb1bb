// Topic Aliases of 5.0, both ways. Section 3.3.2.3.4.
import type { Case } from "../case.ts";
import type { Client } from "../client.ts";
import { code, equal, forEach, truthy } from "../check.ts";
import type { Trial } from "../trial.ts";

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
      for (const [topic, payload] of [
        ["a", "1"],
        ["a", "2"],
        ["b", "3"],
        ["b", "4"],
      ] as const) {
        await subscriber.receive({ topic: t.topic(topic), payload });
      }
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
    title: "alias 0 and aliases above the maximum close the connection",
    hardCase: ["flow/7", "unnumbered/3"],
    async run(t) {
      const probe = await t.connect();
      const maximum = probe.connack.properties.topicAliasMaximum ?? 0;
      const aliases = [0, maximum + 1, 65535].filter(
        (alias) => alias <= 65535 && (alias === 0 || alias > maximum),
      );
      await forEach(
        aliases.map((alias) => [`alias ${alias}`, alias] as const),
        async (topicAlias) => {
          const client = await t.connect();
          client.publishOnly({ topic: t.topic(), properties: { topicAlias } });
          // 0 and what is too large are both data that is not permitted, so a broker may call them so.
          await client.closes([0x81, 0x82, 0x94]);
        },
      );
    },
  },
  {
    ids: ["5.0 [MQTT-3.2.2-18]"],
    title: "without a Topic Alias Maximum any alias closes the connection",
    hardCase: "unnumbered/3",
    needs: { topicAliasMaximum: 0 },
    async run(t) {
      const client = await t.connect();
      equal(client.connack.properties.topicAliasMaximum ?? 0, 0, "Topic Alias Maximum");
      client.publishOnly({ topic: t.topic(), properties: { topicAlias: 1 } });
      await client.closes([0x82, 0x94]);
    },
  },
  {
    ids: ["5.0 [MQTT-3.3.2-8]", "5.0 [MQTT-3.3.2-9]"],
    title: "beyond the standard: the DISCONNECT for an alias out of range says 0x94",
    hardCase: ["flow/7", "unnumbered/3"],
    contract: true,
    async run(t) {
      const maximum = (await t.connect()).connack.properties.topicAliasMaximum ?? 0;
      const aliases = maximum < 65535 ? [0, maximum + 1] : [0];
      for (const topicAlias of aliases) {
        const client = await t.connect();
        client.publishOnly({ topic: t.topic(), properties: { topicAlias } });
        equal(code((await client.take("DISCONNECT")).reasonCode), code(0x94), `code for alias ${topicAlias}`);
      }
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
      equal(
        await client.publish(`denied/${t.topic()}`, "1", { qos: 1, properties }),
        0x87,
        "Reason Code of PUBACK",
      );
      equal(
        await client.publish("", "2", { qos: 1, properties }),
        0x87,
        "Reason Code of PUBACK with the alias",
      );
    },
  },
  {
    ids: ["5.0 [MQTT-3.1.2-26]", "5.0 [MQTT-3.1.2-27]", "5.0 [MQTT-3.3.2-11]"],
    title:
      "the publisher's alias stays on its connection: live, queued and retained messages carry the topic",
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
      for (const [subscriber, payloads] of [
        [live, ["set", "used"]],
        [late, ["used"]],
        [back, ["set", "used"]],
      ] as const) {
        for (const payload of payloads) {
          const message = await subscriber.receive({ topic, payload });
          equal(message.properties.topicAlias, undefined, "Topic Alias");
        }
      }
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
      for (const [index, topic] of expected.entries())
        await publisher.publish(topic, `n${index}`, { qos: 1 });
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
    truthy(
      alias === undefined || (alias > 0 && alias <= maximum),
      `alias ${alias} is above the maximum ${maximum}`,
    );
    if (alias !== undefined && topic !== "") aliases.set(alias, topic);
    topics.push(topic !== "" ? topic : (aliases.get(alias ?? 0) ?? "unknown alias"));
  }
  return topics;
}
