// Wills: when they are published, when not, and with what. 3.1.1 section 3.1.2.5, 5.0 sections 3.1.2.5, 3.1.3.2, 3.14.
import { type Case, NUMBERED, VERSIONS } from "../case.ts";
import { hex } from "../bytes.ts";
import { equal, forEach, truthy } from "../check.ts";
import type { Properties } from "../properties.ts";

export const willCases: readonly Case[] = [
  {
    ids: ["3.1.1 [MQTT-3.1.2-8]", "3.1.1 [MQTT-3.1.2-10]", "5.0 [MQTT-3.1.2-7]", "5.0 [MQTT-3.1.2-10]"],
    versions: VERSIONS,
    title: "a connection that ends without DISCONNECT has its Will published, once, with its QoS",
    async run(t) {
      const topic = t.topic("will");
      const watcher = await t.subscriber(topic);
      for (const qos of [0, 1, 2]) {
        const clientId = t.clientId(`q${qos}`);
        const client = await t.connect({ clientId, will: { topic, qos, payload: `will ${qos}` } });
        client.drop();
        await watcher.receive({ qos, payload: `will ${qos}`, retain: false });
        await (await t.connect({ clientId })).disconnect();
      }
      await watcher.silence("each Will once");
    },
  },
  {
    ids: ["3.1.1 [MQTT-3.14.4-3]", "3.1.1 [MQTT-3.1.2-10]", "5.0 [MQTT-3.14.4-3]", "5.0 [MQTT-3.1.2-10]"],
    versions: VERSIONS,
    title: "a normal DISCONNECT deletes the Will",
    hardCase: "session/5",
    async run(t) {
      const watcher = await t.subscriber(t.topic("will"));
      await (await t.connect({ will: { topic: t.topic("will") } })).disconnect();
      if (t.five) await (await t.connect({ will: { topic: t.topic("will") } })).disconnect(0x00, {});
      await watcher.silence("no Will");
    },
  },
  {
    ids: ["5.0 [MQTT-3.14.4-3]"],
    title: "a DISCONNECT with any other Reason Code has the Will published",
    hardCase: "session/5",
    async run(t) {
      const codes = [0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99];
      await forEach(
        codes.map((code) => [`code ${code.toString(16)}`, code] as const),
        async (code) => {
          const topic = t.topic(`will${code}`);
          const watcher = await t.subscriber(topic);
          await (await t.connect({ will: { topic } })).disconnect(code);
          await watcher.receive({ topic });
        },
      );
    },
  },
  {
    ids: ["3.1.1 [MQTT-3.14.1-1]", "5.0 [MQTT-3.14.1-1]", "5.0 [MQTT-3.14.2-1]"],
    title: "an invalid DISCONNECT is not a normal one: the Will is published",
    hardCase: "session/6",
    async run(t) {
      const invalid = [
        ["flags 1", hex("E1 00")],
        ["flags 8", hex("E8 00")],
        ...(t.five
          ? ([
              ["Reason Code 0xFF", hex("E0 02 FF 00")],
              ["Reason Code 0x01", hex("E0 01 01")],
              ["a property that does not belong", hex("E0 04 00 02 01 00")],
              ["Property Length too long", hex("E0 02 00 05")],
            ] as const)
          : ([["one byte too many", hex("E0 01 00")]] as const)),
      ] as const;
      await forEach(invalid, async (bytes) => {
        const topic = t.topic(`will${bytes.join("")}`);
        const watcher = await t.subscriber(topic);
        const client = await t.connect({ will: { topic } });
        client.send(bytes);
        await client.closes(t.five ? [0x81, 0x82] : []);
        await watcher.receive({ topic });
      });
    },
  },
  {
    ids: ["3.1.1 [MQTT-3.1.2-12]"],
    versions: VERSIONS,
    title: "without Will Flag nothing is published when a connection ends",
    async run(t) {
      const watcher = await t.subscriber(t.topic("#"));
      const plain = await t.connect();
      const control = await t.connect({ will: { topic: t.topic("control") } });
      plain.drop();
      control.drop();
      await watcher.receive({ topic: t.topic("control") });
      await watcher.silence();
    },
  },
  {
    ids: ["3.1.1 [MQTT-3.1.2-16]", "3.1.1 [MQTT-3.1.2-17]", "5.0 [MQTT-3.1.2-14]", "5.0 [MQTT-3.1.2-15]"],
    versions: VERSIONS,
    title: "Will Retain decides whether the Will is published as a retained message",
    async run(t) {
      for (const retain of [false, true]) {
        const topic = t.topic(`will${retain}`);
        const watcher = await t.subscriber(topic);
        (await t.connect({ will: { topic, retain } })).drop();
        await watcher.receive({ retain: false });
        const late = await t.subscriber(topic);
        if (retain) await late.receive({ retain: true });
        await late.silence("no retained Will");
      }
    },
  },
  {
    ids: ["3.1.1 [MQTT-4.7.1-1]", "3.1.1 [MQTT-4.7.3-1]", "5.0 [MQTT-4.7.0-1]", "5.0 [MQTT-4.7.3-1]"],
    versions: NUMBERED,
    title: "a Will Topic with wildcards, U+0000 or nothing in it is refused at CONNECT",
    hardCase: ["session/12", "subscriptions/12"],
    async run(t) {
      // Deep ones: what a broker takes all the same should not reach the subscribers of other cases.
      const topics = ["w/x/#", "w/x/+", "w/x#", "w/+/x", "w/a\0b"]
        .map((name) => t.topic(name))
        .concat("")
        .map((topic) => [JSON.stringify(topic), topic] as const);
      await forEach(topics, async (topic) => {
        // Wildcards are not against section 3.1 itself, so 3.1.1 may answer with a code [MQTT-3.1.4-1].
        await t.refused(
          { will: { topic } },
          t.five ? [0x81, 0x82, 0x90] : /[+#]/.test(topic) ? [5] : [],
          true,
        );
      });
    },
  },
  {
    ids: ["5.0 [MQTT-3.1.3-10]", "5.0 [MQTT-3.3.2-18]"],
    title: "a Will keeps its properties, and User Properties their order",
    hardCase: "session/12",
    async run(t) {
      const topic = t.topic("will");
      const watcher = await t.subscriber(topic);
      const properties: Properties = {
        payloadFormatIndicator: 1,
        messageExpiryInterval: 100,
        contentType: "text/plain",
        responseTopic: "answer/here",
        correlationData: hex("00 01 ff"),
        userProperties: [
          ["a", "1"],
          ["b", "2"],
          ["a", "3"],
        ],
      };
      (await t.connect({ will: { topic, properties } })).drop();
      const will = await watcher.receive({ topic });
      truthy(
        (will.properties.messageExpiryInterval ?? 0) >= 98,
        "Message Expiry Interval did not count from publication",
      );
      const { messageExpiryInterval: _seen, ...others } = will.properties;
      const { messageExpiryInterval: _given, ...expected } = properties;
      equal(
        { ...others, correlationData: [...(others.correlationData ?? [])] },
        { ...expected, correlationData: [0, 1, 255] },
        "properties of the Will",
      );
    },
  },
  {
    ids: ["5.0 [MQTT-3.1.2-8]"],
    title: "Message Expiry of a Will counts from its publication and not from CONNECT",
    hardCase: "session/12",
    seconds: 3,
    async run(t) {
      const topic = t.topic("will");
      const watcher = await t.subscriber(topic);
      const properties = { messageExpiryInterval: 1 };
      const client = await t.connect({ will: { topic, properties } });
      await t.delay(2500);
      client.drop();
      await watcher.receive({ topic });
    },
  },
  {
    ids: ["5.0 [MQTT-3.1.2-8]"],
    title: "a delayed Will is published at Will Delay or at the end of the session, whichever is earlier",
    hardCase: "session/3",
    seconds: 4,
    async run(t) {
      const rows = [
        ["delay 10, expiry 1", { delay: 10, expiry: 1, ms: 1000 }],
        ["delay 2, expiry 10", { delay: 2, expiry: 10, ms: 2000 }],
        ["delay 3600, expiry 0", { delay: 3600, expiry: 0, ms: 0 }],
        ["delay 0, expiry 60", { delay: 0, expiry: 60, ms: 0 }],
        ["delay never, expiry 1", { delay: 0xffffffff, expiry: 1, ms: 1000 }],
      ] as const;
      await forEach(
        rows,
        async ({ delay, expiry, ms }) => {
          const topic = t.topic(`${delay}-${expiry}`);
          const watcher = await t.subscriber(topic);
          const will = { topic, properties: { willDelayInterval: delay } };
          const client = await t.connect({ properties: { sessionExpiryInterval: expiry }, will });
          const startMs = performance.now();
          client.drop();
          await watcher.receive({ topic });
          const tookMs = performance.now() - startMs;
          truthy(
            tookMs > ms - 100 && tookMs < ms + 3000,
            `Will after ${Math.round(tookMs)} ms, expected ${ms}`,
          );
        },
        rows.length,
      );
    },
  },
  {
    ids: ["5.0 [MQTT-3.1.3-9]", "5.0 [MQTT-3.1.2-8]"],
    title: "a return before Will Delay with Clean Start 0 cancels the Will",
    hardCase: "session/4",
    seconds: 4,
    async run(t) {
      const topic = t.topic("will");
      const watcher = await t.subscriber(topic);
      const will = { topic, properties: { willDelayInterval: 2 } };
      const first = await t.connect({ lasting: true, will });
      first.drop();
      await t.delay(800);
      await t.connect({ clientId: first.clientId, lasting: true });
      await t.delay(2500);
      await watcher.silence("no Will");
    },
  },
  {
    ids: ["5.0 [MQTT-3.1.2-4]", "5.0 [MQTT-3.1.2-8]"],
    title: "a return before Will Delay with Clean Start 1 has the Will published at once",
    hardCase: ["session/4", "session/9"],
    seconds: 2,
    async run(t) {
      const topic = t.topic("will");
      const watcher = await t.subscriber(topic);
      const will = { topic, properties: { willDelayInterval: 30 } };
      const first = await t.connect({ lasting: true, will });
      first.drop();
      await t.delay(500);
      await t.connect({ clientId: first.clientId, cleanStart: true });
      await watcher.receive({ topic }, 2000);
    },
  },
  {
    ids: ["5.0 [MQTT-3.1.3-9]"],
    title: "the will of a new connection replaces the delayed one of the old",
    hardCase: "session/4",
    seconds: 4,
    async run(t) {
      const topic = t.topic("will");
      const watcher = await t.subscriber(topic);
      const properties = { willDelayInterval: 2 };
      const first = await t.connect({ lasting: true, will: { topic, payload: "old", properties } });
      first.drop();
      await t.delay(500);
      const second = await t.connect({
        clientId: first.clientId,
        lasting: true,
        will: { topic, payload: "new" },
      });
      second.drop();
      await watcher.receive({ payload: "new" });
      await t.delay(2500);
      await watcher.silence("only the new Will");
    },
  },
  {
    ids: ["5.0 [MQTT-3.1.2-10]", "5.0 [MQTT-3.14.4-3]"],
    title: "DISCONNECT 0x04 has the Will published after its delay, and a normal one deletes it",
    hardCase: "session/5",
    seconds: 3,
    async run(t) {
      const topic = t.topic("will");
      const watcher = await t.subscriber(topic);
      const properties = { willDelayInterval: 1 };
      const startMs = performance.now();
      await (
        await t.connect({ lasting: true, will: { topic, payload: "kept", properties } })
      ).disconnect(0x04);
      await (
        await t.connect({ lasting: true, will: { topic, payload: "deleted", properties } })
      ).disconnect(0x00);
      await watcher.receive({ payload: "kept" });
      truthy(performance.now() - startMs > 900, "the Will came before its delay");
      await t.delay(500);
      await watcher.silence("one Will");
    },
  },
];
