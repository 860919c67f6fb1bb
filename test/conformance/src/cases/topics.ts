// Topic Names and Topic Filters: what is legal and what matches. Section 4.7.
import { publish, subscribe, unsubscribe } from "../build.ts";
import { type Case, NUMBERED, VERSIONS } from "../case.ts";
import type { Client } from "../client.ts";
import { matches } from "../matches.ts";
import { equal, forEach, oneOf, truthy } from "../check.ts";
import type { Trial } from "../trial.ts";

/** The topics out of `topics` that a new subscriber to `filter` gets, of messages published now. */
async function delivered(t: Trial, filter: string, topics: readonly string[]): Promise<readonly string[]> {
  const subscriber = await t.subscriber(filter, 0);
  const publisher = await t.connect();
  for (const topic of topics) publisher.publishOnly({ topic, payload: t.prefix });
  await publisher.ping();
  await subscriber.ping();
  await subscriber.ping();
  const seen = subscriber.wire.packets.map((packet) => (packet.name === "PUBLISH" ? packet : undefined));
  subscriber.drop();
  return seen.filter((packet) => text(packet?.payload) === t.prefix).map((packet) => packet?.topic ?? "");
}

/** A server should not let clients exchange messages on topics that begin with $ (5.0 and 3.1.1 section 4.7.2). */
async function servesDollarTopics(t: Trial): Promise<boolean> {
  const topic = `$${t.prefix}/a`;
  return (await delivered(t, topic, [topic])).length > 0;
}

function text(bytes: Uint8Array | undefined): string {
  return Buffer.from(bytes ?? []).toString();
}

/** A SUBSCRIBE that must not make a subscription: closed, or a failure code. */
async function notSubscribed(t: Trial, filter: string, codes: readonly number[]): Promise<void> {
  const client = await t.connect();
  client.send(subscribe(t.version, 1, [{ filter, qos: 1 }]));
  try {
    const suback = await client.take("SUBACK");
    oneOf(suback.reasonCodes[0], t.five ? [0x80, 0x8f] : [0x80], "code of SUBACK");
  } catch (error) {
    if (!client.wire.closed) throw error;
    await client.closes(t.five ? codes : []);
  }
  client.drop();
}

