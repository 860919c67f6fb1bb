// One segment of the journal: a file in use, the same bytes in memory, and what its records brought. Some of that may have been
// replaced or trimmed by later segments.

import type { Table } from "@heirloom/core";

import { HEADER_BYTES } from "./journal-file.ts";
import type { JournalFile } from "./journal-file.ts";

/** A record. */
export interface Cell {
  readonly table: Table;
  readonly key: string;
  /** The newest segment that holds it. */
  segment: Segment;
  at: number;
  /** -1: it was deleted. */
  byteCount: number;
}

/** A block of a log. */
export interface BlockPlace {
  readonly firstIndex: number;
  readonly lastIndex: number;
  readonly segment: Segment;
  readonly at: number;
  readonly byteCount: number;
}

/** The blocks of one log that are not in the database, in order. */
export interface LogTail {
  readonly logId: number;
  readonly blocks: BlockPlace[];
  /** The newest segment that holds one. */
  segment: Segment;
  /** Blocks that end before this index are gone. */
  trimmedTo: number;
}

export interface SegmentParts {
  /** Segments are numbered in the order in which they were begun. */
  readonly number: number;
  readonly file: JournalFile;
  readonly salt: Buffer;
  /** What stands in the file, from its start. */
  readonly image: Buffer;
  readonly end: number;
  readonly lastSequence: number;
}

export class Segment {
  readonly number: number;
  readonly file: JournalFile;
  readonly salt: Buffer;
  image: Buffer;
  /** Offset behind the last record. */
  end: number;
  /** Sequence number of its last record. */
  lastSequence: number;
  /** The records of which it brought a value. */
  readonly cells: Cell[] = [];
  /** The logs of which it brought blocks. */
  readonly tails: LogTail[] = [];

  constructor({ number, file, salt, image, end, lastSequence }: SegmentParts) {
    this.number = number;
    this.file = file;
    this.salt = salt;
    this.image = image;
    this.end = end;
    this.lastSequence = lastSequence;
  }

  /** Sees to it that the image has room for so many more bytes. */
  reserve(byteCount: number): void {
    const needed = this.end + byteCount;
    if (needed <= this.image.length) return;
    const larger = Buffer.allocUnsafeSlow(needed);
    this.image.copy(larger, 0, 0, Math.max(this.end, HEADER_BYTES));
    this.image = larger;
  }

  /** A view of the image, valid until the segment is released. */
  view(at: number, byteCount: number): Buffer {
    return this.image.subarray(at, at + byteCount);
  }

  /** A copy of bytes of the image. Not a Buffer: its `slice` makes no copy, and a reader of the port may rely on one. */
  copy(at: number, byteCount: number): Uint8Array {
    return new Uint8Array(this.view(at, byteCount));
  }
}
