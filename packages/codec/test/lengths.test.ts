// Lengths that lie: of the packet, of its fields, of its properties. For each packet of the table, in every version.
import assert from "node:assert/strict";
import { test } from "node:test";
import { encodePacket, PacketError, PacketReader, PacketType, readPacket } from "@heirloom/codec";
import type { Packet, ProtocolVersion, Side } from "@heirloom/codec";
import { bytes, hexOf, plain } from "./helpers.ts";
import { type Vector, vectors } from "./vectors.ts";

/** What reading gives: the packet, or the reason code of the one kind of error that there may be. */
function read(data: Uint8Array, version: ProtocolVersion, side: Side): Packet | number {
  try {
    return readPacket(data, version, side);
  } catch (error) {
    assert(error instanceof PacketError, `${hexOf(data)} of ${String(version)}: ${String(error)}`);
    return error.reasonCode;
  }
}

/** The same for a packet with other bytes behind it in its chunk. They are none of its own, so they must not matter. */
function readAmong(data: Uint8Array, version: ProtocolVersion, side: Side): Packet | number {
  const alone = read(data, version, side);
  // Zeroes would read as the ends of many fields, "aaa" as text, and 0x01 as lengths that fit.
  for (const byte of [0x00, 0x01, 0x61, 0xff]) {
    const reader = new PacketReader({ side, version });
    reader.push(Uint8Array.of(...data, ...new Uint8Array(40).fill(byte)));
    let among: Packet | number | undefined;
    try {
      among = reader.next();
    } catch (error) {
      assert(error instanceof PacketError, String(error));
      among = error.reasonCode;
    }
    const name = `${hexOf(data)} of ${String(version)} before ${String(byte)}`;
    if (typeof alone === "number" || typeof among === "number") assert.equal(among, alone, name);
    else assert.deepEqual(plain(among), plain(alone), name);
  }
  return alone;
}

/** The body of a packet, behind its fixed header, and a packet around any body. */
function bodyOf(data: Uint8Array): Uint8Array {
  let start = 1;
  while ((data[start] ?? 0) >= 0x80) start++;
  return data.subarray(start + 1);
}

function around(firstByte: number, body: Uint8Array): Uint8Array {
  assert(body.length < 16_384);
  const length = body.length < 128 ? [body.length] : [(body.length & 0x7f) | 0x80, body.length >> 7];
  return Uint8Array.of(firstByte, ...length, ...body);
}

/** A packet that was read has to say the same again, in the same or another form: nothing of it came from elsewhere. */
function assertWhole(packet: Packet, { version, side, name }: Vector): void {
  const again = readPacket(encodePacket(packet, version), version, side);
  assert.deepEqual(plain(again), plain(packet), name);
}

test("a packet that is cut anywhere is waited for and never delivered - attack PARSE-02", () => {
  for (const { hex, version, side, name } of vectors) {
    const data = bytes(hex);
    for (let length = 0; length < data.length; length++) {
      const reader = new PacketReader({ side, version });
      // What lies behind it in memory is none of its bytes.
      reader.push(Uint8Array.of(...data, 0xff, 0xff).subarray(0, length));
      assert.equal(reader.next(), undefined, `${name} of ${String(version)}, ${String(length)} bytes`);
      assert.equal(reader.bufferedBytes, length);
    }
  }
});

test("a packet that says it is shorter than its fields is malformed, or a whole shorter packet, whatever lies behind it - attack PARSE-03", () => {
  let refused = 0;
  const withoutFilter: Vector[] = [];
  for (const vector of vectors) {
    const data = bytes(vector.hex);
    const body = bodyOf(data);
    for (let length = 0; length < body.length; length++) {
      const packet = readAmong(around(data[0] ?? 0, body.subarray(0, length)), vector.version, vector.side);
      if (typeof packet !== "number") {
        assertWhole(packet, vector);
        continue;
      }
      refused++;
      if (packet === 0x82) withoutFilter.push(vector);
      else assert.equal(packet, 0x81, `${vector.name} of ${String(vector.version)}, ${String(length)} bytes`);
    }
  }
  assert.ok(refused > 500, `${String(refused)} refused`);
  // One that ends just before its first filter is well-formed, and a protocol error: 5.0 [MQTT-3.8.3-2], [MQTT-3.10.3-2].
  const withFilters = vectors.filter(
    ({ packet: { type } }) => type === PacketType.SUBSCRIBE || type === PacketType.UNSUBSCRIBE,
  );
  assert.deepEqual(withoutFilter, withFilters);
});

