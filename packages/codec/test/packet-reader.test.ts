// Framing: slices, limits, versions, sides, and the end after an error.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { PacketReader, PacketTooLargeError, ProtocolError, readPacket, UsageError } from "@heirloom/codec";
import { bytes, plain, readAll, slices } from "./helpers.ts";

const CONNECT_4 = bytes(`10 0d 0004 "MQTT" 04 02 003c 0001 "a"`);
const CONNECT_5 = bytes(`10 0e 0004 "MQTT" 05 02 003c 00 0001 "a"`);

describe("PacketReader of a server", () => {
  test("takes the version from CONNECT and reads what is pipelined behind it by that", () => {
    for (const [connect, subscribe, version] of [
      [CONNECT_4, bytes(`82 06 0001 0001 "a" 00`), 4],
      [CONNECT_5, bytes(`82 07 0001 00 0001 "a" 00`), 5],
    ] as const) {
      const reader = new PacketReader({ side: "server" });
      assert.equal(reader.version, undefined);
      reader.push(Uint8Array.of(...connect, ...subscribe));
      assert.equal(reader.next()?.type, 1);
      assert.equal(reader.version, version);
      assert.equal(reader.next()?.type, 8);
      assert.equal(reader.next(), undefined);
    }
  });

  test("refuses every first byte but 0x10 at once and keeps nothing - 5.0 [MQTT-3.1.0-1] - attack STATE-01", () => {
    for (let first = 0; first < 256; first++) {
      const reader = new PacketReader({ side: "server" });
      reader.push(Uint8Array.of(first));
      if (first === 0x10) {
        assert.equal(reader.next(), undefined);
        continue;
      }
      assert.throws(() => reader.next());
      assert.equal(reader.bufferedBytes, 0);
    }
  });

  test("refuses what is sent to clients, from its first byte on - 0x82 - attack STATE-03", () => {
    for (const first of [0x20, 0x90, 0xb0, 0xd0]) {
      const { error } = readAll([Uint8Array.of(first)], { side: "server", version: 5 });
      assert(error instanceof ProtocolError);
      assert.equal(error.reasonCode, 0x82);
    }
  });
});

describe("PacketReader of a client", () => {
  test("needs a version", () => {
    assert.throws(() => new PacketReader({ side: "client" }), UsageError);
  });

  test("refuses what is sent to servers, from its first byte on - 0x82", () => {
    for (const first of [0x10, 0x82, 0xa2, 0xc0]) {
      const { error } = readAll([Uint8Array.of(first)], { side: "client", version: 5 });
      assert(error instanceof ProtocolError);
      assert.equal(error.reasonCode, 0x82);
    }
  });

  test("refuses DISCONNECT before 5.0: servers have none", () => {
    for (const version of [3, 4] as const) {
      assert(readAll([bytes("e0 00")], { side: "client", version }).error instanceof ProtocolError);
    }
    assert.deepEqual(readAll([bytes("e0 00")], { side: "client", version: 5 }).error, undefined);
  });
});

test("throws the same error at each call after the first and ignores what is pushed", () => {
  const reader = new PacketReader({ side: "server", version: 4 });
  reader.push(bytes("c0 00 00 c0 00"));
  assert.equal(reader.next()?.type, 12);
  let first: unknown;
  assert.throws(
    () => reader.next(),
    (error) => {
      first = error;
      return true;
    },
  );
  reader.push(bytes("c0 00"));
  assert.equal(reader.bufferedBytes, 0);
  assert.throws(
    () => reader.next(),
    (error) => error === first,
  );
});

test("counts in bufferedBytes what was pushed and not read", () => {
  const reader = new PacketReader({ side: "server", version: 4 });
  reader.push(bytes("c0 00 c0 00"));
  reader.push(bytes("c0 00 40"));
  assert.equal(reader.bufferedBytes, 7);
  for (const left of [5, 3, 1]) {
    assert.equal(reader.next()?.type, 12);
    assert.equal(reader.bufferedBytes, left);
  }
  assert.equal(reader.next(), undefined);
  assert.equal(reader.bufferedBytes, 1);
  reader.push(bytes("02 00"));
  assert.equal(reader.next(), undefined);
  assert.equal(reader.bufferedBytes, 3);
  reader.push(bytes("01 c0"));
  assert.equal(reader.next()?.type, 4);
  assert.equal(reader.bufferedBytes, 1);
});

