// Every way in which one bit or the end of a journal can be wrong: a record is read as it was written, or not at all.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { HEADER_BYTES, newHeader, readHeader, writeHeader } from "../dist/journal-file.js";
import { mostRecordBytes, RecordEncoder, tellRecord } from "../dist/journal-record.js";
import { readSegment } from "../dist/journal-recovery.js";
import { batchOf, block } from "./support.ts";

const KEYS = ["a", "b", "c", "d"];

/** A journal of four records, each of another size, and the zeros that a file has behind them. */
function journal(): { readonly bytes: Buffer; readonly starts: readonly number[]; readonly end: number } {
  const header = newHeader(1);
  const bytes = Buffer.alloc(4_096);
  writeHeader(bytes, header);
  const starts: number[] = [];
  let at = HEADER_BYTES;
  for (const [index, key] of KEYS.entries()) {
    const batch = batchOf((each) => {
      each.put("session", key, Buffer.alloc(20 * index, key));
      each.append(block(1, index, index, 30));
      if (index === 2) each.delete("retained", "gone");
      each.trim(1, 0, index);
    });
    assert.ok(at + mostRecordBytes(batch) <= bytes.length);
    starts.push(at);
    at = new RecordEncoder().encode(bytes, at, batch, index + 1, header.salt);
  }
  return { bytes, starts, end: at };
}

/** By sequence number, what each record that was found says. */
function read(bytes: Buffer): { readonly found: ReadonlyMap<number, string>; readonly faults: number } {
  const header = readHeader(bytes);
  if (typeof header === "string") return { found: new Map(), faults: 1 };
  const { records, faults } = readSegment(bytes, header);
  const found = new Map<number, string>();
  for (const record of records) {
    const told: unknown[] = [];
    const text = (at: number, byteCount: number) => bytes.toString("latin1", at, at + byteCount);
    tellRecord(bytes, record, {
      record: (table, key, at, byteCount) => told.push([table, key, text(at, byteCount)]),
      delete: (table, key) => told.push([table, key]),
      block: (extent, at, byteCount) => told.push([{ ...extent }, text(at, byteCount)]),
      trim: (logId, endIndex) => told.push([logId, endIndex]),
    });
    found.set(record.sequence, JSON.stringify(told));
  }
  return { found, faults: faults.length };
}

describe("readSegment", () => {
  it("reads with any bit flipped what is intact, tells that something is not, and never alters anything - attack STORE-01", () => {
    const { bytes, starts, end } = journal();
    const intact = read(bytes);
    assert.deepEqual([[...intact.found.keys()], intact.faults], [[1, 2, 3, 4], 0]);
    for (let bit = 0; bit < end * 8; bit++) {
      const at = bit >> 3;
      const broken = Buffer.from(bytes);
      broken.writeUInt8(broken.readUInt8(at) ^ (1 << (bit & 7)), at);
      const { found, faults } = read(broken);
      for (const [sequence, text] of found) assert.equal(text, intact.found.get(sequence), `bit ${bit}`);
      if (at < HEADER_BYTES) continue;
      // The record that has the bit; the padding between two belongs to neither.
      const hit = starts.findLastIndex((start) => start <= at) + 1;
      for (const sequence of [1, 2, 3, 4])
        if (sequence !== hit) assert.ok(found.has(sequence), `record ${sequence} with bit ${bit} of ${hit}`);
      // The end of a last record may be missing because a crash broke the write off: then nobody was told that it is there.
      if (hit < 4) assert.equal(faults, found.has(hit) ? 0 : 1, `bit ${bit} of record ${hit}`);
    }
  });

  it("reads of a journal that is cut at any byte the records in front of the cut, as they were - attack STORE-01", () => {
    const { bytes, starts, end } = journal();
    const intact = read(bytes);
    for (let length = 0; length <= end; length++) {
      for (const rest of [Buffer.alloc(0), Buffer.alloc(bytes.length - length)]) {
        const { found } = read(Buffer.concat([bytes.subarray(0, length), rest]));
        const whole = starts.filter((_, index) => (starts[index + 1] ?? end) <= length).length;
        // One whose padding alone is cut off is whole as well.
        assert.ok(found.size === whole || found.size === whole + 1, `${length} bytes: ${found.size}`);
        let expected = 1;
        for (const [sequence, text] of found) {
          assert.equal(sequence, expected++);
          assert.equal(text, intact.found.get(sequence), `${length} bytes`);
        }
      }
    }
  });
});
