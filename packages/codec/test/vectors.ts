// Packets and their bytes: one table for decoder, encoder and slicing. Every packet, every version, every property.
import { createPublish, PacketType, writeForwardedProperties } from "@heirloom/codec";
import type { Packet, ProtocolVersion, Side } from "@heirloom/codec";
import { bytes } from "./helpers.ts";

export interface Vector {
  readonly name: string;
  readonly version: ProtocolVersion;
  /** Who reads. */
  readonly side: Side;
  readonly hex: string;
  readonly packet: Packet;
}

const user = {
  userProperties: [
    ["k", "v"],
    ["k", "w"],
  ],
} as const;
const both: readonly ProtocolVersion[] = [3, 4];
const all: readonly ProtocolVersion[] = [3, 4, 5];

function each(versions: readonly ProtocolVersion[], vector: Omit<Vector, "version">): Vector[] {
  return versions.map((version) => ({ ...vector, version }));
}

const connects: Vector[] = [
  {
    name: "CONNECT of 3.1",
    version: 3,
    side: "server",
    hex: `10 0f 0006 "MQIsdp" 03 02 003c 0001 "a"`,
    packet: {
      ...{ type: PacketType.CONNECT, protocolVersion: 3, clientId: "a", cleanStart: true, keepAlive: 60 },
      properties: {},
    },
  },
  {
    name: "CONNECT of 3.1.1 with everything",
    version: 4,
    side: "server",
    hex: `10 1b 0004 "MQTT" 04 f4 ffff 0000 0003 "w/t" 0002 00ff 0001 "u" 0001 "p"`,
    packet: {
      ...{ type: PacketType.CONNECT, protocolVersion: 4, clientId: "", cleanStart: false, keepAlive: 65535 },
      username: "u",
      password: bytes(`"p"`),
      will: {
        ...{ topicName: "w/t", payload: bytes("00ff"), qos: 2, retain: true },
        ...{ willDelayInterval: 0, messageExpiryInterval: -1, forwarded: new Uint8Array(0) },
      },
      properties: {},
    },
  },
  {
    name: "CONNECT of 5.0 without properties",
    version: 5,
    side: "server",
    hex: `10 0e 0004 "MQTT" 05 00 0000 00 0001 "c"`,
    packet: {
      ...{ type: PacketType.CONNECT, protocolVersion: 5, clientId: "c", cleanStart: false, keepAlive: 0 },
      properties: {},
    },
  },
  {
    name: "CONNECT of 5.0 with a password and no user name",
    version: 5,
    side: "server",
    hex: `10 11 0004 "MQTT" 05 42 0000 00 0001 "c" 0001 00`,
    packet: {
      ...{ type: PacketType.CONNECT, protocolVersion: 5, clientId: "c", cleanStart: true, keepAlive: 0 },
      password: bytes("00"),
      properties: {},
    },
  },
  {
    name: "CONNECT of 5.0 with every property",
    version: 5,
    side: "server",
    hex: `10 61 0004 "MQTT" 05 0e 000a
      2b 11 ffffffff 15 0001 "m" 16 0002 0001 17 00 19 01 21 0001 22 ffff 26 0001 "k" 0001 "v" 26 0001 "k" 0001 "w" 27 00000001
      0001 "c"
      1f 18 00000005 02 0000000a 01 01 03 0001 "t" 08 0001 "r" 09 0001 ff 26 0001 "k" 0001 "v"
      0001 "w" 0003 010203`,
    packet: {
      ...{ type: PacketType.CONNECT, protocolVersion: 5, clientId: "c", cleanStart: true, keepAlive: 10 },
      will: {
        ...{ topicName: "w", payload: bytes("010203"), qos: 1, retain: false },
        ...{ willDelayInterval: 5, messageExpiryInterval: 10 },
        forwarded: bytes(`01 01 03 0001 "t" 08 0001 "r" 09 0001 ff 26 0001 "k" 0001 "v"`),
      },
      properties: {
        ...{
          sessionExpiryInterval: 0xffffffff,
          authenticationMethod: "m",
          authenticationData: bytes("0001"),
        },
        ...{ requestProblemInformation: false, requestResponseInformation: true, receiveMaximum: 1 },
        ...{ topicAliasMaximum: 65535, maximumPacketSize: 1, ...user },
      },
    },
  },
];

