// The data types on their way out, and who owns the bytes.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { UsageError, Writer } from "@heirloom/codec";
import { hexOf } from "./helpers.ts";

function written(write: (writer: Writer) => void): string {
  const writer = new Writer();
  write(writer);
  return hexOf(writer.take());
}

describe("Writer", () => {
  test("writes Variable Byte Integers in their shortest form - 5.0 [MQTT-1.5.5-1]", () => {
    const forms: [value: number, hex: string][] = [
      [0, "00"],
      [127, "7f"],
      [128, "8001"],
      [16_383, "ff7f"],
      [16_384, "808001"],
      [2_097_151, "ffff7f"],
      [2_097_152, "80808001"],
      [268_435_455, "ffffff7f"],
    ];
    for (const [value, hex] of forms)
      assert.equal(
        written((writer) => {
          writer.varint(value);
        }),
        hex,
      );
  });

  test("writes integers with the most significant byte first", () => {
    assert.equal(
      written((writer) => {
        writer.u16(0x1234);
      }),
      "1234",
    );
    assert.equal(
      written((writer) => {
        writer.u32(0xfedcba98);
      }),
      "fedcba98",
    );
  });

  test("refuses numbers that do not fit and has then written nothing", () => {
    const writer = new Writer();
    for (const value of [-1, 0.5, NaN, 256])
      assert.throws(() => {
        writer.u8(value);
      }, UsageError);
    for (const value of [-1, 0.5, NaN, 65536])
      assert.throws(() => {
        writer.u16(value);
      }, UsageError);
    for (const value of [-1, 0.5, NaN, 2 ** 32])
      assert.throws(() => {
        writer.u32(value);
      }, UsageError);
    for (const value of [-1, 0.5, NaN, 268_435_456])
      assert.throws(() => {
        writer.varint(value);
      }, UsageError);
    assert.throws(() => {
      writer.packetId(0);
    }, UsageError);
    assert.equal(writer.length, 0);
  });

  test("takes strings of 65,535 bytes and refuses one more", () => {
    assert.equal(
      written((writer) => {
        writer.string("a".repeat(65_535));
      }).length,
      2 * 65_537,
    );
    const writer = new Writer();
    for (const text of ["a".repeat(65_536), "é".repeat(32_768)])
      assert.throws(() => {
        writer.string(text);
      }, UsageError);
    assert.equal(writer.length, 0);
  });

  test("appends parts of any length", () => {
    const source = Uint8Array.from({ length: 300 }, (_, index) => index);
    for (let length = 0; length <= 300 - 7; length++) {
      assert.equal(
        written((writer) => {
          writer.append(source, 7, 7 + length);
        }),
        hexOf(source.subarray(7, 7 + length)),
      );
    }
  });

  test("hands over arrays that later writes do not touch, whether the buffer is full or nearly empty", () => {
    for (const size of [1, 200, 300, 512, 5000]) {
      const writer = new Writer();
      writer.append(new Uint8Array(size).fill(1), 0, size);
      const taken = writer.take();
      assert.equal(writer.length, 0);
      writer.append(new Uint8Array(size).fill(2), 0, size);
      assert.deepEqual(taken, new Uint8Array(size).fill(1));
      assert.deepEqual(writer.take(), new Uint8Array(size).fill(2));
    }
    assert.equal(new Writer().take().length, 0);
  });

  test("lets go of a large buffer when it is reset", () => {
    const writer = new Writer();
    writer.reserve(100_000);
    writer.reset();
    assert.equal(writer.bytes.length, 0);
    writer.reserve(1000);
    const small = writer.bytes;
    writer.reset();
    assert.equal(writer.bytes, small);
  });
});
