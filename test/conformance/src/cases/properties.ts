// Properties of 5.0 on their way through the broker, and which are wrong where. Sections 2.2.2, 3.3.2.3 and 3.1.2.11.
import { auth, connect, disconnect, packet, subscribe, unsubscribe } from "../build.ts";
import { hex, join, prefixed, u16 } from "../bytes.ts";
import type { Case } from "../case.ts";
import { equal, forEach, oneOf, truthy } from "../check.ts";
import {
  type Properties,
  type PropertyPlace,
  type PropertyRow,
  propertyBytes,
  propertyField,
  propertyTable,
  sampleProperty,
} from "../properties.ts";
import type { Trial } from "../trial.ts";

const every = Uint8Array.from({ length: 256 }, (_, index) => index);

export const propertyCases: readonly Case[] = [
  {
    ids: [
      "5.0 [MQTT-3.3.2-4]",
      "5.0 [MQTT-3.3.2-15]",
      "5.0 [MQTT-3.3.2-16]",
      "5.0 [MQTT-3.3.2-17]",
      "5.0 [MQTT-3.3.2-18]",
      "5.0 [MQTT-3.3.2-20]",
    ],
    title: "PUBLISH properties reach live and queued subscribers unaltered and in order",
    hardCase: "properties/2",
    async run(t) {
      const offline = await t.connect({ lasting: true });
      await offline.subscribe(t.topic(), 1);
      await offline.disconnect();
      const live = await t.subscriber(t.topic(), 1);
      const publisher = await t.connect();
      const userProperties = [
        ["b", "1"],
        ["a", ""],
        ["b", "1"],
        ["", "x"],
        ["\u{1f600}", "é"],
      ] as const;
      for (const payloadFormatIndicator of [0, 1, undefined]) {
        const given: Properties = { contentType: "a/b", responseTopic: "c/d", userProperties };
        const expected = payloadFormatIndicator === undefined ? given : { ...given, payloadFormatIndicator };
        await publisher.publish(t.topic(), "x", {
          qos: 1,
          properties: { ...expected, correlationData: every },
        });
        const { correlationData, ...others } = (await live.receive()).properties;
        equal(others, expected, "properties");
        equal([...(correlationData ?? [])], [...every], "Correlation Data");
      }
      const back = await t.connect({ clientId: offline.clientId, lasting: true });
      for (let count = 0; count < 3; count += 1) {
        equal(
          (await back.receive()).properties.userProperties,
          userProperties,
          "User Properties from the queue",
        );
      }
    },
  },
  {
    ids: ["5.0 [MQTT-3.3.2-15]", "5.0 [MQTT-3.3.2-16]"],
    title: "Response Topic and Correlation Data reach a client that did not ask for Response Information",
    hardCase: "properties/2",
    async run(t) {
      const subscriber = await t.subscriber(t.topic(), 1, { properties: { requestResponseInformation: 0 } });
      const properties = { responseTopic: "answer", correlationData: hex("01") };
      await (await t.connect()).publish(t.topic(), "x", { properties });
      const message = await subscriber.receive();
      equal(message.properties.responseTopic, "answer", "Response Topic");
      equal([...(message.properties.correlationData ?? [])], [1], "Correlation Data");
    },
  },
  {
    ids: ["5.0 [MQTT-3.1.2-29]"],
    title: "with Request Problem Information 0 no failure carries Reason String or User Properties",
    hardCase: "properties/1",
    needs: { deniedTopics: true },
    async run(t) {
      const client = await t.connect({ properties: { requestProblemInformation: 0 } });
      client.publishOnly({ topic: `denied/${t.topic()}`, qos: 1, packetId: 1 });
      client.publishOnly({ topic: `denied/${t.topic()}`, qos: 2, packetId: 2 });
      client.ack("PUBREL", 3);
      client.ack("PUBREC", 4);
      const packets = [
        await client.take("PUBACK"),
        await client.take("PUBREC"),
        await client.take("PUBCOMP"),
        await client.take("PUBREL"),
        await client.trySubscribe([{ filter: `denied/${t.topic()}` }]),
        await client.unsubscribe("none"),
      ];
      for (const { name, properties } of packets) {
        equal(
          properties.reasonString ?? properties.userProperties,
          undefined,
          `problem information in ${name}`,
        );
      }
    },
  },
  {
    ids: ["5.0 [MQTT-3.3.2-5]", "5.0 [MQTT-3.3.2-6]"],
    title: "Message Expiry counts while a message waits, removes it, and is passed on at once as it came",
    hardCase: "properties/3",
    seconds: 3,
    async run(t) {
      const offline = await t.connect({ lasting: true });
      await offline.subscribe(t.topic(), 1);
      await offline.disconnect();
      const old = await t.connect({ version: "3.1.1", lasting: true });
      await old.subscribe(t.topic(), 1);
      await old.disconnect();
      const live = await t.subscriber(t.topic(), 1);
      const publisher = await t.connect();
      for (const seconds of [10, 1]) {
        const properties = { messageExpiryInterval: seconds };
        await publisher.publish(t.topic(), `expires ${seconds}`, { qos: 1, properties });
        oneOf(
          (await live.receive()).properties.messageExpiryInterval,
          [seconds, seconds - 1],
          "interval passed on at once",
        );
      }
      await publisher.publish(t.topic(), "stays", { qos: 1 });
      await t.delay(2500);
      const back = await t.connect({ clientId: offline.clientId, lasting: true });
      const message = await back.receive({ payload: "expires 10" });
      oneOf(message.properties.messageExpiryInterval, [5, 6, 7, 8], "interval after 2.5 s");
      equal(
        (await back.receive({ payload: "stays" })).properties.messageExpiryInterval,
        undefined,
        "interval",
      );
      await back.silence("not the expired message");
      const oldBack = await t.connect({ version: "3.1.1", clientId: old.clientId, lasting: true });
      await oldBack.receive({ payload: "expires 10" });
      await oldBack.receive({ payload: "stays" });
      await oldBack.silence("not the expired message");
    },
  },
  {
    ids: ["5.0 [MQTT-3.3.2-4]"],
    title: "Payload Format Indicator 1 with bad UTF-8 is delivered unaltered or refused with 0x99",
    hardCase: "properties/4",
    async run(t) {
      const bad = hex("61 ff c0 af");
      const subscriber = await t.subscriber(t.topic(), 1);
      const client = await t.connect();
      const code = await client.publish(t.topic(), bad, {
        qos: 1,
        properties: { payloadFormatIndicator: 1 },
      });
      oneOf(code, [0, 0x99], "Reason Code of PUBACK");
      if (code === 0) equal([...(await subscriber.receive()).payload], [...bad], "payload");
      await subscriber.silence();
    },
  },
  {
    ids: ["5.0 [MQTT-1.5.7-1]", "5.0 [MQTT-3.3.2-19]", "5.0 [MQTT-1.5.4-1]", "5.0 [MQTT-1.5.4-2]"],
    title: "string properties have to be UTF-8 without U+0000",
    hardCase: "properties/8",
    async run(t) {
      const bad = ["ff", "eda080", "c0af", "f4908080", "e282", "00"].map((digits) => hex(`61${digits}`));
      const rows = bad.flatMap((text) => {
        const label = Buffer.from(text).toString("hex");
        const properties: readonly Properties[] = [
          { contentType: text },
          { responseTopic: text },
          { userProperties: [[text, "x"]] },
          { userProperties: [["x", text]] },
        ];
        return properties.map((one) => [`${Object.keys(one).join("")} ${label}`, one] as const);
      });
      await forEach(rows, async (properties) => {
        const client = await t.connect();
        client.publishOnly({ topic: t.topic(), properties });
        await client.closes([0x81, 0x82, 0x90]);
      });
      const topic = t.topic("will");
      await t.refused({ properties: { userProperties: [[bad[0] ?? "", "x"]] } }, [0x81, 0x82]);
      await t.refused({ will: { topic, properties: { contentType: bad[0] ?? "" } } }, [0x81, 0x82]);
    },
  },
];