const connacks: Vector[] = [
  {
    name: "CONNACK of 3.1, which has no session present",
    version: 3,
    side: "client",
    hex: "20 02 00 00",
    packet: { type: PacketType.CONNACK, sessionPresent: false, reasonCode: 0, properties: {} },
  },
  {
    name: "CONNACK of 3.1.1",
    version: 4,
    side: "client",
    hex: "20 02 01 00",
    packet: { type: PacketType.CONNACK, sessionPresent: true, reasonCode: 0, properties: {} },
  },
  ...each(both, {
    name: "CONNACK that refuses the level",
    side: "client",
    hex: "20 02 00 01",
    packet: { type: PacketType.CONNACK, sessionPresent: false, reasonCode: 1, properties: {} },
  }),
  {
    name: "CONNACK of 5.0 without properties",
    version: 5,
    side: "client",
    hex: "20 03 00 87 00",
    packet: { type: PacketType.CONNACK, sessionPresent: false, reasonCode: 0x87, properties: {} },
  },
  {
    name: "CONNACK of 5.0 with every property",
    version: 5,
    side: "client",
    hex: `20 46 01 00 43
      11 0000000a 12 0001 "i" 13 001e 15 0001 "m" 16 0001 00 1a 0001 "r" 1c 0001 "s" 1f 0001 "x"
      21 0014 22 000a 24 01 25 00 26 0001 "k" 0001 "v" 26 0001 "k" 0001 "w" 27 00001000 28 01 29 00 2a 01`,
    packet: {
      ...{ type: PacketType.CONNACK, sessionPresent: true, reasonCode: 0 },
      properties: {
        ...{
          sessionExpiryInterval: 10,
          assignedClientIdentifier: "i",
          serverKeepAlive: 30,
          authenticationMethod: "m",
        },
        ...{
          authenticationData: bytes("00"),
          responseInformation: "r",
          serverReference: "s",
          reasonString: "x",
        },
        ...{ receiveMaximum: 20, topicAliasMaximum: 10, maximumQoS: 1, retainAvailable: false, ...user },
        ...{
          maximumPacketSize: 4096,
          wildcardSubscriptionAvailable: true,
          subscriptionIdentifiersAvailable: false,
        },
        sharedSubscriptionAvailable: true,
      },
    },
  },
];

const forwarded = writeForwardedProperties({
  ...{ payloadFormatIndicator: 1, contentType: "t", responseTopic: "r" },
  ...{ correlationData: bytes("ff"), ...user },
});

const publishes: Vector[] = [
  ...each(both, {
    name: "PUBLISH at QoS 0",
    side: "server",
    hex: `30 07 0003 "a/b" "hi"`,
    packet: createPublish({ topicName: "a/b", payload: bytes(`"hi"`) }),
  }),
  ...each(both, {
    name: "PUBLISH at QoS 1 with DUP and RETAIN",
    side: "client",
    hex: `3b 09 0003 "a/b" 1234 "hi"`,
    packet: createPublish({
      topicName: "a/b",
      qos: 1,
      dup: true,
      retain: true,
      packetId: 0x1234,
      payload: bytes(`"hi"`),
    }),
  }),
  {
    name: "PUBLISH at QoS 2 without payload",
    version: 5,
    side: "server",
    hex: `34 06 0001 "a" ffff 00`,
    packet: createPublish({ topicName: "a", qos: 2, packetId: 65535 }),
  },
  {
    name: "PUBLISH with a topic in all lengths of UTF-8, U+FEFF among them",
    version: 4,
    side: "server",
    hex: `30 10 000e 61 c3a9 e282ac f09f9880 efbbbf 2f`,
    packet: createPublish({ topicName: "a\u00e9\u20ac\u{1f600}\ufeff/" }),
  },
  {
    name: "PUBLISH by alias",
    version: 5,
    side: "server",
    hex: "30 07 0000 03 23 0001 21",
    packet: createPublish({ topicName: "", topicAlias: 1, payload: bytes("21") }),
  },
  {
    name: "PUBLISH with every property",
    version: 5,
    side: "client",
    hex: `32 33 0001 "a" 0007 2b
      02 ffffffff 23 ffff 0b 01 0b ffffff7f
      01 01 03 0001 "t" 08 0001 "r" 09 0001 ff 26 0001 "k" 0001 "v" 26 0001 "k" 0001 "w" 00ff`,
    packet: createPublish({
      ...{ topicName: "a", qos: 1, packetId: 7, messageExpiryInterval: 0xffffffff, topicAlias: 65535 },
      ...{ subscriptionIdentifiers: [1, 268_435_455], forwarded, payload: bytes("00ff") },
    }),
  },
];

