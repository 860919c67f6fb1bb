// Malformed packets: fixed header, lengths, UTF-8, packets out of place. Chapters 1 and 2, section 4.8 (4.13 in 5.0).
import { disconnect, publish, subscribe, unsubscribe } from "../build.ts";
import { hex, join } from "../bytes.ts";
import { type Case, NUMBERED, VERSIONS } from "../case.ts";
import { equal, forEach } from "../check.ts";

export const encodingCases: readonly Case[] = [
  {
    ids: [
      "3.1.1 [MQTT-2.2.2-2]",
      "3.1.1 [MQTT-3.3.1-4]",
      "3.1.1 [MQTT-3.6.1-1]",
      "3.1.1 [MQTT-4.8.0-1]",
      "5.0 [MQTT-2.1.3-1]",
      "5.0 [MQTT-3.3.1-4]",
      "5.0 [MQTT-3.6.1-1]",
      "5.0 [MQTT-3.15.1-1]",
      "5.0 [MQTT-4.13.1-1]",
    ],
    title: "of all 256 first bytes only those that a client may send are taken",
    hardCase: "properties/9",
    async run(t) {
      const rows = Array.from(
        { length: 256 },
        (_, first) => [`first byte ${first.toString(16)}`, first] as const,
      );
      const bodies = bodiesByType(t.five);
      await forEach(
        rows,
        async (first) => {
          // DUP at QoS 0 has its own case.
          if (first === 0x38 || first === 0x39) return;
          const client = await t.connect();
          const body = bodies[first >> 4] ?? hex("");
          client.send(Uint8Array.of(first, body.length), body);
          if (isLegal(first)) {
            if (first >> 4 === 14) await client.closes();
            else await client.ping();
          } else {
            await client.closes(t.five ? [0x81, 0x82] : []);
          }
          client.drop();
        },
        24,
      );
    },
  },
  {
    ids: ["3.1.1 [MQTT-3.3.1-2]", "5.0 [MQTT-3.3.1-2]"],
    title: "DUP with QoS 0 closes the connection",
    hardCase: "properties/9",
    async run(t) {
      const client = await t.connect();
      client.publishOnly({ topic: t.topic(), dup: true });
      await client.closes(t.five ? [0x81, 0x82] : []);
    },
  },
  {
    ids: ["3.1.1 [MQTT-4.8.0-1]", "5.0 [MQTT-4.13.1-1]", "5.0 [MQTT-1.5.5-1]"],
    title: "Remaining Lengths of five bytes, in a longer form (5.0), or unlike the content are malformed",
    hardCase: "properties/7",
    async run(t) {
      const rows = [
        ["five bytes", hex("30 80 80 80 80 01")],
        ["five bytes of ones", hex("30 ff ff ff ff 7f")],
        ["PINGREQ with a byte", hex("c0 01 00")],
        ["PUBACK of one byte", hex("40 01 00")],
        ["PUBLISH of one byte", hex("30 01 00")],
        ["PUBLISH with its topic cut", hex("30 03 00 05 61")],
        ["PUBLISH QoS 1 without identifier", hex("32 03 00 01 61")],
        [
          "SUBSCRIBE with its filter cut",
          t.five ? hex("82 06 00 01 00 00 09 61") : hex("82 05 00 01 00 09 61"),
        ],
        ["SUBSCRIBE without options", t.five ? hex("82 06 00 01 00 00 01 61") : hex("82 05 00 01 00 01 61")],
        ...(t.five
          ? ([["PINGREQ C0 80 00", hex("c0 80 00")]] as const)
          : ([["PUBACK of 3.1.1 with a code", hex("40 03 00 01 00")]] as const)),
      ] as const;
      await forEach(rows, async (bytes) => {
        const client = await t.connect();
        client.send(bytes);
        await client.closes(t.five ? [0x81, 0x82] : []);
      });
      await t.refused(hex("10 80 80 80 80 01"), []);
    },
  },
  {
    ids: [
      "3.1.1 [MQTT-1.5.3-1]",
      "3.1.1 [MQTT-1.5.3-2]",
      "3.1.1 [MQTT-3.3.2-1]",
      "3.1.1 [MQTT-3.8.3-1]",
      "3.1.1 [MQTT-3.10.3-1]",
      "3.1.1 [MQTT-4.7.3-2]",
      "5.0 [MQTT-1.5.4-1]",
      "5.0 [MQTT-1.5.4-2]",
      "5.0 [MQTT-3.3.2-1]",
      "5.0 [MQTT-3.8.3-1]",
      "5.0 [MQTT-3.10.3-1]",
      "5.0 [MQTT-4.7.3-2]",
    ],
    versions: NUMBERED,
    title: "topics and filters that are not UTF-8, or have U+0000 in them, close the connection",
    hardCase: "properties/8",
    async run(t) {
      const strings = ["ff", "eda080", "edbfbf", "c0af", "c080", "f4908080", "f8888080", "e282", "80", "00"];
      // Deep ones: what a broker takes all the same should not reach the subscribers of other cases.
      const prefix = Buffer.from(t.topic("x/y/a"));
      const rows = strings.flatMap((digits) => {
        const text = join(prefix, hex(`${digits}62`));
        return [
          [`topic ${digits}`, publish(t.version, { topic: text })],
          [`filter ${digits}`, subscribe(t.version, 1, [{ filter: text }])],
          [`filter in UNSUBSCRIBE ${digits}`, unsubscribe(t.version, 1, [text])],
        ] as const;
      });
      await forEach(rows, async (bytes) => {
        const client = await t.connect();
        client.send(bytes);
        await client.closes(t.five ? [0x81, 0x82, 0x8f, 0x90] : []);
      });
    },
  },
  {
    ids: ["3.1.1 [MQTT-4.8.0-2]", "3.1.1 [MQTT-4.8.0-1]"],
    versions: VERSIONS,
    title: "another client's violation leaves everybody else alone",
    async run(t) {
      const bystander = await t.subscriber(t.topic(), 1);
      const bad = await t.connect();
      bad.send(hex("36 00"));
      await bad.wire.ended();
      await bystander.publish(t.topic(), "x", { qos: 1 });
      await bystander.receive();
    },
  },
  {
    ids: ["3.1.1 [MQTT-4.8.0-1]"],
    versions: ["3.1", "3.1.1"],
    title: "AUTH does not exist before 5.0 and closes the connection",
    hardCase: "properties/6",
    async run(t) {
      const client = await t.connect();
      client.send(hex("f0 00"));
      await client.closes();
    },
  },
  {
    ids: ["3.1.1 [MQTT-7.1.1-1]", "5.0 [MQTT-4.2-1]"],
    versions: VERSIONS,
    title: "packets may come byte by byte or many in one segment",
    async run(t) {
      const client = await t.connect();
      const bytes = publish(t.version, { topic: t.topic(), qos: 1, packetId: 5, payload: "slow" });
      for (const byte of bytes) {
        client.send(byte);
        await t.delay(1);
      }
      await client.ackOf("PUBACK", 5);
      const ids = Array.from({ length: 10 }, (_, index) => index + 10);
      client.send(...ids.map((packetId) => publish(t.version, { topic: t.topic(), qos: 1, packetId })));
      for (const packetId of ids) await client.ackOf("PUBACK", packetId);
    },
  },
];