/** A packet of each kind with these bytes as its properties. WILL is a CONNECT. */
function carrier(t: Trial, place: PropertyPlace, bytes: Uint8Array): Uint8Array | undefined {
  const version = t.version;
  switch (place) {
    case "CONNECT":
      return connect({ ...t.connectFields(), properties: bytes });
    case "WILL":
      return connect({ ...t.connectFields(), will: { topic: t.topic(), properties: bytes } });
    case "PUBLISH":
      return packet(0x30, prefixed(t.topic()), propertyField(bytes));
    case "SUBSCRIBE":
      return packet(0x82, u16(1), propertyField(bytes), prefixed(t.topic()), 0);
    case "UNSUBSCRIBE":
      return packet(0xa2, u16(1), propertyField(bytes), prefixed(t.topic()));
    case "PUBREL":
      return packet(0x62, u16(1), 0, propertyField(bytes));
    case "PUBACK":
      return packet(0x40, u16(1), 0, propertyField(bytes));
    case "DISCONNECT":
      return packet(0xe0, 0, propertyField(bytes));
    default:
      return version === "5.0" ? undefined : join();
  }
}

const places: readonly PropertyPlace[] = [
  "CONNECT",
  "WILL",
  "PUBLISH",
  "SUBSCRIBE",
  "UNSUBSCRIBE",
  "PUBREL",
  "PUBACK",
  "DISCONNECT",
];

