// Keep Alive: who is dropped and when. 3.1.1 section 3.1.2.10, 5.0 sections 3.1.2.10 and 3.2.2.3.14.
import { type Case, NUMBERED, VERSIONS } from "../case.ts";
import { equal, truthy } from "../check.ts";

/** A Keep Alive of 2 s ends after 3 s; no statement says how often a broker has to look. */
const LATE_MS = 12_000;

export const keepAliveCases: readonly Case[] = [
  {
    ids: ["3.1.1 [MQTT-3.1.2-24]", "3.1.1 [MQTT-3.1.2-8]", "5.0 [MQTT-3.1.2-22]", "5.0 [MQTT-3.2.2-22]"],
    versions: VERSIONS,
    title: "a client that says nothing for 1.5 times its Keep Alive is dropped and its Will published",
    hardCase: "connecting/14",
    seconds: 4,
    async run(t) {
      const watcher = await t.subscriber(t.topic("will"));
      const silent = await t.connect({ keepAlive: 2, will: { topic: t.topic("will") } });
      if (silent.connack.properties.serverKeepAlive !== undefined)
        t.skip("the broker has its own Keep Alive");
      const startMs = performance.now();
      await silent.closes(t.five ? [0x8d] : [], LATE_MS);
      const tookMs = performance.now() - startMs;
      truthy(tookMs > 2500, `closed after ${Math.round(tookMs)} ms, expected about 3000`);
      await watcher.receive({ topic: t.topic("will") });
    },
  },
  {
    ids: ["3.1.1 [MQTT-3.1.2-24]", "5.0 [MQTT-3.1.2-22]"],
    title: "what the broker sends does not keep a silent client alive",
    hardCase: "connecting/14",
    seconds: 4,
    async run(t) {
      const publisher = await t.connect();
      const silent = await t.connect({ keepAlive: 2 });
      await silent.subscribe(t.topic(), 0);
      const startMs = performance.now();
      while (!silent.wire.closed && performance.now() - startMs < LATE_MS) {
        await publisher.publish(t.topic());
        await t.delay(250);
      }
      truthy(silent.wire.closed, `the silent client was still connected after ${LATE_MS} ms`);
    },
  },
  {
    ids: ["3.1.1 [MQTT-3.1.2-24]", "5.0 [MQTT-3.1.2-22]"],
    title: "any packet within Keep Alive keeps the connection; PINGREQ is not asked for",
    seconds: 5,
    async run(t) {
      const client = await t.connect({ keepAlive: 2 });
      for (let count = 0; count < 5; count += 1) {
        await t.delay(1000);
        client.publishOnly({ topic: t.topic() });
      }
      await client.silence("to stay connected");
    },
  },
  {
    ids: ["3.1.1 [MQTT-3.1.2-24]", "5.0 [MQTT-3.1.2-22]"],
    title: "Keep Alive 0 and 65535 do not drop anybody",
    hardCase: "connecting/14",
    seconds: 4,
    async run(t) {
      const forever = await t.connect({ keepAlive: 0 });
      const long = await t.connect({ keepAlive: 65535 });
      await t.delay(3500);
      await forever.silence("to stay connected");
      await long.silence("to stay connected");
    },
  },
  {
    ids: ["5.0 [MQTT-3.1.2-21]", "5.0 [MQTT-3.2.2-21]"],
    title: "the broker enforces the Server Keep Alive that it sent, and not the client's",
    hardCase: ["connecting/13", "connecting/12"],
    needs: { keepAliveMaximum: 2 },
    seconds: 4,
    async run(t) {
      const client = await t.connect({ keepAlive: 600 });
      equal(client.connack.properties.serverKeepAlive, 2, "Server Keep Alive");
      const startMs = performance.now();
      await client.closes([0x8d], LATE_MS);
      truthy(performance.now() - startMs > 2500, "closed too early");
    },
  },
  {
    ids: ["3.1.1 [MQTT-3.12.4-1]", "5.0 [MQTT-3.12.4-1]"],
    versions: VERSIONS,
    title: "PINGREQ is answered by PINGRESP",
    async run(t) {
      const client = await t.connect();
      client.send(Uint8Array.of(0xc0, 0x00));
      await client.expect("PINGRESP");
      client.send(Uint8Array.of(0xc0, 0x00, 0xc0, 0x00));
      await client.expect("PINGRESP");
      await client.expect("PINGRESP");
    },
  },
  {
    ids: ["3.1.1 [MQTT-7.1.1-1]", "5.0 [MQTT-4.2-1]", "3.1.1 [MQTT-7.0.0-2]"],
    versions: NUMBERED,
    title: "a plain client over TCP can use every exchange",
    async run(t) {
      const client = await t.subscriber(t.topic(), 2);
      for (const qos of [0, 1, 2]) {
        equal(await client.publish(t.topic(), `qos ${qos}`, { qos }), 0, "Reason Code");
        await client.receive({ qos, payload: `qos ${qos}` });
      }
      equal((await client.unsubscribe(t.topic())).reasonCodes, t.five ? [0] : [], "codes of UNSUBACK");
      await client.disconnect();
    },
  },
];