const acks: Vector[] = [
  ...each(all, {
    name: "PUBACK",
    side: "server",
    hex: "40 02 0001",
    packet: { type: PacketType.PUBACK, packetId: 1, reasonCode: 0 },
  }),
  ...each(all, {
    name: "PUBREC",
    side: "client",
    hex: "50 02 ffff",
    packet: { type: PacketType.PUBREC, packetId: 65535, reasonCode: 0 },
  }),
  ...each(all, {
    name: "PUBREL",
    side: "server",
    hex: "62 02 0100",
    packet: { type: PacketType.PUBREL, packetId: 256, reasonCode: 0 },
  }),
  ...each(all, {
    name: "PUBCOMP",
    side: "client",
    hex: "70 02 0001",
    packet: { type: PacketType.PUBCOMP, packetId: 1, reasonCode: 0 },
  }),
  {
    name: "PUBREC with a reason code",
    version: 5,
    side: "client",
    hex: "50 03 0001 97",
    packet: { type: PacketType.PUBREC, packetId: 1, reasonCode: 0x97 },
  },
  {
    name: "PUBACK with properties",
    version: 5,
    side: "client",
    hex: `40 16 0001 10 12 1f 0001 "r" 26 0001 "k" 0001 "v" 26 0001 "k" 0001 "w"`,
    packet: {
      type: PacketType.PUBACK,
      packetId: 1,
      reasonCode: 0x10,
      properties: { reasonString: "r", ...user },
    },
  },
  {
    name: "PUBREL with properties and reason code 0x00",
    version: 5,
    side: "server",
    hex: `62 08 0001 00 04 1f 0001 "r"`,
    packet: { type: PacketType.PUBREL, packetId: 1, reasonCode: 0, properties: { reasonString: "r" } },
  },
];