describe("maximumPacketSize", () => {
  const publish = bytes(`30 05 0001 "a" "hi"`);

  test("lets pass a packet of exactly that size and refuses one byte more with 0x95", () => {
    assert.equal(readAll([publish], { side: "server", version: 4, maximumPacketSize: 7 }).packets.length, 1);
    const { packets, error } = readAll([publish], { side: "server", version: 4, maximumPacketSize: 6 });
    assert.deepEqual(packets, []);
    assert(error instanceof PacketTooLargeError);
    assert.equal(error.code, "PACKET_TOO_LARGE");
    assert.equal(error.reasonCode, 0x95);
  });

  test("is judged as soon as the fixed header is there, before the body arrives", () => {
    const { error } = readAll(slices(bytes("30 ff ff ff 7f"), 1), {
      side: "server",
      version: 4,
      maximumPacketSize: 1000,
    });
    assert(error instanceof PacketTooLargeError);
  });

  test("can be changed between two packets", () => {
    const reader = new PacketReader({ side: "server", version: 4, maximumPacketSize: 4 });
    reader.push(Uint8Array.of(...bytes("c0 00"), ...publish));
    assert.equal(reader.next()?.type, 12);
    reader.maximumPacketSize = 7;
    assert.equal(reader.next()?.type, 3);
  });
});

test("allocates for a cut packet what arrives, not what it announces - attack PARSE-01", () => {
  const before = process.memoryUsage().arrayBuffers;
  const readers = Array.from({ length: 100 }, () => new PacketReader({ side: "server", version: 4 }));
  for (const reader of readers) {
    reader.push(bytes("30 ff ff ff 7f 00 01 61"));
    assert.equal(reader.next(), undefined);
  }
  const grown = process.memoryUsage().arrayBuffers - before;
  assert(grown < 1_000_000, `${String(grown)} bytes for 100 announcements of 256 MB`);
  assert.equal(readers[0]?.bufferedBytes, 8);
});

test("decodes a packet that lies whole in its chunk in place", () => {
  const chunk = bytes(`c0 00 30 05 0001 "a" "hi"`);
  const reader = new PacketReader({ side: "server", version: 4 });
  reader.push(chunk);
  reader.next();
  const publish = reader.next();
  assert(publish?.type === 3);
  assert.equal(publish.source, chunk);
  assert.deepEqual([publish.payloadStart, publish.payloadEnd, publish.payloadLength], [7, 9, 2]);
});

test("keeps a PUBLISH intact that was read out of two chunks, whatever comes after", () => {
  const reader = new PacketReader({ side: "server", version: 4 });
  reader.push(bytes(`30 05 0001 "a"`));
  assert.equal(reader.next(), undefined);
  reader.push(bytes(`"hi" 30 05 0001`));
  const first = reader.next();
  assert.equal(reader.next(), undefined);
  reader.push(bytes(`"b" "xy"`));
  const second = reader.next();
  const common = {
    type: 3,
    qos: 0,
    retain: false,
    dup: false,
    packetId: 0,
    topicAlias: 0,
    messageExpiryInterval: -1,
  };
  const none = { subscriptionIdentifiers: [], forwarded: "" };
  assert.deepEqual(plain(first), { ...common, ...none, topicName: "a", payload: "6869" });
  assert.deepEqual(plain(second), { ...common, ...none, topicName: "b", payload: "7879" });
});

test("recognises a repeated topic and is not misled by others of the same length", () => {
  const topics = ["a/b", "a/b", "a/c", "\u00e9/", "\u00e9/", "a/b", "\u00c3\u00a9", "\u00e9/"];
  const stream = topics.flatMap((topic) => {
    const utf8 = new TextEncoder().encode(topic);
    return [0x30, 2 + utf8.length, 0, utf8.length, ...utf8];
  });
  const { packets } = readAll([Uint8Array.from(stream)], { side: "server", version: 4 });
  assert.deepEqual(
    packets.map((packet) => (packet as { topicName: string }).topicName),
    topics,
  );
});

