// UTF-8 as MQTT restricts it, compared with what the platform says.
import assert from "node:assert/strict";
import { test } from "node:test";
import { scanUtf8, utf8Length, UsageError, Writer } from "@heirloom/codec";
import { bytes } from "./helpers.ts";

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

// What Node's own decoder says, and no U+0000.
function expected(data: Uint8Array): number {
  if (data.includes(0)) return -1;
  try {
    return strict.decode(data).length;
  } catch {
    return -1;
  }
}

test("agrees with the platform on every sequence of one and two bytes - attack PARSE-13", () => {
  for (let first = 0; first < 256; first++) {
    assert.equal(scanUtf8(Uint8Array.of(first), 0, 1), expected(Uint8Array.of(first)));
    for (let second = 0; second < 256; second++) {
      const data = Uint8Array.of(first, second);
      assert.equal(scanUtf8(data, 0, 2), expected(data), Buffer.from(data).toString("hex"));
    }
  }
});

test("agrees with the platform where the ranges of longer sequences begin and end - attack PARSE-13", () => {
  const edges = [0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff];
  for (let first = 0xe0; first < 0x100; first++) {
    for (const second of edges) {
      for (const third of edges) {
        for (const fourth of edges) {
          const data = Uint8Array.of(first, second, third, fourth);
          assert.equal(scanUtf8(data, 0, 4), expected(data), Buffer.from(data).toString("hex"));
          assert.equal(scanUtf8(data, 0, 3), expected(data.subarray(0, 3)));
        }
      }
    }
  }
});

test("does not look beyond the end of a sequence that is cut - attack PARSE-13", () => {
  const data = bytes("61 e282ac");
  assert.equal(scanUtf8(data, 0, 4), 2);
  assert.equal(scanUtf8(data, 0, 3), -1);
});

test("utf8Length agrees with the platform", () => {
  for (const text of [
    "",
    "a",
    "\u007f\u0080",
    "\u07ff\u0800",
    "\uffff",
    "\u{10000}",
    "a\u00e9\u20ac\u{1f600}",
  ]) {
    assert.equal(utf8Length(text), Buffer.byteLength(text));
  }
});

test("writes every character but U+0000 and surrogates as the platform does", () => {
  const writer = new Writer();
  for (let point = 0; point <= 0x10ffff; point += point < 0x1_0000 ? 1 : 0x101) {
    const text = String.fromCodePoint(point);
    writer.reset();
    if (point === 0 || (point >= 0xd800 && point <= 0xdfff)) {
      assert.throws(() => {
        writer.string(text);
      }, UsageError);
      continue;
    }
    writer.string(text);
    const length = Buffer.byteLength(text);
    assert.equal(writer.length, 2 + length);
    assert.equal(
      Buffer.from(writer.bytes.subarray(2, 2 + length)).compare(Buffer.from(text)),
      0,
      point.toString(16),
    );
  }
});
