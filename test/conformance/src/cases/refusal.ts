// What a refused CONNECT must not do, and CONNACK as the only answer. Sections 3.1.4 and 3.2.
import { connect, publish, subscribe } from "../build.ts";
import { hex, join } from "../bytes.ts";
import { type Case, NUMBERED, VERSIONS } from "../case.ts";
import { equal, forEach, oneOf, truthy } from "../check.ts";
import type { Trial } from "../trial.ts";

const needs = { passwords: true };
const wrong = { userName: "alice", password: "wrong" };

function notAuthorized(t: Trial): readonly number[] {
  return t.five ? [0x86, 0x87] : [4, 5];
}

export const refusalCases: readonly Case[] = [
  {
    ids: [
      "3.1.1 [MQTT-3.2.2-5]",
      "5.0 [MQTT-3.1.4-2]",
      "5.0 [MQTT-3.2.2-7]",
      "5.0 [MQTT-3.2.2-8]",
      "3.1.1 [MQTT-3.2.2-6]",
    ],
    versions: VERSIONS,
    title: "a wrong password is refused with the version's own code, then the connection ends",
    hardCase: ["connecting/11", "properties/6"],
    needs,
    async run(t) {
      await t.refused(wrong, notAuthorized(t));
      await t.refused({ userName: "nobody", password: "secret" }, notAuthorized(t));
    },
  },
  {
    ids: ["3.1.1 [MQTT-3.1.4-5]", "5.0 [MQTT-3.1.4-6]"],
    versions: VERSIONS,
    title: "nothing behind a refused CONNECT is processed",
    hardCase: "connecting/9",
    needs,
    async run(t) {
      const topic = t.topic("pipelined");
      t.forgetRetained(topic);
      const watcher = await t.subscriber(topic);
      const client = await t.open();
      client.send(
        connect(t.connectFields(wrong)),
        subscribe(t.version, 1, [{ filter: topic }]),
        publish(t.version, { topic, retain: true }),
      );
      await client.wire.ended();
      client.wire.check();
      equal(client.wire.packets.length <= 1, true, "at most CONNACK comes back");
      await watcher.silence();
      await (await t.subscriber(topic)).silence("no retained message");
    },
  },
  {
    ids: ["5.0 [MQTT-3.1.4-2]", "5.0 [MQTT-3.1.4-3]", "3.1.1 [MQTT-3.1.4-2]"],
    title: "a refused CONNECT leaves the holder of its ClientId alone and its own will is not kept",
    hardCase: "connecting/10",
    needs,
    async run(t) {
      const watcher = await t.subscriber(t.topic("will"));
      const clientId = t.clientId("held");
      const holder = await t.subscriber(t.topic(), 1, { clientId });
      await t.refused({ clientId, ...wrong, will: { topic: t.topic("will") } }, notAuthorized(t));
      await holder.silence("to stay connected");
      await watcher.publish(t.topic(), "still here", { qos: 1 });
      await holder.receive({ payload: "still here" });
      await watcher.silence("no Will");
    },
  },
  {
    ids: ["3.1.1 [MQTT-3.2.2-4]", "5.0 [MQTT-3.2.2-6]"],
    title: "a refusal has Session Present 0 and leaves the stored session as it was",
    hardCase: ["connecting/10", "connecting/11"],
    needs,
    async run(t) {
      const clientId = t.clientId("stored");
      const first = await t.connect({ clientId, lasting: true });
      await first.subscribe(t.topic(), 1);
      await first.disconnect();
      const refused = await t.refused({ clientId, ...wrong }, notAuthorized(t));
      const [connack] = refused.wire.packets;
      if (connack?.name === "CONNACK") equal(connack.sessionPresent, false, "Session Present");
      const back = await t.connect({ clientId, lasting: true });
      truthy(back.connack.sessionPresent, "the session was gone after a refused CONNECT with Clean Start 1");
    },
  },
  {
    ids: ["3.1.1 [MQTT-3.2.2-5]", "5.0 [MQTT-3.2.2-7]"],
    title: "over WebSocket the refusal's CONNACK arrives before the close",
    hardCase: "connecting/11",
    needs,
    webSocket: true,
    async run(t) {
      const { client } = await t.openWebSocket();
      client.send(connect(t.connectFields(wrong)));
      const connack = await client.expect("CONNACK");
      oneOf(connack.reasonCode, notAuthorized(t), "Reason Code of CONNACK");
      await client.closes();
    },
  },
  {
    ids: ["5.0 [MQTT-3.2.2-19]", "5.0 [MQTT-3.2.2-20]"],
    title: "a refusal fits into the client's Maximum Packet Size",
    hardCase: "flow/6",
    needs,
    async run(t) {
      const client = await t.refused({ ...wrong, properties: { maximumPacketSize: 20 } }, notAuthorized(t));
      for (const packet of client.wire.packets)
        equal(packet.size <= 20, true, "size of CONNACK is at most 20");
    },
  },
  {
    ids: ["5.0 [MQTT-4.13.2-1]", "5.0 [MQTT-3.2.2-7]"],
    title:
      "a broker that sends its clients elsewhere says 0x9C or 0x9D with the Server Reference, and closes",
    hardCase: "properties/11",
    needs: { serverReference: "other.example:1883" },
    async run(t) {
      const client = await t.refused({}, [0x9c, 0x9d]);
      const [connack] = client.wire.packets;
      if (connack?.name === "CONNACK") {
        equal(connack.properties.serverReference, "other.example:1883", "Server Reference");
      }
    },
  },
  {
    ids: ["3.1.1 [MQTT-3.2.2-6]"],
    versions: ["3.1", "3.1.1"],
    title: "a broker that sends its clients elsewhere refuses an older client without a word of 5.0",
    hardCase: "properties/6",
    needs: { serverReference: "other.example:1883" },
    async run(t) {
      await t.refused({}, [3, 5]);
    },
  },
];