export const disconnectCases: readonly Case[] = [
  {
    // These bind the client; that the server closes, too, is a SHOULD.
    ids: ["3.1.1 [MQTT-3.14.4-1]", "3.1.1 [MQTT-3.14.4-2]", "5.0 [MQTT-3.14.4-1]", "5.0 [MQTT-3.14.4-2]"],
    versions: VERSIONS,
    title:
      "beyond the standard: after a client's DISCONNECT nothing is processed or sent, and the broker closes",
    hardCase: "properties/10",
    contract: true,
    async run(t) {
      const watcher = await t.subscriber(t.topic(), 1);
      const client = await t.connect();
      await client.subscribe(t.topic("own"), 0);
      client.send(
        disconnect(),
        publish(t.version, { topic: t.topic(), qos: 1, packetId: 1 }),
        publish(t.version, { topic: t.topic("own") }),
        hex("c0 00"),
      );
      await client.closes();
      equal(client.wire.packets.length, 0, "packets after DISCONNECT");
      await watcher.silence("nothing of what came behind DISCONNECT");
    },
  },
];

/** Which first bytes a connected client may send, with the right flags. CONNECT is a second one, AUTH has no method. */
function isLegal(first: number): boolean {
  const [type, flags] = [first >> 4, first & 15];
  if (type === 3) return (flags & 6) !== 6 && !((flags & 6) === 0 && (flags & 8) !== 0);
  if ([4, 5, 7, 12, 14].includes(type)) return flags === 0;
  return [6, 8, 10].includes(type) && flags === 2;
}

/** A right body for each packet type. */
function bodiesByType(five: boolean): readonly Uint8Array[] {
  const property = five ? hex("00") : hex("");
  const id = hex("00 07");
  // PUBLISH: the two bytes after the topic are the identifier, at QoS 0 the Property Length 0
  // and payload (5.0), or payload.
  const topic = hex("00 03 78 2f 79");
  const filter = join(id, property, topic);
  return [
    hex(""),
    hex("00 04 4d 51 54 54 04 02 00 3c 00 00"),
    hex("00 00"),
    join(topic, id, property),
    id,
    id,
    id,
    id,
    join(filter, hex("00")),
    id,
    filter,
    id,
    hex(""),
    hex(""),
    hex(""),
    hex(""),
  ];
}
