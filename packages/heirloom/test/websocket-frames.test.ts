// Frames of WebSocket, in every slicing. RFC 6455 section 5.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { binaryFrame, closeFrame, FrameReader, pongFrame } from "../dist/transports/websocket-frames.js";

const BINARY = 0x82;
const PING = 0x89;

/** A frame of a client, masked. */
function masked(
  first: number,
  payload: Uint8Array,
  key: readonly number[] = [0x11, 0x22, 0x33, 0x44],
): Buffer {
  const { length } = payload;
  const header =
    length < 126
      ? Buffer.of(first, 0x80 | length)
      : length < 65_536
        ? Buffer.of(first, 0xfe, length >> 8, length & 0xff)
        : Buffer.concat([
            Buffer.of(first, 0xff, 0, 0, 0, 0),
            Buffer.of(length >>> 24, length >> 16, length >> 8, length),
          ]);
  return Buffer.concat([
    header,
    Buffer.from(key),
    payload.map((byte, index) => byte ^ (key[index % 4] ?? 0)),
  ]);
}

/** What a reader finds in bytes that arrive in chunks of one size: data as one text, everything else as a line. */
function found(bytes: Uint8Array, chunkLength: number = bytes.length): { data: Buffer; events: string[] } {
  let data = Buffer.alloc(0);
  const events: string[] = [];
  const reader = new FrameReader({
    data: (part) => (data = Buffer.concat([data, part])),
    ping: (payload) => events.push(`ping ${Buffer.from(payload).toString()}`),
    closedByFrame: () => events.push("closed"),
    failed: (closeCode, message) => events.push(`${closeCode} ${message}`),
  });
  for (let start = 0; start < bytes.length; start += chunkLength) {
    // A chunk of its own: the reader writes into it.
    reader.push(Buffer.from(bytes.subarray(start, start + chunkLength)));
  }
  return { data, events };
}

describe("FrameReader", () => {
  it("finds the same in every slicing", () => {
    const payloads = [0, 1, 5, 125, 126, 127, 300].map((length) => Buffer.alloc(length, length & 0xff));
    const bytes = Buffer.concat([
      ...payloads.map((payload) => masked(BINARY, payload)),
      masked(0x02, Buffer.from("frag")),
      masked(PING, Buffer.from("inside")),
      masked(0x00, Buffer.from("ment")),
      masked(0x80, Buffer.from("ed")),
      masked(0x8a, Buffer.from("a pong that nobody asked for")),
      masked(0x88, Buffer.of(3, 232)),
      masked(BINARY, Buffer.from("behind the close")),
    ]);
    const expected = {
      data: Buffer.concat([...payloads, Buffer.from("fragmented")]),
      events: ["ping inside", "closed"],
    };
    for (let chunkLength = 1; chunkLength <= bytes.length; chunkLength++) {
      assert.deepEqual(found(bytes, chunkLength), expected, `in chunks of ${chunkLength}`);
    }
  });

  it("reads lengths of 64 bits", () => {
    const payload = Buffer.alloc(70_000, 7);
    assert.deepEqual(found(masked(BINARY, payload)).data, payload);
    assert.deepEqual(found(masked(BINARY, payload), 16_384).data, payload);
  });

  it("hands on all frames of a chunk at once", () => {
    const parts: string[] = [];
    const reader = new FrameReader({
      data: (bytes) => parts.push(Buffer.from(bytes).toString()),
      ping: () => {},
      closedByFrame: () => {},
      failed: () => {},
    });
    reader.push(Buffer.concat(["a", "b", "c"].map((text) => masked(BINARY, Buffer.from(text)))));
    assert.deepEqual(parts, ["abc"]);
  });

  const faults: readonly (readonly [name: string, bytes: Uint8Array, event: string])[] = [
    [
      "a text frame",
      masked(0x81, Buffer.from("x")),
      "1003 a text frame was received, expected binary frames",
    ],
    ["reserved bits", masked(0xc2, Buffer.from("x")), "1002 a frame has reserved bits set"],
    ["no mask", Buffer.of(BINARY, 1, 65), "1002 a frame of a client is not masked"],
    ["an unknown opcode", masked(0x83, Buffer.from("x")), "1002 a frame has the unknown opcode 3"],
    [
      "a continuation of nothing",
      masked(0x80, Buffer.from("x")),
      "1002 a continuation frame continues nothing",
    ],
    [
      "a message inside of a message",
      Buffer.concat([masked(0x02, Buffer.alloc(0)), masked(BINARY, Buffer.from("x"))]),
      "1002 a new message begins inside of a fragmented one",
    ],
    ["a fragmented ping", masked(0x09, Buffer.from("x")), "1002 a control frame is fragmented or too long"],
    ["a long ping", masked(PING, Buffer.alloc(126)), "1002 a control frame is fragmented or too long"],
  ];
  for (const [name, bytes, event] of faults) {
    it(`fails on ${name}, after what came before it, and reads nothing more`, () => {
      const all = Buffer.concat([
        masked(BINARY, Buffer.from("before")),
        bytes,
        masked(BINARY, Buffer.from("behind")),
      ]);
      for (const chunkLength of [1, 3, all.length]) {
        const { data, events } = found(all, chunkLength);
        assert.equal(data.toString(), "before");
        assert.deepEqual(events, [event]);
      }
    });
  }
});

describe("frames of the server", () => {
  it("have the shortest length, and no mask", () => {
    assert.deepEqual([...binaryFrame(Uint8Array.of(1, 2))], [0x82, 2, 1, 2]);
    assert.deepEqual([...binaryFrame(new Uint8Array(126))].slice(0, 5), [0x82, 126, 0, 126, 0]);
    assert.deepEqual(
      [...binaryFrame(new Uint8Array(65_536))].slice(0, 11),
      [0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0, 0],
    );
    assert.deepEqual([...pongFrame(Uint8Array.of(9))], [0x8a, 1, 9]);
    assert.deepEqual([...closeFrame(1_000)], [0x88, 2, 3, 232]);
  });
});
