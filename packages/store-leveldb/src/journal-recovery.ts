// Reads a file of the journal after a crash: its records, and what is neither a record nor the torn end of the last write.

import { HEADER_BYTES } from "./journal-file.ts";
import type { JournalHeader } from "./journal-file.ts";
import { findRecord, readRecord, RECORD_ALIGNMENT, sequenceAt } from "./journal-record.ts";
import type { FoundRecord } from "./journal-record.ts";

/** Bytes that were a record once. */
export interface JournalFault {
  readonly start: number;
  readonly end: number;
  /** The greatest sequence number that a record there may have had. */
  readonly lastSequence: number;
  readonly reason: string;
}

export interface SegmentReading extends JournalHeader {
  readonly bytes: Buffer;
  readonly records: readonly FoundRecord[];
  readonly faults: readonly JournalFault[];
  /** Offset behind everything that was found. */
  readonly end: number;
}

/**
 * Reads all records of a file. One commit runs at a time, so only the last record can be torn: what cannot be read and has
 * records behind it is damage, and so is a last record that was written to its end and has another checksum now.
 */
export function readSegment(bytes: Buffer, header: JournalHeader): SegmentReading {
  const records: FoundRecord[] = [];
  const faults: JournalFault[] = [];
  let at = HEADER_BYTES;
  for (;;) {
    const record = readRecord(bytes, at, header.salt);
    if (typeof record === "object") {
      records.push(record);
      at = record.end;
      continue;
    }
    const next = findRecord(bytes, at + RECORD_ALIGNMENT, header.salt);
    const end = next ?? bytes.length;
    if (next !== undefined) {
      const lastSequence = sequenceAt(bytes, next) - 1;
      faults.push({ start: at, end, lastSequence, reason: "no intact record, expected one" });
    } else if (record === "damaged") {
      const lastSequence = sequenceAt(bytes, at);
      faults.push({ start: at, end, lastSequence, reason: "a record with a wrong checksum" });
    }
    if (next === undefined) return { ...header, bytes, records, faults, end: at };
    at = next;
  }
}
