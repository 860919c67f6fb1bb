// CONNECT: which is the first packet, which are accepted and how the others are refused. Section 3.1 of each version.
import { auth, connect, disconnect, packet, pingreq, publish, subscribe } from "../build.ts";
import { hex, join, prefixed, toHex, u16 } from "../bytes.ts";
import { type Case, VERSIONS } from "../case.ts";
import { equal, fail, forEach, oneOf, truthy } from "../check.ts";
import type { Client } from "../client.ts";
import type { Trial } from "../trial.ts";

/** What is malformed as CONNECT in 5.0 may be called either; 3.1.1 closes without a word [MQTT-3.1.4-1]. */
function malformed(t: Trial): readonly number[] {
  return t.five ? [0x81, 0x82] : [];
}

/** CONNECT with these Connect Flags and payload fields, everything else being right. */
function flagged(t: Trial, flags: number, ...payload: readonly Uint8Array[]): Uint8Array {
  const plain = connect({ version: t.version, clientId: "", flags });
  const header = plain.subarray(2, plain.length - 2);
  const body = join(header, prefixed(t.clientId("flagged")), ...payload);
  return packet(0x10, body);
}

const emptyWillProperties = (t: Trial): Uint8Array => (t.five ? Uint8Array.of(0) : join());

export const connectCases: readonly Case[] = [
  {
    ids: ["3.1.1 [MQTT-3.1.0-1]", "5.0 [MQTT-3.1.0-1]", "5.0 [MQTT-3.14.0-1]"],
    title: "a first packet other than CONNECT closes the connection and nothing is sent back",
    hardCase: "connecting/1",
    async run(t) {
      const firsts = [
        ["PUBLISH", publish(t.version, { topic: t.topic() })],
        ["SUBSCRIBE", subscribe(t.version, 1, [{ filter: t.topic() }])],
        ["PINGREQ", pingreq],
        ["DISCONNECT", disconnect()],
        ["AUTH", auth(0x18, { authenticationMethod: "x" })],
        ["type 0", hex("00 00")],
        ["a Remaining Length of five bytes", hex("10 FF FF FF FF 7F")],
      ] as const;
      await forEach(firsts, async (bytes) => {
        const client = await t.open();
        client.send(bytes);
        await client.closes();
        equal(client.wire.received.length, 0, "bytes sent back");
      });
    },
  },
  {
    ids: ["3.1.1 [MQTT-3.1.0-2]", "5.0 [MQTT-3.1.0-2]", "5.0 [MQTT-3.2.0-2]"],
    versions: VERSIONS,
    title: "a second CONNECT closes the connection and has no second CONNACK",
    hardCase: "connecting/2",
    async run(t) {
      const client = await t.open();
      const bytes = connect(t.connectFields());
      client.send(bytes);
      await client.accepted();
      client.send(bytes);
      await client.closes(t.five ? [0x82] : []);
    },
  },
  {
    ids: ["3.1.1 [MQTT-3.1.2-8]", "5.0 [MQTT-3.1.2-8]"],
    versions: VERSIONS,
    title: "a connection that is closed for its second CONNECT has its Will published",
    hardCase: "connecting/2",
    async run(t) {
      const watcher = await t.subscriber(t.topic("will"));
      const fields = t.connectFields({ will: { topic: t.topic("will"), payload: "gone" } });
      const client = await t.open();
      client.send(connect(fields));
      await client.accepted();
      client.send(connect(fields));
      await client.wire.ended();
      await watcher.receive({ payload: "gone" });
      await watcher.silence("the Will once");
    },
  },
  {
    ids: ["3.1.1 [MQTT-3.1.2-1]", "5.0 [MQTT-3.1.2-1]"],
    title: "a wrong protocol name is refused",
    hardCase: "connecting/3",
    async run(t) {
      const names = ["MQTX", "mqtt", "MQISDP", "", "MQTTT"].map((name) => [name, name] as const);
      await forEach(names, async (name) => {
        const client = await t.open();
        client.send(connect({ ...t.connectFields(), name }));
        await client.wire.ended();
        const answer = toHex(client.wire.received);
        if (answer !== "" && answer !== "20 02 00 01" && !/^20 .. 00 84/.test(answer))
          fail(`the answer was ${answer}`);
      });
    },
  },
  {
    ids: ["3.1.1 [MQTT-3.1.2-2]"],
    title: "an unsupported protocol level is answered with CONNACK 0x01 and the end of the connection",
    hardCase: "connecting/3",
    async run(t) {
      const levels = [0, 1, 2, 99].map((level) => [`level ${level}`, level] as const);
      await forEach(levels, async (level) => {
        const client = await t.open();
        client.send(connect({ ...t.connectFields(), level }));
        await client.wire.ended();
        equal(toHex(client.wire.received), "20 02 00 01", "the answer");
      });
    },
  },
  {
    ids: ["5.0 [MQTT-3.1.2-2]"],
    title: "a protocol level above 5 is refused with 0x84 or 0x01 or nothing, then the connection ends",
    hardCase: "connecting/3",
    async run(t) {
      const levels = [6, 7, 0x7f, 0x84, 99, 255].map((level) => [`level ${level}`, level] as const);
      await forEach(levels, async (level) => {
        const client = await t.open();
        client.send(connect({ ...t.connectFields(), level }));
        await client.wire.ended();
        const answer = toHex(client.wire.received);
        if (answer !== "" && answer !== "20 02 00 01" && !/^20 .. 00 84/.test(answer))
          fail(`the answer was ${answer}`);
      });
    },
  },
  {
    ids: ["3.1"],
    title: "the name MQIsdp belongs to level 3 only",
    hardCase: "connecting/3",
    async run(t) {
      await t.connect();
      for (const level of [4, 5]) {
        const client = await t.open();
        client.send(connect({ ...t.connectFields(), level }));
        await client.wire.ended();
        oneOf(toHex(client.wire.received), ["", "20 02 00 01"], `the answer to level ${level}`);
      }
    },
  },
  {
    ids: ["3.1"],
    title: "an empty ClientId is refused with 0x02 in 3.1",
    hardCase: "connecting/4",
    async run(t) {
      await t.refused({ clientId: "", cleanStart: true }, [2]);
      await t.refused({ clientId: "", cleanStart: false }, [2]);
    },
  },
  {
    ids: ["3.1.1 [MQTT-3.1.3-8]", "3.1.1 [MQTT-3.1.3-9]"],
    title: "an empty ClientId with CleanSession 0 gets CONNACK 0x02 and the connection closes",
    hardCase: "connecting/4",
    async run(t) {
      const client = await t.refused({ clientId: "", cleanStart: false }, [2]);
      equal(toHex(client.wire.received), "20 02 00 02", "CONNACK");
    },
  },
  {
    ids: ["3.1.1 [MQTT-3.1.3-6]", "3.1.1 [MQTT-3.1.3-7]"],
    title: "two clients with empty ClientIds and CleanSession 1 stay connected side by side",
    hardCase: "connecting/4",
    async run(t) {
      const first = await t.connect({ clientId: "" });
      const second = await t.connect({ clientId: "" });
      await first.silence();
      await second.silence();
    },
  },
  {
    ids: ["5.0 [MQTT-3.1.3-6]", "5.0 [MQTT-3.1.3-7]", "5.0 [MQTT-3.2.2-16]"],
    title:
      "an empty ClientId is assigned a unique one, told in CONNACK, which names the Session from then on",
    hardCase: "connecting/4",
    async run(t) {
      const assigned = new Set<string>();
      for (let count = 0; count < 10; count += 1) {
        const client = await t.connect({ clientId: "", cleanStart: count % 2 === 0 });
        assigned.add(assignedId(client.connack.properties.assignedClientIdentifier));
      }
      equal(assigned.size, 10, "number of different Assigned Client Identifiers");
      const lasting = await t.connect({ clientId: "", lasting: true });
      const clientId = assignedId(lasting.connack.properties.assignedClientIdentifier);
      await lasting.disconnect();
      const back = await t.connect({ clientId, lasting: true });
      truthy(back.connack.sessionPresent, "the Session of the assigned ClientId was not there on return");
    },
  },
  {
    ids: ["3.1.1 [MQTT-3.1.3-5]", "5.0 [MQTT-3.1.3-5]"],
    versions: VERSIONS,
    title: "ClientIds of 1 and of 23 letters and digits are accepted",
    hardCase: "connecting/5",
    async run(t) {
      const short = { "3.1": "x", "3.1.1": "y", "5.0": "z" }[t.version];
      await t.connect({ clientId: short });
      await t.connect({ clientId: t.clientId().padEnd(23, "0aZ") });
    },
  },
  {
    ids: ["3.1"],
    title: "a ClientId of more than 23 characters is refused with 0x02 in 3.1",
    hardCase: "connecting/5",
    async run(t) {
      await t.refused({ clientId: t.clientId().padEnd(24, "0aZ") }, [2]);
    },
  },
  {
    ids: ["3.1.1 [MQTT-3.1.3-9]", "5.0 [MQTT-3.1.3-8]"],
    title: "a ClientId of 65535 bytes is accepted or refused as a ClientId, and harms nobody",
    hardCase: "connecting/5",
    async run(t) {
      const client = await t.open();
      client.send(connect(t.connectFields({ clientId: t.clientId().padEnd(65535, "x") })));
      try {
        const connack = await client.take("CONNACK");
        oneOf(connack.reasonCode, t.five ? [0, 0x85, 0x95] : [0, 2], "Reason Code of CONNACK");
      } catch (error) {
        if (!client.wire.closed) throw error;
      }
      await t.connect();
    },
  },
  {
    ids: ["3.1.1 [MQTT-3.1.2-22]"],
    title: "a password without a user name closes the connection in 3.1.1",
    hardCase: "connecting/6",
    async run(t) {
      await t.refused({ password: "secret" }, []);
    },
  },
  {
    ids: ["5.0 [MQTT-3.1.2-19]"],
    title: "a password without a user name is legal in 5.0",
    hardCase: "connecting/6",
    async run(t) {
      await t.connect({ password: "secret" });
    },
  },
  {
    ids: ["3.1.1 [MQTT-3.1.2-3]", "3.1.1 [MQTT-3.1.4-1]", "5.0 [MQTT-3.1.2-3]", "5.0 [MQTT-3.1.4-1]"],
    title: "the reserved connect flag closes the connection",
    hardCase: "connecting/7",
    async run(t) {
      await t.refused({ flags: 0x03 }, malformed(t));
    },
  },
  {
    ids: [
      "3.1.1 [MQTT-3.1.2-11]",
      "3.1.1 [MQTT-3.1.2-13]",
      "3.1.1 [MQTT-3.1.2-14]",
      "3.1.1 [MQTT-3.1.2-15]",
      "5.0 [MQTT-3.1.2-11]",
      "5.0 [MQTT-3.1.2-12]",
      "5.0 [MQTT-3.1.2-13]",
    ],
    title: "Will QoS 3, and Will QoS or Will Retain without Will Flag, close the connection",
    hardCase: "connecting/7",
    async run(t) {
      const flags = [0x0a, 0x12, 0x1a, 0x22, 0x2a].map(
        (value) => [`flags ${value.toString(16)}`, value] as const,
      );
      await forEach(flags, async (value) => {
        await t.refused({ flags: value }, malformed(t));
      });
      await t.refused({ will: { topic: t.topic(), qos: 3 } }, malformed(t));
    },
  },
  {
    ids: [
      "3.1.1 [MQTT-3.1.2-9]",
      "3.1.1 [MQTT-3.1.2-18]",
      "3.1.1 [MQTT-3.1.2-19]",
      "3.1.1 [MQTT-3.1.2-20]",
      "3.1.1 [MQTT-3.1.2-21]",
      "3.1.1 [MQTT-3.1.3-3]",
      "3.1.1 [MQTT-3.1.4-1]",
      "5.0 [MQTT-3.1.2-9]",
      "5.0 [MQTT-3.1.2-16]",
      "5.0 [MQTT-3.1.2-17]",
      "5.0 [MQTT-3.1.2-18]",
      "5.0 [MQTT-3.1.2-19]",
      "5.0 [MQTT-3.1.3-3]",
      "5.0 [MQTT-3.1.4-1]",
    ],
    title: "payload fields that are missing or that no flag announces close the connection",
    hardCase: "connecting/7",
    async run(t) {
      const whole = connect(t.connectFields());
      const noPayload = packet(0x10, whole.subarray(2, whole.length - 2 - t.clientId("1").length));
      const defects = [
        ["no payload", noPayload],
        ["Will Flag, no will", flagged(t, 0x06)],
        ["Will Flag, no will payload", flagged(t, 0x06, emptyWillProperties(t), prefixed(t.topic()))],
        ["User Name Flag, no user name", flagged(t, 0x82)],
        ["Password Flag, no password", flagged(t, 0xc2, prefixed("user"))],
        ["a user name without its flag", flagged(t, 0x02, prefixed("user"))],
        ["a password without its flag", flagged(t, 0x82, prefixed("user"), prefixed("secret"))],
        ["one byte more", flagged(t, 0x02, Uint8Array.of(0))],
        ["a user name longer than the packet", flagged(t, 0x82, u16(9), hex("61"))],
      ] as const;
      await forEach(defects, async (bytes) => {
        await t.refused(bytes, malformed(t));
      });
    },
  },
  {
    ids: ["3.1"],
    title: "a flagged user name or password may be missing in 3.1",
    hardCase: "connecting/8",
    async run(t) {
      const client = await t.open();
      client.send(flagged(t, 0xc2));
      await client.accepted();
    },
  },
  {
    ids: ["3.1"],
    title: "DUP may be set on SUBSCRIBE, UNSUBSCRIBE and PUBREL in 3.1",
    hardCase: "connecting/8",
    async run(t) {
      const client = await t.connect();
      const filter = prefixed(t.topic());
      client.send(packet(0x8a, join(u16(7), filter, Uint8Array.of(1))));
      equal((await client.take("SUBACK")).reasonCodes, [1], "codes of SUBACK");
      client.send(packet(0xaa, join(u16(8), filter)));
      await client.take("UNSUBACK");
      client.publishOnly({ topic: t.topic(), qos: 2, packetId: 9 });
      await client.take("PUBREC");
      client.send(packet(0x6a, u16(9)));
      await client.ackOf("PUBCOMP", 9);
    },
  },
  {
    ids: ["3.1"],
    title: "CONNACK has no Session Present in 3.1, also when the session is there",
    hardCase: "connecting/8",
    async run(t) {
      const clientId = t.clientId("lasting");
      const first = await t.connect({ clientId, lasting: true });
      await first.subscribe(t.topic(), 1);
      await first.disconnect();
      const publisher = await t.connect();
      await publisher.publish(t.topic(), "kept", { qos: 1 });
      const second = await t.connect({ clientId, lasting: true });
      equal(toHex(second.wire.received.subarray(0, 4)), "20 02 00 00", "CONNACK");
      await second.receive({ payload: "kept" });
    },
  },
  {
    ids: ["3.1.1 [MQTT-3.1.4-4]", "5.0 [MQTT-3.1.4-5]", "3.1.1 [MQTT-3.2.0-1]", "5.0 [MQTT-3.2.0-1]"],
    title: "packets behind CONNECT in the same write are served, after CONNACK",
    versions: VERSIONS,
    hardCase: "connecting/9",
    async run(t) {
      const client = await pipelined(t);
      await client.accepted();
      equal((await client.take("SUBACK")).packetId, 1, "Packet Identifier of SUBACK");
      await client.ackOf("PUBACK", 2);
    },
  },
  {
    // No statement orders SUBSCRIBE and PUBLISH of one client.
    ids: ["3.1.1 [MQTT-3.1.4-4]", "5.0 [MQTT-3.1.4-5]"],
    title: "beyond the standard: packets behind CONNECT in the same write are served in their order",
    versions: VERSIONS,
    hardCase: "connecting/9",
    contract: true,
    async run(t) {
      const client = await pipelined(t);
      await client.accepted();
      await client.expect("SUBACK");
      await client.ackOf("PUBACK", 2);
      await client.receive({ topic: t.topic(), payload: "early" });
    },
  },
  {
    ids: ["3.1.1 [MQTT-3.1.3-1]", "5.0 [MQTT-3.1.3-1]"],
    title: "CONNECT with every field is read in the standard's order",
    async run(t) {
      const topic = t.topic("will");
      const watcher = await t.subscriber(topic);
      const client = await t.connect({
        will: { topic, payload: "last words", qos: 1 },
        userName: "user",
        password: "secret",
      });
      client.drop();
      await watcher.receive({ topic, payload: "last words", qos: 1 });
    },
  },
];

/** A connection that has sent CONNECT, SUBSCRIBE and PUBLISH to the same topic in one write. */
async function pipelined(t: Trial): Promise<Client> {
  const client = await t.open();
  client.send(
    connect(t.connectFields()),
    subscribe(t.version, 1, [{ filter: t.topic(), qos: 1 }]),
    publish(t.version, { topic: t.topic(), payload: "early", qos: 1, packetId: 2 }),
  );
  return client;
}

function assignedId(value: string | Uint8Array | undefined): string {
  return typeof value === "string" && value !== ""
    ? value
    : fail("CONNACK has no Assigned Client Identifier");
}