/** Sends a packet with bad properties and expects to be closed, in a CONNECT as in any other packet. */
async function refusedProperties(
  t: Trial,
  place: PropertyPlace,
  bytes: Uint8Array,
  codes: readonly number[],
): Promise<void> {
  const sent = carrier(t, place, bytes) ?? join();
  if (place === "CONNECT" || place === "WILL") {
    await t.refused(sent, codes);
    return;
  }
  const client = await t.connect();
  client.send(sent);
  await client.closes(codes);
}

function doubled(row: PropertyRow): Uint8Array {
  return join(sampleProperty(row), sampleProperty(row));
}

export const propertyErrorCases: readonly Case[] = [
  {
    ids: ["5.0 [MQTT-4.13.1-1]", "5.0 [MQTT-3.1.4-1]"],
    title: "a property that may stand once closes the connection when it stands twice",
    hardCase: "unnumbered/1",
    async run(t) {
      const single = propertyTable.filter(({ name }) => name !== "userProperties");
      const rows = places.flatMap((place) =>
        single
          .filter((row) => row.places.includes(place))
          .filter((row) => place !== "PUBLISH" || row.name !== "subscriptionIdentifiers")
          .map((row) => [`${row.name} twice in ${place}`, { place, row }] as const),
      );
      await forEach(rows, ({ place, row }) => refusedProperties(t, place, doubled(row), [0x81, 0x82]), 8);
    },
  },
  {
    ids: ["5.0 [MQTT-4.13.1-1]", "5.0 [MQTT-3.1.4-1]"],
    title: "properties out of their range, and an empty topic without an alias, close the connection",
    hardCase: "unnumbered/1",
    async run(t) {
      const bad: readonly (readonly [PropertyPlace, Properties])[] = [
        ["CONNECT", { receiveMaximum: 0 }],
        ["CONNECT", { maximumPacketSize: 0 }],
        ["CONNECT", { requestResponseInformation: 2 }],
        ["CONNECT", { requestProblemInformation: 2 }],
        ["CONNECT", { authenticationData: hex("01") }],
        ["SUBSCRIBE", { subscriptionIdentifiers: [0] }],
      ];
      const rows = bad.map(
        ([place, properties]) => [`${place} ${JSON.stringify(properties)}`, { place, properties }] as const,
      );
      await forEach(rows, ({ place, properties }) =>
        refusedProperties(t, place, propertyBytes(properties), [0x81, 0x82]),
      );
      const client = await t.connect();
      client.publishOnly({ topic: "" });
      await client.closes([0x81, 0x82, 0x90]);
    },
  },
  {
    ids: ["5.0 [MQTT-4.13.1-1]", "5.0 [MQTT-3.1.4-1]"],
    title: "a property closes the connection in every packet that table 2-4 does not give it to",
    hardCase: "unnumbered/2",
    async run(t) {
      const rows = places.flatMap((place) =>
        propertyTable
          .filter((row) => !row.places.includes(place))
          .map((row) => [`${row.name} in ${place}`, { place, row }] as const),
      );
      await forEach(
        rows,
        ({ place, row }) => refusedProperties(t, place, sampleProperty(row), [0x81, 0x82]),
        8,
      );
    },
  },
  {
    ids: ["5.0 [MQTT-4.13.1-1]", "5.0 [MQTT-1.5.5-1]"],
    title: "unknown properties, lengths beyond the packet and trailing bytes are malformed",
    hardCase: ["unnumbered/2", "properties/7"],
    async run(t) {
      const rows = [
        ["unknown property 0x00", { place: "PUBLISH", bytes: hex("00 01") }],
        ["unknown property 0x7F", { place: "CONNECT", bytes: hex("7f 01") }],
        ["property 0x8126", { place: "SUBSCRIBE", bytes: hex("a6 01 00 00 00 00") }],
        ["a longer form of property 0x26", { place: "PUBLISH", bytes: hex("a6 00 00 00 00 00") }],
        ["a value that is cut", { place: "PUBLISH", bytes: hex("02 00 00") }],
        ["a string longer than the properties", { place: "PUBLISH", bytes: hex("03 00 09 61") }],
      ] as const;
      await forEach(rows, ({ place, bytes }) => refusedProperties(t, place, bytes, [0x81, 0x82]));
      const whole = [
        ["Property Length beyond PUBLISH", packet(0x30, prefixed(t.topic()), 9)],
        ["Property Length 0x80 0x00", packet(0x30, prefixed(t.topic()), hex("80 00 61"))],
        ["Property Length of five bytes", packet(0x30, prefixed(t.topic()), hex("80 80 80 80 00"))],
        ["no Property Length in PUBLISH", packet(0x30, prefixed(t.topic()))],
        ["a byte behind PUBREL", packet(0x62, u16(1), hex("00 00 00"))],
        ["a byte behind DISCONNECT", packet(0xe0, hex("00 00 00"))],
        ["a byte behind the filters", join(packet(0x82, u16(1), 0, prefixed("a"), 0, 0))],
      ] as const;
      await forEach(whole, async (bytes) => {
        const client = await t.connect();
        client.send(bytes);
        await client.closes([0x81, 0x82]);
      });
    },
  },
  {
    ids: [
      "5.0 [MQTT-3.14.2-1]",
      "5.0 [MQTT-3.6.2-1]",
      "5.0 [MQTT-3.4.2-1]",
      "5.0 [MQTT-3.5.2-1]",
      "5.0 [MQTT-3.7.2-1]",
    ],
    title: "Reason Codes outside the packet's table close the connection",
    hardCase: "unnumbered/2",
    async run(t) {
      const rows = [
        ["PUBACK 0x01", hex("40 03 00 01 01")],
        ["PUBREC 0x92", hex("50 03 00 01 92")],
        ["PUBREL 0x80", hex("62 03 00 01 80")],
        ["PUBCOMP 0x01", hex("70 03 00 01 01")],
        ["DISCONNECT 0x02", hex("e0 01 02")],
        ["DISCONNECT 0x8B, the server's", hex("e0 01 8b")],
      ] as const;
      await forEach(rows, async (bytes) => {
        const client = await t.connect();
        client.send(bytes);
        await client.closes([0x81, 0x82]);
      });
    },
  },
  {
    ids: ["5.0 [MQTT-4.13.2-1]", "5.0 [MQTT-3.14.4-2]", "5.0 [MQTT-3.14.4-1]", "5.0 [MQTT-3.14.2-2]"],
    title: "a DISCONNECT of the broker is its last word: the end of the connection follows within a second",
    hardCase: "properties/11",
    async run(t) {
      const rows = [
        ["second CONNECT", connect(t.connectFields())],
        ["empty SUBSCRIBE", subscribe(t.version, 1, [])],
        ["empty UNSUBSCRIBE", unsubscribe(t.version, 1, [])],
        ["AUTH", auth(0x18, { authenticationMethod: "x" })],
        ["illegal DISCONNECT", disconnect(0, { serverReference: "x" })],
        ["QoS 3", hex("36 00")],
      ] as const;
      await forEach(rows, async (bytes) => {
        const client = await t.connect();
        client.send(bytes, hex("c0 00"));
        await client.wire.ended();
        const startMs = performance.now();
        await client.closes([0x81, 0x82]);
        truthy(performance.now() - startMs < 1000, "the end did not follow within a second");
        for (const one of client.wire.packets) {
          if (one.name === "DISCONNECT") equal(one.properties.serverReference, undefined, "Server Reference");
        }
      });
    },
  },
];