const subscriptions: Vector[] = [
  ...each(both, {
    name: "SUBSCRIBE",
    side: "server",
    hex: `82 0c 000a 0003 "a/+" 01 0001 "#" 02`,
    packet: {
      ...{ type: PacketType.SUBSCRIBE, packetId: 10, properties: {} },
      subscriptions: [
        { topicFilter: "a/+", qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 },
        { topicFilter: "#", qos: 2, noLocal: false, retainAsPublished: false, retainHandling: 0 },
      ],
    },
  }),
  {
    name: "SUBSCRIBE with options and properties",
    version: 5,
    side: "server",
    hex: `82 15 000a 0a 0b 8001 26 0001 "k" 0001 "v" 0001 "a" 2e 0001 "b" 10`,
    packet: {
      ...{ type: PacketType.SUBSCRIBE, packetId: 10 },
      properties: { subscriptionIdentifier: 128, userProperties: [["k", "v"]] },
      subscriptions: [
        { topicFilter: "a", qos: 2, noLocal: true, retainAsPublished: true, retainHandling: 2 },
        { topicFilter: "b", qos: 0, noLocal: false, retainAsPublished: false, retainHandling: 1 },
      ],
    },
  },
  ...each(both, {
    name: "SUBACK",
    side: "client",
    hex: "90 06 000a 00 01 02 80",
    packet: { type: PacketType.SUBACK, packetId: 10, reasonCodes: [0, 1, 2, 0x80] },
  }),
  {
    name: "SUBACK of 5.0",
    version: 5,
    side: "client",
    hex: "90 05 000a 00 01 a2",
    packet: { type: PacketType.SUBACK, packetId: 10, reasonCodes: [1, 0xa2] },
  },
  {
    name: "SUBACK with properties",
    version: 5,
    side: "client",
    hex: `90 08 000a 04 1f 0001 "r" 97`,
    packet: { type: PacketType.SUBACK, packetId: 10, reasonCodes: [0x97], properties: { reasonString: "r" } },
  },
  ...each(both, {
    name: "UNSUBSCRIBE",
    side: "server",
    hex: `a2 08 000b 0001 "a" 0001 "b"`,
    packet: { type: PacketType.UNSUBSCRIBE, packetId: 11, topicFilters: ["a", "b"], properties: {} },
  }),
  {
    name: "UNSUBSCRIBE of 5.0 with properties",
    version: 5,
    side: "server",
    hex: `a2 0d 000b 07 26 0001 "k" 0001 "v" 0001 "a"`,
    packet: {
      ...{ type: PacketType.UNSUBSCRIBE, packetId: 11, topicFilters: ["a"] },
      properties: { userProperties: [["k", "v"]] },
    },
  },
  ...each(both, {
    name: "UNSUBACK, which has no codes before 5.0",
    side: "client",
    hex: "b0 02 000b",
    packet: { type: PacketType.UNSUBACK, packetId: 11, reasonCodes: [] },
  }),
  {
    name: "UNSUBACK of 5.0",
    version: 5,
    side: "client",
    hex: "b0 05 000b 00 00 11",
    packet: { type: PacketType.UNSUBACK, packetId: 11, reasonCodes: [0, 0x11] },
  },
];

const others: Vector[] = [
  ...each(all, { name: "PINGREQ", side: "server", hex: "c0 00", packet: { type: PacketType.PINGREQ } }),
  ...each(all, { name: "PINGRESP", side: "client", hex: "d0 00", packet: { type: PacketType.PINGRESP } }),
  ...each(all, {
    name: "DISCONNECT",
    side: "server",
    hex: "e0 00",
    packet: { type: PacketType.DISCONNECT, reasonCode: 0, properties: {} },
  }),
  {
    name: "DISCONNECT with a reason code",
    version: 5,
    side: "server",
    hex: "e0 01 04",
    packet: { type: PacketType.DISCONNECT, reasonCode: 4, properties: {} },
  },
  {
    name: "DISCONNECT with a session expiry interval",
    version: 5,
    side: "server",
    hex: "e0 07 00 05 11 00000000",
    packet: { type: PacketType.DISCONNECT, reasonCode: 0, properties: { sessionExpiryInterval: 0 } },
  },
  {
    name: "DISCONNECT of a server with properties",
    version: 5,
    side: "client",
    hex: `e0 18 9c 16 1c 0001 "s" 1f 0001 "r" 26 0001 "k" 0001 "v" 26 0001 "k" 0001 "w"`,
    packet: {
      ...{ type: PacketType.DISCONNECT, reasonCode: 0x9c },
      properties: { serverReference: "s", reasonString: "r", ...user },
    },
  },
  {
    name: "AUTH without anything",
    version: 5,
    side: "client",
    hex: "f0 00",
    packet: { type: PacketType.AUTH, reasonCode: 0, properties: {} },
  },
  {
    name: "AUTH with properties",
    version: 5,
    side: "server",
    hex: `f0 1b 18 19 15 0001 "m" 16 0000 1f 0001 "r" 26 0001 "k" 0001 "v" 26 0001 "k" 0001 "w"`,
    packet: {
      ...{ type: PacketType.AUTH, reasonCode: 0x18 },
      properties: { authenticationMethod: "m", authenticationData: bytes(""), reasonString: "r", ...user },
    },
  },
];

export const vectors: readonly Vector[] = [
  ...connects,
  ...connacks,
  ...publishes,
  ...acks,
  ...subscriptions,
  ...others,
];