export const connackCases: readonly Case[] = [
  {
    ids: [
      "3.1.1 [MQTT-3.1.3-4]",
      "3.1.1 [MQTT-3.1.3-10]",
      "3.1.1 [MQTT-3.1.3-11]",
      "3.1.1 [MQTT-1.5.3-1]",
      "3.1.1 [MQTT-1.5.3-2]",
      "5.0 [MQTT-3.1.3-4]",
      "5.0 [MQTT-3.1.3-11]",
      "5.0 [MQTT-3.1.3-12]",
      "5.0 [MQTT-1.5.4-1]",
      "5.0 [MQTT-1.5.4-2]",
    ],
    versions: NUMBERED,
    title: "ClientId, Will Topic and user name have to be UTF-8 without U+0000",
    hardCase: "properties/8",
    async run(t) {
      const bad = (digits: string): Uint8Array => join(Buffer.from(t.topic("x/y/a")), hex(`${digits}62`));
      const strings = ["ff", "eda080", "edbfbf", "c0af", "c080", "f4908080", "f8888080", "e282", "80", "00"];
      const rows = strings.flatMap((digits) => [
        [`ClientId ${digits}`, { clientId: bad(digits) }] as const,
        [`Will Topic ${digits}`, { will: { topic: bad(digits) } }] as const,
        [`user name ${digits}`, { userName: bad(digits) }] as const,
      ]);
      await forEach(rows, async (options) => {
        await t.refused(options, t.five ? [0x81, 0x82, 0x85, 0x90, 0x86] : []);
      });
    },
  },
  {
    ids: [
      "3.1.1 [MQTT-3.2.2-1]",
      "3.1.1 [MQTT-3.2.2-2]",
      "3.1.1 [MQTT-3.2.2-3]",
      "5.0 [MQTT-3.2.2-1]",
      "5.0 [MQTT-3.2.2-2]",
      "5.0 [MQTT-3.2.2-3]",
      "3.1.1 [MQTT-3.1.4-3]",
      "5.0 [MQTT-3.1.4-4]",
    ],
    title: "Session Present tells whether a session was resumed",
    async run(t) {
      const clientId = t.clientId("present");
      const seen: boolean[] = [];
      for (const lasting of [true, true, false, true]) {
        const client = await t.connect({ clientId, lasting });
        seen.push(client.connack.sessionPresent);
        await client.disconnect();
      }
      equal(seen, [false, true, false, false], "Session Present of: new, resumed, clean, after clean");
    },
  },
  {
    ids: ["5.0 [MQTT-3.1.2-28]"],
    title: "CONNACK has no Response Information when it was not asked for",
    hardCase: "properties/2",
    async run(t) {
      for (const properties of [{}, { requestResponseInformation: 0 }]) {
        const client = await t.connect({ properties });
        equal(client.connack.properties.responseInformation, undefined, "Response Information");
      }
    },
  },
  {
    ids: ["5.0 [MQTT-2.2.2-1]", "5.0 [MQTT-3.2.2-9]"],
    title: "CONNACK has its Property Length, and Maximum QoS only as 0 or 1",
    async run(t) {
      const client = await t.connect();
      const { maximumQoS } = client.connack.properties;
      oneOf(maximumQoS, [undefined, 0, 1], "Maximum QoS");
      equal(client.wire.received.length >= 5, true, "CONNACK has at least 5 bytes");
    },
  },
];
