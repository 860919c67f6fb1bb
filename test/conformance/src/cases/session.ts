// Sessions: how long they live, what they hold, and who takes them over. 3.1.1 sections 3.1.2.4 and 4.1,
// 5.0 sections 3.1.2.4, 3.1.2.11.2, 3.14.2.2.2 and 4.1.
import type { Version } from "../build.ts";
import { type Case, VERSIONS } from "../case.ts";
import { code, equal, forEach, truthy } from "../check.ts";
import type { Trial } from "../trial.ts";

/** Session Present for a Client that returns after `ms` with Clean Start 0. */
async function presentAfter(t: Trial, clientId: string, ms: number): Promise<boolean> {
  if (ms > 0) await t.delay(ms);
  const back = await t.connect({ clientId, lasting: true });
  return back.connack.sessionPresent;
}

export const sessionCases: readonly Case[] = [
  {
    ids: [
      "3.1.1 [MQTT-3.2.0-1]",
      "5.0 [MQTT-3.2.0-1]",
      "3.1.1 [MQTT-3.1.2-4]",
      "3.1.1 [MQTT-3.1.2-5]",
      "3.1.1 [MQTT-4.1.0-1]",
      "3.1.1 [MQTT-3.1.3-2]",
      "5.0 [MQTT-3.1.2-5]",
      "5.0 [MQTT-3.1.2-6]",
      "5.0 [MQTT-3.1.2-23]",
      "5.0 [MQTT-3.1.3-2]",
    ],
    versions: VERSIONS,
    title: "a lasting session keeps its subscription and the QoS 1 and 2 messages that came meanwhile",
    hardCase: "qos/16",
    async run(t) {
      const clientId = t.clientId("lasting");
      const first = await t.connect({ clientId, lasting: true });
      await first.subscribe(t.topic(), 2);
      await first.disconnect();
      const publisher = await t.connect();
      for (const qos of [1, 2]) await publisher.publish(t.topic(), `qos ${qos}`, { qos });
      const second = await t.connect({ clientId, lasting: true });
      equal(second.connack.sessionPresent, t.version !== "3.1", "Session Present");
      const levels = [await second.receive(), await second.receive()].map(({ qos }) => qos);
      equal(levels.sort(), [1, 2], "QoS of the messages after return");
      await publisher.publish(t.topic(), "live", { qos: 1 });
      await second.receive({ payload: "live" });
      await second.silence();
    },
  },
  {
    ids: ["3.1.1 [MQTT-3.1.2-6]", "3.1.1 [MQTT-3.2.2-1]", "5.0 [MQTT-3.1.2-4]"],
    versions: VERSIONS,
    title: "Clean Start 1 discards the stored session with all that it held",
    hardCase: "session/9",
    async run(t) {
      const clientId = t.clientId("purged");
      const first = await t.connect({ clientId, lasting: true });
      await first.subscribe(t.topic(), 2);
      const publisher = await t.connect();
      await publisher.publish(t.topic(), "in flight", { qos: 1 });
      await publisher.publish(t.topic(), "in flight", { qos: 2 });
      await first.delivery();
      await first.delivery();
      first.publishOnly({ topic: t.topic("qos2"), qos: 2, packetId: 77 });
      await first.ackOf("PUBREC", 77);
      first.drop();
      await publisher.publish(t.topic(), "queued", { qos: 1 });
      const clean = await t.connect({ clientId });
      equal(clean.connack.sessionPresent, false, "Session Present");
      await clean.silence("nothing of the old session");
      await clean.subscribe(t.topic("qos2"), 2);
      clean.publishOnly({ topic: t.topic("qos2"), payload: "new", qos: 2, packetId: 77 });
      await clean.release((await clean.ackOf("PUBREC", 77)).packetId);
      await clean.receive({ payload: "new" });
    },
  },
  {
    ids: ["3.1.1 [MQTT-3.1.2-6]"],
    versions: ["3.1", "3.1.1"],
    title: "a session of CleanSession 1 is never resumed",
    hardCase: "session/9",
    async run(t) {
      const clientId = t.clientId("clean");
      const first = await t.subscriber(t.topic(), 1, { clientId });
      await first.disconnect();
      await (await t.connect()).publish(t.topic(), "missed", { qos: 1 });
      const second = await t.connect({ clientId, lasting: true });
      equal(second.connack.sessionPresent, false, "Session Present");
      await second.silence();
    },
  },
  {
    ids: ["5.0 [MQTT-3.1.2-4]", "5.0 [MQTT-3.1.2-23]"],
    title: "Clean Start 1 with a Session Expiry Interval leaves a session behind",
    hardCase: "session/9",
    async run(t) {
      const clientId = t.clientId("kept");
      const first = await t.connect({ clientId, properties: { sessionExpiryInterval: 60 } });
      await first.disconnect();
      equal(await presentAfter(t, clientId, 0), true, "Session Present");
    },
  },
  {
    ids: ["5.0 [MQTT-3.1.2-23]", "5.0 [MQTT-4.1.0-2]"],
    title: "the Session Expiry Interval of CONNECT counts from the end of the connection; absent is 0",
    hardCase: "session/8",
    seconds: 4,
    async run(t) {
      const rows = [
        ["absent", { expiry: undefined, ms: 0, present: false }],
        ["0", { expiry: 0, ms: 0, present: false }],
        ["2, at once", { expiry: 2, ms: 0, present: true }],
        ["2, after 4 s", { expiry: 2, ms: 4000, present: false }],
        ["60, after 4 s", { expiry: 60, ms: 4000, present: true }],
        ["never", { expiry: 0xffffffff, ms: 1000, present: true }],
      ] as const;
      const check = async ({ expiry, ms, present }: (typeof rows)[number][1]): Promise<void> => {
        const client = await t.connect({
          properties: expiry === undefined ? {} : { sessionExpiryInterval: expiry },
        });
        await client.disconnect();
        equal(await presentAfter(t, client.clientId, ms), present, "Session Present");
      };
      await forEach(rows, check, rows.length);
    },
  },
  {
    ids: ["5.0 [MQTT-3.1.2-23]"],
    title: "a resuming CONNECT replaces the Session Expiry Interval, also by none",
    hardCase: "session/8",
    async run(t) {
      const clientId = t.clientId("replaced");
      const first = await t.connect({ clientId, lasting: true });
      await first.disconnect();
      const second = await t.connect({ clientId, cleanStart: false });
      truthy(second.connack.sessionPresent, "the session was not there on the first return");
      await second.disconnect();
      equal(
        await presentAfter(t, clientId, 0),
        false,
        "Session Present after a connection without an expiry",
      );
    },
  },
  {
    ids: ["5.0 [MQTT-4.1.0-1]", "3.1.1 [MQTT-4.1.0-2]"],
    title: "a session is not discarded while its connection is open",
    seconds: 3,
    async run(t) {
      const client = await t.connect(t.five ? { properties: { sessionExpiryInterval: 1 } } : {});
      await client.subscribe(t.topic(), 1);
      await t.delay(2500);
      await client.publish(t.topic(), "still", { qos: 1 });
      await client.receive({ payload: "still" });
    },
  },
  {
    ids: ["5.0 [MQTT-3.1.2-23]", "5.0 [MQTT-4.1.0-2]"],
    title: "DISCONNECT may leave, end or replace the Session Expiry Interval",
    hardCase: "session/7",
    seconds: 3,
    async run(t) {
      const rows = [
        ["absent keeps", { connect: 60, disconnect: undefined, ms: 0, present: true }],
        ["0 ends", { connect: 60, disconnect: 0, ms: 0, present: false }],
        ["another replaces", { connect: 60, disconnect: 1, ms: 2500, present: false }],
        ["another lengthens", { connect: 1, disconnect: 60, ms: 2500, present: true }],
      ] as const;
      const check = async ({ connect, disconnect, ms, present }: (typeof rows)[number][1]): Promise<void> => {
        const client = await t.connect({ properties: { sessionExpiryInterval: connect } });
        await client.disconnect(0, disconnect === undefined ? {} : { sessionExpiryInterval: disconnect });
        equal(await presentAfter(t, client.clientId, ms), present, "Session Present");
      };
      await forEach(rows, check, rows.length);
    },
  },
  {
    ids: ["5.0 [MQTT-3.14.4-3]", "5.0 [MQTT-4.13.1-1]"],
    title:
      "DISCONNECT must not set a Session Expiry Interval when CONNECT had none: 0x82, and the Will is published",
    hardCase: ["session/7", "session/6"],
    async run(t) {
      const watcher = await t.subscriber(t.topic("will"));
      const clientId = t.clientId("illegal");
      const client = await t.connect({ clientId, will: { topic: t.topic("will") } });
      client.send(Uint8Array.of(0xe0, 7, 0, 5, 0x11, 0, 0, 0, 60));
      await client.closes([0x82]);
      await watcher.receive({ topic: t.topic("will") });
      equal(await presentAfter(t, clientId, 0), false, "Session Present");
    },
  },
  {
    ids: ["3.1.1 [MQTT-3.1.4-2]", "3.1.1 [MQTT-3.1.2-8]"],
    versions: ["3.1", "3.1.1"],
    title: "a second connection with the same ClientId ends the first, whose Will is published once",
    hardCase: "session/1",
    async run(t) {
      const watcher = await t.subscriber(t.topic("will"));
      const clientId = t.clientId("taken");
      const first = await t.connect({ clientId, will: { topic: t.topic("will"), payload: "first" } });
      const second = await t.connect({ clientId });
      await first.closes();
      await watcher.receive({ payload: "first" });
      await second.disconnect();
      await watcher.silence("the Will once");
    },
  },
  {
    ids: ["5.0 [MQTT-3.1.4-3]"],
    title: "a second connection with the same ClientID ends the first with DISCONNECT 0x8E",
    hardCase: "session/2",
    async run(t) {
      const first = await t.connect();
      await t.connect({ clientId: first.clientId });
      const { reasonCode } = await first.take("DISCONNECT");
      equal(code(reasonCode), code(0x8e), "Reason Code of DISCONNECT");
      await first.closes();
    },
  },
  {
    ids: ["5.0 [MQTT-3.1.4-3]", "5.0 [MQTT-3.1.2-8]", "5.0 [MQTT-3.1.3-9]"],
    title: "takeover closes the first; its Will is published unless it is delayed and the session goes on",
    hardCase: "session/2",
    seconds: 5,
    async run(t) {
      const rows = [0, 3].flatMap((delay) =>
        [0, 60].flatMap((expiry) =>
          [true, false].map(
            (cleanStart) =>
              [`delay ${delay} expiry ${expiry} clean ${cleanStart}`, { delay, expiry, cleanStart }] as const,
          ),
        ),
      );
      await forEach(rows, (row) => takeOver(t, row), rows.length);
    },
  },
  {
    ids: ["3.1.1 [MQTT-3.3.1-6]", "5.0 [MQTT-3.3.1-9]"],
    title: "resuming a session sends no retained messages; SUBSCRIBE does",
    hardCase: "session/10",
    async run(t) {
      const clientId = t.clientId("resumed");
      const first = await t.connect({ clientId, lasting: true });
      await first.subscribe(t.topic(), 0);
      await first.disconnect();
      await (await t.connect()).publish(t.topic(), "retained", { retain: true });
      const second = await t.connect({ clientId, lasting: true });
      // What was published at QoS 0 meanwhile may have been queued, but then without RETAIN.
      await second.ping();
      truthy(
        second.wire.packets.every((packet) => packet.name !== "PUBLISH" || !packet.retain),
        "a retained message came without SUBSCRIBE",
      );
      second.wire.packets.length = 0;
      await second.subscribe(t.topic(), 0);
      await second.receive({ payload: "retained", retain: true });
    },
  },
  {
    ids: ["3.1.1 [MQTT-3.1.2-4]", "5.0 [MQTT-3.1.2-5]"],
    versions: ["5.0"],
    title: "a session is resumed across versions, with properties only where the version has them",
    hardCase: "session/11",
    async run(t) {
      const clientId = t.clientId("across");
      const publisher = await t.connect();
      const steps: readonly (readonly [Version, Version])[] = [
        ["3.1.1", "5.0"],
        ["5.0", "3.1.1"],
        ["3.1.1", "3.1"],
        ["3.1", "5.0"],
      ];
      for (const [from, to] of steps) {
        const first = await t.connect({ clientId, version: from, lasting: true });
        await first.subscribe(t.topic(), 1);
        await first.disconnect();
        const userProperties = [["a", "1"]] as const;
        await publisher.publish(t.topic(), `${from} to ${to}`, { qos: 1, properties: { userProperties } });
        const second = await t.connect({ clientId, version: to, lasting: true });
        const message = await second.receive({ payload: `${from} to ${to}` });
        if (to === "5.0") equal(message.properties.userProperties, userProperties, "User Properties");
        await second.disconnect();
      }
    },
  },
  {
    ids: ["3.1.1 [MQTT-4.5.0-1]", "5.0 [MQTT-4.5.0-1]"],
    title: "every session with a matching subscription gets the message, online and offline ones",
    async run(t) {
      const offline = await t.connect({ clientId: t.clientId("off"), lasting: true });
      await offline.subscribe(t.topic(), 1);
      await offline.disconnect();
      const online = await Promise.all([1, 2, 0].map((qos) => t.subscriber(t.topic(), qos)));
      await (await t.connect()).publish(t.topic(), "all", { qos: 1 });
      for (const client of online) {
        await client.receive({ payload: "all" });
        await client.silence("one copy");
      }
      const back = await t.connect({ clientId: t.clientId("off"), lasting: true });
      await back.receive({ payload: "all", qos: 1 });
      await back.silence("one copy");
    },
  },
];

async function takeOver(
  t: Trial,
  { delay, expiry, cleanStart }: { delay: number; expiry: number; cleanStart: boolean },
): Promise<void> {
  const topic = t.topic(`${delay}${expiry}${cleanStart}`);
  const watcher = await t.subscriber(topic);
  const will = { topic, properties: { willDelayInterval: delay } };
  const first = await t.connect({ properties: { sessionExpiryInterval: expiry }, will });
  await t.connect({ clientId: first.clientId, cleanStart, properties: { sessionExpiryInterval: expiry } });
  await first.closes([0x8e]);
  if (delay > 0 && expiry === 0 && !cleanStart) {
    // The session has ended, so the Will is due; yet the comment in 3.1.3.2.2 lets it be cancelled.
    return;
  }
  if (delay === 0 || cleanStart) await watcher.receive({ topic }, 2000);
  else await t.delay(4000);
  await watcher.silence("no further Will");
}
