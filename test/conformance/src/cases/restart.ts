// What outlives the broker's own process: sessions, exchanges, retained messages, wills. Sections 4.1 and 3.1.2.5. The
// standard leaves it to the server what a crash may cost, so that kill -9 goes beyond it.
import { type Case, NUMBERED, VERSIONS } from "../case.ts";
import type { Client } from "../client.ts";
import { equal } from "../check.ts";
import type { Trial } from "../trial.ts";

const needs = { persistence: true };

async function returned(t: Trial, client: Client): Promise<Client> {
  const back = await t.connect({ clientId: client.clientId, lasting: true });
  if (t.version !== "3.1") equal(back.connack.sessionPresent, true, "Session Present after the restart");
  return back;
}

export const restartCases: readonly Case[] = [
  {
    ids: ["3.1.1 [MQTT-4.1.0-1]", "3.1.1 [MQTT-3.1.2-4]", "5.0 [MQTT-3.1.2-23]", "5.0 [MQTT-3.1.2-5]"],
    versions: VERSIONS,
    title:
      "beyond the standard: kill -9: a lasting session, its subscription, acknowledged messages and the retained one are still there",
    hardCase: "qos/16",
    needs,
    restarts: true,
    contract: true,
    seconds: 6,
    async run(t) {
      const client = await t.connect({ lasting: true });
      await client.subscribe(t.topic(), 2);
      await client.disconnect();
      const publisher = await t.connect();
      for (let index = 0; index < 20; index += 1)
        await publisher.publish(t.topic(), `n${index}`, { qos: 1 + (index % 2) });
      await publisher.publish(t.topic("kept"), "retained", { qos: 1, retain: true });
      await t.broker.kill();
      const back = await returned(t, client);
      const seen: string[] = [];
      for (let index = 0; index < 20; index += 1)
        seen.push(Buffer.from((await back.receive()).payload).toString());
      equal(
        seen.sort(),
        Array.from({ length: 20 }, (_, index) => `n${index}`).sort(),
        "messages after the restart",
      );
      await back.silence();
      await (await t.subscriber(t.topic("kept"), 1)).receive({ payload: "retained", retain: true, qos: 1 });
      await (await t.connect()).publish(t.topic(), "new", { qos: 1 });
      await back.receive({ payload: "new" });
    },
  },
  {
    ids: ["3.1.1 [MQTT-4.3.3-1]", "3.1.1 [MQTT-4.4.0-1]", "5.0 [MQTT-4.3.3-5]", "5.0 [MQTT-4.3.3-6]"],
    versions: NUMBERED,
    title:
      "beyond the standard: kill -9: an owed PUBREL is repeated, an unacknowledged PUBLISH has DUP 1 and its identifier",
    hardCase: "qos/4",
    needs,
    restarts: true,
    contract: true,
    seconds: 6,
    async run(t) {
      const client = await t.connect({ lasting: true });
      await client.subscribe(t.topic(), 2);
      const publisher = await t.connect();
      for (const payload of ["released", "unanswered"])
        await publisher.publish(t.topic(), payload, { qos: 2 });
      const first = await client.delivery({ payload: "released" });
      const second = await client.delivery({ payload: "unanswered" });
      client.ack("PUBREC", first.packetId);
      await client.ackOf("PUBREL", first.packetId);
      await t.broker.kill();
      const back = await returned(t, client);
      await back.ackOf("PUBREL", first.packetId);
      back.ack("PUBCOMP", first.packetId);
      await back.receive({ payload: "unanswered", dup: true, packetId: second.packetId });
      await back.silence("each exchange once");
    },
  },
  {
    ids: ["3.1.1 [MQTT-4.3.3-2]", "5.0 [MQTT-4.3.3-10]"],
    versions: NUMBERED,
    title:
      "beyond the standard: kill -9: a QoS 2 PUBLISH that was answered by PUBREC is not taken a second time",
    hardCase: "qos/6",
    needs,
    restarts: true,
    contract: true,
    seconds: 6,
    async run(t) {
      const subscriber = await t.connect({ lasting: true });
      await subscriber.subscribe(t.topic(), 2);
      await subscriber.disconnect();
      const client = await t.connect({ lasting: true });
      client.publishOnly({ topic: t.topic(), payload: "once", qos: 2, packetId: 9 });
      await client.ackOf("PUBREC", 9);
      await t.broker.kill();
      const back = await returned(t, client);
      back.publishOnly({ topic: t.topic(), payload: "once", qos: 2, dup: true, packetId: 9 });
      await back.ackOf("PUBREC", 9);
      await back.release(9);
      const reader = await returned(t, subscriber);
      await reader.receive({ payload: "once" });
      await reader.silence("one delivery");
    },
  },
  {
    ids: ["5.0 [MQTT-3.1.2-8]", "3.1.1 [MQTT-3.1.2-8]"],
    title:
      "an orderly stop says 0x8B (5.0), and the Will of a lasting session is published at the stop or after it",
    hardCase: "session/13",
    needs,
    restarts: true,
    seconds: 6,
    async run(t) {
      const watcher = await t.connect({ lasting: true });
      await watcher.subscribe(t.topic("will"), 1);
      const publisher = await t.connect();
      await publisher.publish(t.topic("kept"), "retained", { qos: 1, retain: true });
      const client = await t.connect({ lasting: true, will: { topic: t.topic("will"), qos: 1 } });
      await t.broker.stop();
      // The will may have been published to the watcher before its own connection ended; it did not acknowledge it.
      await client.closes(t.five ? [0x8b] : []);
      await t.broker.start();
      const back = await returned(t, watcher);
      await back.receive({ topic: t.topic("will") }, 8000);
      await (await t.subscriber(t.topic("kept"), 1)).receive({ payload: "retained" });
      await returned(t, client);
    },
  },
  {
    ids: ["5.0 [MQTT-3.1.2-8]", "5.0 [MQTT-3.1.3-9]"],
    title:
      "beyond the standard: kill -9: a delayed Will is published once its delay is over, unless its client returned",
    hardCase: "session/13",
    needs,
    restarts: true,
    contract: true,
    seconds: 8,
    async run(t) {
      const watcher = await t.connect({ lasting: true });
      await watcher.subscribe(t.topic("will"), 1);
      const properties = { willDelayInterval: 3 };
      const gone = await t.connect({
        lasting: true,
        will: { topic: t.topic("will"), payload: "gone", qos: 1, properties },
      });
      const back = await t.connect({
        lasting: true,
        will: { topic: t.topic("will"), payload: "back", qos: 1, properties },
      });
      gone.drop();
      back.drop();
      await watcher.ping();
      await t.broker.kill();
      const reader = await returned(t, watcher);
      await returned(t, back);
      await reader.receive({ payload: "gone" }, 8000);
      await t.delay(1500);
      await reader.silence("one Will");
    },
  },
];
