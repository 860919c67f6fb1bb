// Properties of a PUBLISH that are recognised by their bytes say what they would say if they were read.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  createPublish,
  encodePacket,
  PacketError,
  PacketReader,
  PacketType,
  type Publish,
  type PublishInit,
  readForwardedProperties,
  writeForwardedProperties,
} from "@heirloom/codec";
import fc from "fast-check";

const CONNECT = encodePacket(
  {
    type: PacketType.CONNECT,
    protocolVersion: 5,
    clientId: "c",
    cleanStart: true,
    keepAlive: 0,
    properties: {},
  },
  5,
);

/** What a PUBLISH says, in plain values. */
function said(publish: Publish): unknown[] {
  const { topicAlias, messageExpiryInterval, payload, forwarded } = publish;
  return [topicAlias, messageExpiryInterval, [...payload], readForwardedProperties(forwarded)];
}

function readerAfterConnect(): PacketReader {
  const reader = new PacketReader({ side: "server", maximumUserProperties: 3 });
  reader.push(CONNECT);
  reader.next();
  return reader;
}

/** Reads packets one after the other: what they say, or the error that ended it. */
function readAll(reader: PacketReader, packets: readonly Uint8Array[]): unknown[] {
  const all: unknown[] = [];
  try {
    for (const bytes of packets) {
      reader.push(bytes);
      for (let packet = reader.next(); packet !== undefined; packet = reader.next()) {
        if (packet.type === PacketType.PUBLISH) all.push(said(packet));
      }
    }
  } catch (error) {
    assert.ok(error instanceof PacketError);
    all.push(error.message);
  }
  return all;
}

const forwarded = fc
  .record(
    {
      contentType: fc.constantFrom("a", "b"),
      responseTopic: fc.constantFrom("r", "s"),
      userProperties: fc.array(fc.constantFrom(["n", "v"] as const, ["n", "w"] as const), { maxLength: 5 }),
    },
    { requiredKeys: [] },
  )
  .map((properties) => writeForwardedProperties(properties));

const publish = fc
  .record({
    payload: fc.uint8Array({ maxLength: 3 }),
    topicAlias: fc.constantFrom(0, 1, 2),
    messageExpiryInterval: fc.constantFrom(-1, 5, 6),
    forwarded,
  })
  .map((init: Omit<PublishInit, "topicName">) => encodePacket(createPublish({ topicName: "t", ...init }), 5));

test("a reader that has read others before reads each PUBLISH as a new one does - 5.0 [MQTT-3.3.2-15], [MQTT-3.3.2-18]", () => {
  fc.assert(
    fc.property(fc.array(publish, { maxLength: 8 }), (packets) => {
      const one = readAll(readerAfterConnect(), packets);
      const each = packets.flatMap((bytes) => readAll(readerAfterConnect(), [bytes]));
      const firstError = each.findIndex((item) => typeof item === "string");
      assert.deepEqual(one, firstError === -1 ? each : each.slice(0, firstError + 1));
    }),
    { numRuns: 500 },
  );
});

test("a packet that ends within properties that were seen before is refused as ever", () => {
  const bytes = encodePacket(
    createPublish({
      topicName: "t",
      topicAlias: 1,
      forwarded: writeForwardedProperties({ userProperties: [["name", "value"]] }),
    }),
    5,
  );
  for (let missing = 1; missing < bytes.length - 6; missing++) {
    const cut = bytes.slice(0, bytes.length - missing);
    cut[1] = cut.length - 2;
    const fresh = readAll(readerAfterConnect(), [cut]);
    assert.deepEqual(readAll(readerAfterConnect(), [bytes, cut]).slice(1), fresh);
    assert.equal(typeof fresh[0], "string");
  }
});
