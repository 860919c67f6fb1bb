// Properties that a server hands on: unaltered, in order, decoded only on demand.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  createPublish,
  encodePacket,
  readForwardedProperties,
  readPacket,
  UsageError,
  writeForwardedProperties,
} from "@heirloom/codec";
import { bytes, hexOf } from "./helpers.ts";

const all = {
  payloadFormatIndicator: 1,
  contentType: "text/plain",
  responseTopic: "reply/é",
  correlationData: bytes("00ff"),
  userProperties: [
    ["b", "1"],
    ["a", "2"],
    ["b", "3"],
    ["__proto__", ""],
  ],
} as const;

test("forwarded properties come back as they were, User Properties in their order - 5.0 [MQTT-3.3.2-18]", () => {
  assert.deepEqual(readForwardedProperties(writeForwardedProperties(all)), all);
  assert.deepEqual(readForwardedProperties(writeForwardedProperties({})), {});
});

test("a PUBLISH hands them on byte by byte, whatever stands between them - 5.0 [MQTT-3.3.2-4], [MQTT-3.3.2-20]", () => {
  const parts = { alias: "23 0001", expiry: "02 00000009", identifier: "0b 05" };
  const user = `26 0001 "z" 0001 "1"`;
  const type = `03 0001 "t"`;
  const lists: [list: string, forwarded: string][] = [
    [`${parts.alias} ${user} ${type} ${parts.expiry}`, `${user} ${type}`],
    [`${user} ${parts.alias} ${type} ${parts.expiry} ${parts.identifier} ${user}`, `${user} ${type} ${user}`],
    [`${user} ${parts.expiry} ${user}`, `${user} ${user}`],
    [type, type],
    [`${parts.identifier} ${parts.identifier}`, ""],
  ];
  for (const [list, forwarded] of lists) {
    const properties = bytes(list);
    const body = Uint8Array.of(0, 1, 0x61, properties.length, ...properties, 0x21);
    const publish = readPacket(Uint8Array.of(0x30, body.length, ...body), 5, "client");
    assert(publish.type === 3);
    assert.equal(hexOf(publish.forwarded), hexOf(bytes(forwarded)));
    assert.equal(hexOf(publish.payload), "21");
    const again = encodePacket(createPublish({ topicName: "a", forwarded: publish.forwarded }), 5);
    assert(hexOf(again).endsWith(hexOf(bytes(forwarded))));
    // Written from where they stand, and beside what is put in front of them; others than 5.0 get the payload alone.
    const { length } = bytes(forwarded);
    publish.subscriptionIdentifiers = [7];
    publish.messageExpiryInterval = -1;
    publish.topicAlias = 0;
    const size = Uint8Array.of(7 + length, 0, 1, 0x61, 2 + length);
    assert.equal(hexOf(encodePacket(publish, 5)), `30${hexOf(size)}0b07${hexOf(bytes(forwarded))}21`);
    assert.equal(hexOf(encodePacket(publish, 4)), "300400016121");
  }
});

test("forwarded properties that end before the payload are not copied, and can be replaced", () => {
  const source = bytes(`30 0f 0001 "a" 0a 23 0001 26 0001 "z" 0001 "1" "!"`);
  const publish = readPacket(source, 5, "server");
  assert(publish.type === 3);
  assert.deepEqual([publish.forwardedStart, publish.payloadStart], [9, 16]);
  assert.equal(publish.forwarded.buffer, source.buffer);
  publish.forwarded = bytes(`03 0001 "t"`);
  assert.deepEqual([publish.forwardedStart, hexOf(publish.forwarded)], [-1, "03000174"]);
  publish.topicAlias = 0;
  assert.equal(hexOf(encodePacket(publish, 5)), "3009000161040300017421");
});

test("the forwarded properties of a Will do not keep its CONNECT alive", () => {
  const connect = bytes(`10 1a 0004 "MQTT" 05 06 0000 00 0000 04 03 0001 "t" 0001 "w" 0003 010203`);
  const packet = readPacket(connect, 5);
  assert(packet.type === 1 && packet.will !== undefined);
  assert.notEqual(packet.will.forwarded.buffer, connect.buffer);
  assert.notEqual(packet.will.payload.buffer, connect.buffer);
  assert.equal(hexOf(packet.will.forwarded), "03000174");
});

test("a Response Topic with wildcards or without a character is not written - attack PARSE-18", () => {
  for (const responseTopic of ["", "a/+", "#"]) {
    assert.throws(() => writeForwardedProperties({ responseTopic }), UsageError);
  }
});
