// A record says after a crash what was put into it, up to the greatest numbers and the longest keys.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { TABLES } from "@heirloom/core";

import {
  findRecord,
  mostRecordBytes,
  readRecord,
  RecordEncoder,
  tellRecord,
} from "../dist/journal-record.js";
import type { RecordSink } from "../dist/journal-record.js";
import { batchOf } from "./support.ts";

const SALT = Buffer.from("saltsalt");

/** A sink that writes down what it is told, with the bytes that stand at each place. */
function listener(bytes: Buffer): { readonly told: unknown[]; readonly sink: RecordSink } {
  const told: unknown[] = [];
  const text = (at: number, byteCount: number) => bytes.toString("latin1", at, at + byteCount);
  const sink: RecordSink = {
    record: (table, key, at, byteCount) => told.push([table, key, text(at, byteCount)]),
    delete: (table, key) => told.push([table, key]),
    block: ({ logId, firstIndex, lastIndex }, at, byteCount) =>
      told.push([logId, firstIndex, lastIndex, text(at, byteCount)]),
    trim: (logId, endIndex) => told.push([logId, endIndex]),
  };
  return { told, sink };
}

const LAST = 2 ** 48 - 2;

const batch = batchOf((each) => {
  for (const table of TABLES) each.put(table, `key of ${table}`, Buffer.from(`value of ${table}`));
  for (const key of ["", "é🚲", "x".repeat(65_535), "é".repeat(32_767)])
    each.put("retained", key, Buffer.alloc(0));
  each.delete("session", "gone");
  each.append({
    logId: 2 ** 32 - 1,
    firstIndex: 2 ** 40 + 3,
    lastIndex: LAST,
    bytes: Buffer.from("entries"),
  });
  each.append({ logId: 0, firstIndex: 0, lastIndex: 0, bytes: Buffer.alloc(0) });
  each.trim(2 ** 31, 0, LAST + 1);
  each.trim(7, 5, 5);
});

describe("journal-record", () => {
  it("tells after reading what it told after writing: the batch, in its order", () => {
    const bytes = Buffer.alloc(64 + mostRecordBytes(batch), 0xff);
    const encoder = new RecordEncoder();
    const end = encoder.encode(bytes, 64, batch, LAST, SALT);
    assert.equal(end % 32, 0);
    const [written, read] = [listener(bytes), listener(bytes)];
    encoder.tell(batch, written.sink);
    const record = readRecord(bytes, 64, SALT);
    assert.ok(typeof record === "object");
    assert.deepEqual([record.sequence, record.end], [LAST, end]);
    tellRecord(bytes, record, read.sink);
    assert.deepEqual(read.told, written.told);
    assert.deepEqual(read.told, [
      ...batch.records.map(({ table, key, value }) =>
        value === undefined ? [table, key] : [table, key, Buffer.from(value).toString("latin1")],
      ),
      [2 ** 32 - 1, 2 ** 40 + 3, LAST, "entries"],
      [0, 0, 0, ""],
      [2 ** 31, LAST + 1],
    ]);
  });

  it("is never intact with any bit flipped, and never found at another place", () => {
    const small = batchOf((each) => each.put("session", "a", Buffer.from("1")));
    const bytes = Buffer.alloc(mostRecordBytes(small));
    const end = new RecordEncoder().encode(bytes, 0, small, 1, SALT);
    const used = bytes.lastIndexOf(SALT) + SALT.length;
    assert.ok(used <= end);
    for (let bit = 0; bit < used * 8; bit++) {
      const broken = Buffer.from(bytes);
      broken[bit >> 3] = (broken[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const isPadding = bit >> 3 === 22 || bit >> 3 === 23; // covered by the second checksum
      const found = readRecord(broken, 0, SALT);
      assert.equal(typeof found, "string", `bit ${bit}`);
      if (isPadding) assert.equal(found, "damaged");
    }
    const shifted = Buffer.concat([Buffer.alloc(16), bytes]);
    assert.equal(findRecord(shifted, 0, SALT), undefined);
    assert.equal(findRecord(Buffer.concat([Buffer.alloc(32), bytes]), 0, SALT), 32);
  });

  it("is torn at every length but its own", () => {
    const small = batchOf((each) => each.put("session", "a", Buffer.from("1")));
    const bytes = Buffer.alloc(mostRecordBytes(small));
    new RecordEncoder().encode(bytes, 0, small, 1, SALT);
    const used = bytes.lastIndexOf(SALT) + SALT.length;
    for (let length = 0; length < used; length++) {
      const found = readRecord(bytes.subarray(0, length), 0, SALT);
      assert.ok(found === "none" || found === "torn", `${length} bytes: ${JSON.stringify(found)}`);
    }
  });
});