export const topicCases: readonly Case[] = [
  {
    ids: ["3.1.1 [MQTT-4.7.2-1]", "5.0 [MQTT-4.7.2-1]"],
    versions: VERSIONS,
    title: "filters that begin with a wildcard do not match topics that begin with $",
    hardCase: "subscriptions/9",
    async run(t) {
      const topics = [`$${t.prefix}/a`, `${t.prefix}/a`];
      for (const filter of ["#", "+/a", "+/#"]) {
        equal(await delivered(t, filter, topics), [topics[1]], `topics for ${filter}`);
      }
      if (!(await servesDollarTopics(t))) return;
      for (const filter of [`$${t.prefix}/#`, `$${t.prefix}/+`]) {
        equal(await delivered(t, filter, topics), [topics[0]], `topics for ${filter}`);
      }
    },
  },
  {
    ids: ["5.0 [MQTT-4.7.2-1]"],
    title: "a wildcard in a shared filter does not match topics that begin with $ either",
    hardCase: "subscriptions/9",
    async run(t) {
      const topics = [`$${t.prefix}/a`, `${t.prefix}/a`];
      equal(await delivered(t, `$share/${t.prefix}/#`, topics), [topics[1]], "topics for $share/g/#");
    },
  },
  {
    ids: ["5.0 section 4.8.2", "5.0 [MQTT-4.7.3-4]"],
    title: "a shared filter that begins with $ after its ShareName matches what it would match unshared",
    hardCase: "subscriptions/9",
    async run(t) {
      if (!(await servesDollarTopics(t))) t.skip("the broker keeps topics that begin with $ to itself");
      const [filter, topic] = [`$${t.prefix}/#`, `$${t.prefix}/a`];
      equal(await delivered(t, `$share/${t.prefix}/${filter}`, [topic]), [topic], `topics for ${filter}`);
    },
  },
  {
    ids: [
      "3.1.1 [MQTT-3.3.2-3]",
      "3.1.1 [MQTT-4.7.1-3]",
      "3.1.1 [MQTT-4.7.3-4]",
      "5.0 [MQTT-3.3.2-3]",
      "5.0 [MQTT-4.7.3-4]",
    ],
    versions: VERSIONS,
    title: "each filter gets exactly the topics that match it, level by level and byte by byte",
    hardCase: "subscriptions/10",
    async run(t) {
      const p = t.prefix;
      const topics = [
        "",
        "/",
        "/a",
        "/a/",
        "/a//",
        "/a/b",
        "/a/b/c",
        "/A",
        "//a",
        "//",
        "/a b",
        "/\u00e9",
        "/e\u0301",
        "/\ufeffa",
        "/x/y/z",
      ].map((rest) => p + rest);
      const filters = [
        "",
        "/#",
        "/+",
        "/a/#",
        "/a/+",
        "/a",
        "/a/",
        "/+/+",
        "/+/b",
        "/+/b/#",
        "//#",
        "//+",
        "/A",
        "/\u00e9",
        "/\ufeffa",
        "/+/+/+",
        "/x/+/z",
        "/a//",
      ].map((rest) => p + rest);
      await forEach(
        filters.map((filter) => [filter, filter] as const),
        async (filter) => {
          const expected = topics.filter((topic) => matches(filter, topic));
          // Another row may publish the same topics at the same time: compare sets.
          const seen = [...new Set(await delivered(t, filter, topics))].sort();
          equal(seen, [...expected].sort(), "topics");
        },
        1,
      );
      const [named, plain, all] = [`/${p}`, `+/+`, "/+"];
      truthy((await delivered(t, plain, [named])).includes(named), `+/+ did not match ${named}`);
      truthy((await delivered(t, all, [named])).includes(named), `/+ did not match ${named}`);
      equal(await delivered(t, "+", [named]), [], "topics for +");
    },
  },
  {
    ids: ["3.1.1 [MQTT-3.3.2-3]", "5.0 [MQTT-3.3.2-3]"],
    title: "deliveries agree with a reference matcher over many filters and topics",
    hardCase: "subscriptions/10",
    async run(t) {
      const levels = ["a", "", "b"];
      const words = ["a", "", "+", "#"];
      const topics = levels.flatMap((x) =>
        levels.flatMap((y) => levels.map((z) => `${t.prefix}/${x}/${y}/${z}`)),
      );
      const filters = words.flatMap((x) =>
        words.flatMap((y) =>
          x === "#"
            ? [`${t.prefix}/#`]
            : [`${t.prefix}/${x}/${y}`, `${t.prefix}/${x}/${y === "#" ? "+" : y}/+`],
        ),
      );
      const subscriber = await t.connect();
      const publisher = await t.connect();
      for (const filter of new Set(filters)) {
        await subscriber.subscribe(filter, 0);
        for (const topic of topics) publisher.publishOnly({ topic });
        await publisher.ping();
        await subscriber.ping();
        await subscriber.ping();
        const seen = subscriber.wire.packets
          .splice(0)
          .map((packet) => (packet.name === "PUBLISH" ? packet.topic : ""));
        equal(seen.sort(), topics.filter((topic) => matches(filter, topic)).sort(), `topics for ${filter}`);
        await subscriber.unsubscribe(filter);
      }
    },
  },
  {
    ids: ["3.1.1 [MQTT-1.5.3-3]", "5.0 [MQTT-1.5.4-3]"],
    title: "U+FEFF in a topic is a character like any other",
    hardCase: "properties/8",
    async run(t) {
      const topic = `\ufeff${t.topic("\ufeffx")}`;
      const [plain, marked] = [await t.subscriber(t.topic("x"), 1), await t.subscriber(topic, 1)];
      await (await t.connect()).publish(topic, "x", { qos: 1 });
      await marked.receive({ topic });
      await plain.silence("a filter without U+FEFF does not match");
    },
  },
  {
    ids: [
      "3.1.1 [MQTT-4.7.1-2]",
      "3.1.1 [MQTT-4.7.1-3]",
      "3.1.1 [MQTT-4.7.3-1]",
      "5.0 [MQTT-4.7.1-1]",
      "5.0 [MQTT-4.7.1-2]",
      "5.0 [MQTT-4.7.3-1]",
    ],
    title: "filters with misplaced wildcards, or empty ones, never become subscriptions",
    hardCase: "subscriptions/11",
    async run(t) {
      const p = t.prefix;
      const filters = [
        `${p}#`,
        `${p}/a#`,
        `${p}/#/a`,
        `#/${p}`,
        `${p}/##`,
        `${p}+`,
        `+${p}`,
        `${p}/a+/b`,
        `${p}/++`,
        "",
      ];
      await forEach(
        filters.map((filter) => [JSON.stringify(filter), filter] as const),
        (filter) => notSubscribed(t, filter, [0x81, 0x82, 0x8f]),
      );
    },
  },
  {
    ids: ["3.1.1 [MQTT-4.7.1-2]", "5.0 [MQTT-4.7.1-1]"],
    title: "bad filters in UNSUBSCRIBE remove nothing: closed or answered",
    hardCase: "subscriptions/11",
    async run(t) {
      const filters = [`${t.prefix}/a#`, `${t.prefix}/#/a`, `${t.prefix}/a+`].map(
        (filter) => [filter, filter] as const,
      );
      await forEach(filters, async (filter) => {
        const client = await t.connect();
        client.send(unsubscribe(t.version, 1, [filter]));
        try {
          const { reasonCodes } = await client.take("UNSUBACK");
          if (t.five) oneOf(reasonCodes[0], [0x11, 0x80, 0x8f], "code of UNSUBACK");
        } catch (error) {
          if (!client.wire.closed) throw error;
          await client.closes(t.five ? [0x81, 0x82, 0x8f] : []);
        }
      });
    },
  },
  {
    ids: [
      "3.1.1 [MQTT-3.3.2-2]",
      "3.1.1 [MQTT-4.7.1-1]",
      "3.1.1 [MQTT-4.7.3-1]",
      "3.1.1 [MQTT-4.7.3-2]",
      "5.0 [MQTT-3.3.2-2]",
      "5.0 [MQTT-4.7.0-1]",
      "5.0 [MQTT-4.7.3-1]",
      "5.0 [MQTT-4.7.3-2]",
    ],
    title: "PUBLISH to a topic with wildcards, U+0000 or nothing in it closes, and nothing is routed",
    hardCase: ["subscriptions/12", "unnumbered/1"],
    async run(t) {
      const watcher = await t.subscriber(t.topic("#"), 1);
      const topics = ["x/y/+", "x/y/#", "x/y/a+", "x/y/a#b", "+/x/y", "x/y/a\0b"]
        .map((name) => t.topic(name))
        .concat("");
      await forEach(
        topics.map((topic) => [JSON.stringify(topic), topic] as const),
        async (topic) => {
          const client = await t.connect();
          client.send(publish(t.version, { topic, qos: 1, retain: false }));
          await client.closes(t.five ? [0x81, 0x82, 0x90] : []);
        },
      );
      await watcher.silence("nothing routed");
    },
  },
  {
    ids: ["5.0 [MQTT-3.3.2-14]", "5.0 [MQTT-3.3.2-13]"],
    title: "a Response Topic with wildcards or ill-formed UTF-8 closes, and nothing is routed",
    hardCase: "subscriptions/12",
    async run(t) {
      const watcher = await t.subscriber(t.topic(), 1);
      const rows = ["a/+", "a/#", "#", "a\0", Buffer.from("61ff", "hex")].map(
        (topic) => [String(topic), topic] as const,
      );
      await forEach(rows, async (responseTopic) => {
        const client = await t.connect();
        client.publishOnly({ topic: t.topic(), properties: { responseTopic } });
        await client.closes([0x81, 0x82, 0x90]);
      });
      await watcher.silence("nothing routed");
    },
  },
  {
    ids: ["3.1.1 [MQTT-4.7.3-3]", "5.0 [MQTT-4.7.3-3]"],
    versions: NUMBERED,
    title: "a topic of 65535 bytes, even all separators, neither crashes the broker nor blocks others",
    hardCase: "subscriptions/16",
    async run(t) {
      const bystander = await t.connect();
      const topics = [t.topic("x".repeat(65535 - t.topic("").length)), "/".repeat(65535), "a/".repeat(32767)];
      const filters = ["+/".repeat(32767), "/".repeat(65535)];
      await forEach(
        [...topics, ...filters].map((topic) => [topic.slice(0, 20), topic] as const),
        (topic) => deliveredOrRefused(t, topic, bystander),
        1,
      );
    },
  },
];

/** A very long topic or filter: served, refused by a code or closed, and fast for others. */
async function deliveredOrRefused(t: Trial, topic: string, bystander: Client): Promise<void> {
  const client = await t.connect();
  if (!topic.includes("+")) client.send(publish(t.version, { topic, qos: 1, packetId: 1 }));
  client.send(subscribe(t.version, 2, [{ filter: topic, qos: 0 }]));
  const startMs = performance.now();
  await bystander.ping();
  const tookMs = performance.now() - startMs;
  truthy(tookMs < 1500, `another client waited ${Math.round(tookMs)} ms for PINGRESP`);
  try {
    await client.take("SUBACK");
  } catch (error) {
    if (!client.wire.closed) throw error;
    await client.wire.ended();
  }
  client.drop();
}