test("any length inside of a packet may lie: an error, or a packet of the bytes that are there - attack PARSE-04", () => {
  let refused = 0;
  for (const vector of vectors) {
    const data = bytes(vector.hex);
    const body = bodyOf(data);
    const firstByte = data[0] ?? 0;
    for (let place = 0; place + 2 <= body.length; place++) {
      const left = body.length - place - 2;
      for (const length of [0, 1, left - 1, left, left + 1, 0x7fff, 0x8000, 0xffff]) {
        if (length < 0) continue;
        const lying = Uint8Array.from(body);
        lying[place] = length >> 8;
        lying[place + 1] = length & 0xff;
        const packet = readAmong(around(firstByte, lying), vector.version, vector.side);
        if (typeof packet === "number") refused++;
        else assertWhole(packet, vector);
      }
    }
  }
  assert.ok(refused > 3_000, `${String(refused)} refused`);
});

test("a length that runs one byte past the end is malformed, for each field of CONNECT and PUBLISH - attack PARSE-04", () => {
  const connect = `0004 "MQTT" 05 c6 0000 00 0001 "c" 00 0001 "w" 0001 "p" 0001 "u" 0001 "s"`;
  // Where the lengths of ClientId, will topic, will payload, user name and password stand.
  for (const place of [11, 15, 18, 21, 24]) {
    const body = Uint8Array.from(bytes(connect));
    assert.deepEqual([body[place], body[place + 1]], [0, 1]);
    body[place + 1] = body.length - place - 1;
    assert.equal(read(around(0x10, body), 5, "server"), 0x81, `at ${String(place)}`);
  }
  const publish = bytes(`0004 "a" 00`);
  for (const version of [3, 4, 5] as const)
    assert.equal(read(around(0x30, publish), version, "server"), 0x81);
});

test("a Property Length that is wrong by any number of bytes is malformed - attack PARSE-05", () => {
  const property = bytes(`26 0003 "key" 0005 "value"`);
  const frames: readonly (readonly [side: Side, first: number, before: string, after: string])[] = [
    ["server", 0x10, `0004 "MQTT" 05 02 0000`, "0000"],
    ["server", 0x10, `0004 "MQTT" 05 06 0000 00 0000`, `0001 "w" 0000`],
    ["client", 0x20, "00 00", ""],
    ["server", 0x32, `0001 "a" 0001`, ""],
    ["server", 0x40, "0001 00", ""],
    ["server", 0x50, "0001 00", ""],
    ["server", 0x62, "0001 00", ""],
    ["server", 0x70, "0001 00", ""],
    ["server", 0x82, "0001", `0001 "a" 00`],
    ["client", 0x90, "0001", "00"],
    ["server", 0xa2, "0001", `0001 "a"`],
    ["client", 0xb0, "0001", "00"],
    ["server", 0xe0, "00", ""],
  ];
  for (const [side, first, before, after] of frames) {
    const packetOf = (length: number): Uint8Array =>
      around(first, Uint8Array.of(...bytes(before), length, ...property, ...bytes(after)));
    assert.equal(typeof read(packetOf(property.length), 5, side), "object", `0x${first.toString(16)}`);
    for (let length = 0; length < 128; length++) {
      if (length === property.length || (first === 0x32 && length === 0)) continue;
      assert.equal(
        readAmong(packetOf(length), 5, side),
        0x81,
        `0x${first.toString(16)} with ${String(length)}`,
      );
    }
  }
  // Nothing says where the payload of a PUBLISH begins but the Property Length: then it is payload.
  const publish = read(around(0x30, Uint8Array.of(0, 1, 0x61, 0, ...property)), 5, "server");
  assert(typeof publish === "object" && publish.type === PacketType.PUBLISH);
  assert.equal(hexOf(publish.payload), hexOf(property));
});

test("every packet is read by its own version only: the constructs of another are errors or other words - attack STATE-11", () => {
  let refused = 0;
  for (const vector of vectors) {
    if (vector.packet.type === PacketType.CONNECT) continue;
    for (const version of [3, 4, 5] as const) {
      const packet = read(bytes(vector.hex), version, vector.side);
      if (typeof packet === "number") {
        refused++;
        continue;
      }
      assertWhole(packet, { ...vector, version });
      // No property or reason code of 5.0 gets into a packet of a version that has none.
      if (version !== 5 && "properties" in packet) assert.deepEqual(packet.properties, {}, vector.name);
    }
  }
  assert.ok(refused >= 20, `${String(refused)} refused`);
});
