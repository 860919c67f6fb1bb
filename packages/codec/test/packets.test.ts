// Every packet of the table of vectors, read and written; and what cannot be written.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  createPublish,
  encodePacket,
  packetSize,
  PacketType,
  Publish,
  publishSize,
  readPacket,
  Writer,
  writePacket,
} from "@heirloom/codec";
import type { Packet, ProtocolVersion } from "@heirloom/codec";
import { bytes, hexOf, plain, readAll, slices } from "./helpers.ts";
import { vectors } from "./vectors.ts";

describe("every packet of the table", () => {
  for (const { name, version, side, hex, packet } of vectors) {
    const wire = bytes(hex);
    const expected = plain(packet);

    test(`${name} (${String(version)}) is read whole, in slices of any size, and before another packet`, () => {
      const options = { side, version };
      for (let size = 1; size <= wire.length; size++) {
        assert.deepEqual(
          readAll(slices(wire, size), options),
          { packets: [expected] },
          `slices of ${String(size)}`,
        );
      }
      const next = bytes("40 02 0001");
      for (let size = 1; size <= wire.length + next.length; size++) {
        const { packets, error } = readAll(slices(Uint8Array.of(...wire, ...next), size), options);
        assert.equal(error, undefined);
        assert.deepEqual(packets, [expected, { type: PacketType.PUBACK, packetId: 1, reasonCode: 0 }]);
      }
    });

    test(`${name} (${String(version)}) is written as those bytes`, () => {
      assert.equal(hexOf(encodePacket(packet, version)), hexOf(wire));
      assert.equal(packetSize(packet, version), wire.length);
      if (packet instanceof Publish) assert.equal(publishSize(packet, version), wire.length);
    });
  }
});

describe("writePacket", () => {
  const subscription = {
    topicFilter: "a",
    qos: 0,
    noLocal: false,
    retainAsPublished: false,
    retainHandling: 0,
  } as const;
  const connect = {
    type: 1,
    protocolVersion: 4,
    clientId: "",
    cleanStart: true,
    keepAlive: 0,
    properties: {},
  } as const;
  const refused: [name: string, packet: Packet, version: ProtocolVersion][] = [
    ["packet identifier 0 in PUBLISH", createPublish({ topicName: "a", qos: 1 }), 4],
    ["packet identifier 65536 in PUBACK", { type: 4, packetId: 65536, reasonCode: 0 }, 4],
    ["packet identifier 0 in PUBACK", { type: 4, packetId: 0, reasonCode: 0 }, 5],
    [
      "packet identifier 0 in SUBSCRIBE",
      { type: 8, packetId: 0, subscriptions: [subscription], properties: {} },
      5,
    ],
    ["SUBSCRIBE without a filter", { type: 8, packetId: 1, subscriptions: [], properties: {} }, 5],
    ["an empty topic filter", { type: 10, packetId: 1, topicFilters: [""], properties: {} }, 4],
    ["UNSUBSCRIBE without a filter", { type: 10, packetId: 1, topicFilters: [], properties: {} }, 4],
    ["SUBACK without a code", { type: 9, packetId: 1, reasonCodes: [] }, 4],
    ["a 5.0 code in a SUBACK of 3.1.1", { type: 9, packetId: 1, reasonCodes: [0x87] }, 4],
    [
      "a 5.0 code in a CONNACK of 3.1.1",
      { type: 2, sessionPresent: false, reasonCode: 0x87, properties: {} },
      4,
    ],
    ["a code that PUBACK does not have", { type: 4, packetId: 1, reasonCode: 0x92 }, 5],
    ["a code that UNSUBACK does not have", { type: 11, packetId: 1, reasonCodes: [1] }, 5],
    ["a code that DISCONNECT does not have", { type: 14, reasonCode: 0x01, properties: {} }, 5],
    ["AUTH before 5.0", { type: 15, reasonCode: 0, properties: {} }, 4],
    ["AUTH without method", { type: 15, reasonCode: 0x18, properties: {} }, 5],
    ["an empty topic", createPublish({ topicName: "" }), 5],
    ["an alias instead of a topic before 5.0", createPublish({ topicName: "", topicAlias: 1 }), 4],
    ["U+0000 in a topic", createPublish({ topicName: "a\0" }), 4],
    ["U+0000 behind other characters in a topic", createPublish({ topicName: "é\0" }), 4],
    ["a lone surrogate in a topic", createPublish({ topicName: "a\ud800b" }), 4],
    ["a topic of 65536 bytes", createPublish({ topicName: "a".repeat(65536) }), 4],
    ["a topic of 65536 bytes in 32768 characters", createPublish({ topicName: "é".repeat(32768) }), 4],
    ["an alias above 65535", createPublish({ topicName: "a", topicAlias: 65536 }), 5],
    ["an expiry above four bytes", createPublish({ topicName: "a", messageExpiryInterval: 2 ** 32 }), 5],
    ["subscription identifier 0", createPublish({ topicName: "a", subscriptionIdentifiers: [0] }), 5],
    ["a client identifier of 65536 bytes", { ...connect, clientId: "é".repeat(32768) }, 4],
    ["a lone surrogate in a client identifier", { ...connect, clientId: "\udc00" }, 4],
    ["a password without user name before 5.0", { ...connect, password: bytes("00") }, 4],
    ["a password of 65536 bytes", { ...connect, username: "u", password: new Uint8Array(65536) }, 4],
    ["a keep alive of 1.5 s", { ...connect, keepAlive: 1.5 }, 4],
    ["a receive maximum of 0", { ...connect, protocolVersion: 5, properties: { receiveMaximum: 0 } }, 5],
    [
      "a session expiry of -1",
      { ...connect, protocolVersion: 5, properties: { sessionExpiryInterval: -1 } },
      5,
    ],
  ];
  for (const [name, packet, version] of refused) {
    test(`refuses ${name} and appends nothing`, () => {
      const writer = new Writer();
      writer.u8(7);
      assert.throws(
        () => {
          writePacket(writer, packet, version);
        },
        { name: "UsageError", code: "USAGE" },
      );
      assert.deepEqual([...writer.take()], [7]);
    });
  }

  test("leaves out what 3.1.1 cannot say: an acknowledgement has two bytes", () => {
    const ack: Packet = { type: 5, packetId: 9, reasonCode: 0x97, properties: { reasonString: "full" } };
    assert.equal(hexOf(encodePacket(ack, 4)), "50020009");
    assert.equal(hexOf(encodePacket({ type: 14, reasonCode: 0x8b, properties: {} }, 3)), "e000");
  });

  test("sends no DUP at QoS 0 - 5.0 [MQTT-3.3.1-2]", () => {
    assert.equal(hexOf(encodePacket(createPublish({ topicName: "a", dup: true }), 4)), "3003000161");
  });
});

test("has no frame to hand on when DUP came at QoS 0, which 3.1 lets pass - 3.1.1 [MQTT-3.3.1-2]", () => {
  const frameStartOf = (hex: string): number => {
    const packet = readPacket(bytes(hex), 3);
    assert(packet instanceof Publish);
    return packet.frameStart;
  };
  assert.equal(frameStartOf('38 04 0001"a" "x"'), -1);
  assert.equal(frameStartOf('30 04 0001"a" "x"'), 0);
});