describe("remaining length", () => {
  test("of a fifth byte is refused at the fourth - attack PARSE-01", () => {
    for (const version of [3, 4, 5] as const) {
      const reader = new PacketReader({ side: "server", version });
      reader.push(bytes("c0 80 80 80 80"));
      assert.throws(() => reader.next(), { code: "MALFORMED_PACKET", reasonCode: 0x81 });
    }
  });

  test("in a longer form than needed is malformed in 5.0 - 5.0 [MQTT-1.5.5-1]", () => {
    const { error } = readAll([bytes("c0 80 00")], { side: "server", version: 5 });
    assert.equal((error as { code: string }).code, "MALFORMED_PACKET");
    assert.equal(readAll([bytes("c0 80 00")], { side: "server", version: 4 }).packets.length, 1);
  });

  test("in a longer form than needed is malformed in the CONNECT of 5.0 too", () => {
    const long5 = bytes(`10 8e 00 0004 "MQTT" 05 02 003c 00 0001 "a"`);
    const long4 = bytes(`10 8d 00 0004 "MQTT" 04 02 003c 0001 "a"`);
    assert.equal((readAll([long5], { side: "server" }).error as { code: string }).code, "MALFORMED_PACKET");
    assert.equal(readAll([long4], { side: "server" }).packets.length, 1);
  });
});

describe("what is kept", () => {
  test("is what was pushed, and room for what is missing, until the packet ends or the reader is closed", () => {
    const reader = new PacketReader({ side: "server", version: 4 });
    const cut = Uint8Array.of(0x30, 0x80, 0x80, 0x04, 0x00, 0x01, 0x61);
    reader.push(cut);
    assert.equal(reader.next(), undefined);
    assert.ok(reader.heldBytes >= cut.length && reader.heldBytes <= 1_024, `${reader.heldBytes}`);
    reader.push(new Uint8Array(60_000));
    assert.equal(reader.next(), undefined);
    assert.ok(reader.heldBytes >= 60_000 && reader.heldBytes <= 120_100, `${reader.heldBytes}`);
    reader.push(new Uint8Array(5_533));
    assert.equal(reader.next()?.type, 3);
    assert.equal(reader.heldBytes, 0);
    reader.push(cut);
    reader.close();
    reader.push(cut);
    assert.deepEqual([reader.next(), reader.heldBytes], [undefined, 0]);
  });

  test("packets other than PUBLISH have a limit of their own", () => {
    const options = { side: "server", version: 4, maximumPacketSize: 100, maximumControlSize: 20 } as const;
    const of = (firstByte: number, bytes: number): Uint8Array =>
      Uint8Array.of(firstByte, bytes - 2, 0x00, 0x01, 0x61, ...new Uint8Array(bytes - 5));
    assert.equal(readAll([of(0x30, 100)], options).packets.length, 1);
    for (const packet of [of(0x30, 101), of(0xa2, 21)]) {
      assert.equal((readAll([packet], options).error as { code: string }).code, "PACKET_TOO_LARGE");
    }
  });
});

describe("readPacket", () => {
  test("reads one whole packet of either side", () => {
    assert.equal(readPacket(CONNECT_5, 5).type, 1);
    assert.equal(readPacket(bytes("d0 00"), 4).type, 13);
    assert.equal(readPacket(bytes(`30 06 0001 "a" 02 0b 01`), 5, "client").type, 3);
  });

  test("refuses less and more than one packet", () => {
    assert.throws(() => readPacket(bytes("c0"), 4), { code: "MALFORMED_PACKET" });
    assert.throws(() => readPacket(bytes("c0 00 c0"), 4), { code: "MALFORMED_PACKET" });
    assert.throws(() => readPacket(new Uint8Array(0), 4), { code: "MALFORMED_PACKET" });
  });
});
