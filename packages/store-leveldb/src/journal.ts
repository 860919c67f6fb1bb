// The journal: each commit is one record, appended to a file and on disk with one write. Its files are segments: the oldest
// is applied to the database and then used again, so that what was replaced or trimmed meanwhile never gets there.

import { readdir, readFile, rm, stat } from "node:fs/promises";
import { basename, join } from "node:path";

import { StoreBatch } from "@heirloom/core";

import type { DamageList } from "./damage-list.ts";
import { syncDirectory } from "./data-directory.ts";
import { HEADER_BYTES, JournalFile, newHeader, readHeader, writeHeader } from "./journal-file.ts";
import { mostRecordBytes, RecordEncoder, tellRecord } from "./journal-record.ts";
import type { RecordSink } from "./journal-record.ts";
import { readSegment } from "./journal-recovery.ts";
import type { SegmentReading } from "./journal-recovery.ts";
import { Segment } from "./segment.ts";

const FILE_NAME = /^(\d{7,})\.journal$/;

/** Room behind a segment for the record that completes it. A larger record gets memory of its own. */
const SPARE_BYTES = 262_144;

/** A disk may write the sectors of one write in any order: from what is left nobody can tell which of the two it was. */
const LAST_RECORD = "the last one: damaged, or never acknowledged because a power cut broke it off";

/** A file without use, and the memory that goes with it. */
interface Spare {
  readonly file: JournalFile;
  readonly image?: Buffer;
}

export interface JournalOptions {
  readonly path: string;
  /** Bytes after which a segment is complete. */
  readonly segmentBytes: number;
  readonly damage: DamageList;
}

export class Journal {
  readonly #options: JournalOptions;
  readonly #encoder = new RecordEncoder();
  /** Segments that are complete, the oldest first. */
  readonly #complete: Segment[] = [];
  /** The segment that is written. */
  #current: Segment | undefined;
  /**
   * Files without use, the one that was released first in front. It is used first, so that the records in all files are always
   * an unbroken row: to apply them a second time changes nothing.
   */
  readonly #free: Spare[] = [];
  /** Files with damage that could not be copied. They are not used again. */
  readonly #kept = new Set<JournalFile>();
  #fileNumber = 0;
  #segmentNumber = 0;
  /** Sequence number of the newest record. */
  #sequence = 0;
  #applied = 0;
  /** Segments up to this commit leave nothing in their files when they are released. */
  #emptyTo = -1;
  #appending: Promise<Segment> | undefined;
  #liveBytes = 0;

  constructor(options: JournalOptions) {
    this.#options = options;
  }

  /** Bytes of the records that are not in the database yet. */
  get liveBytes(): number {
    return this.#liveBytes;
  }

  /** Sequence number of the newest record that the database has. */
  get applied(): number {
    return this.#applied;
  }

  /** Sequence number of the newest commit. */
  get newest(): number {
    return this.#sequence;
  }

  /** Segments that are complete. */
  get segmentCount(): number {
    return this.#complete.length;
  }

  /** The oldest complete segment. */
  get oldest(): Segment | undefined {
    return this.#complete[0];
  }

  /**
   * Reads what stands in the files and tells the records behind `applied`, the sequence number up to which the database has
   * them; all of them if that is not known. Damage is noted. New records begin in a new segment.
   *
   * @returns whether there was any file in use.
   */
  async recover(applied: number | undefined, sinkOf: (segment: Segment) => RecordSink): Promise<boolean> {
    const readings: { readonly reading: SegmentReading; readonly file: JournalFile }[] = [];
    for (const name of await readdir(this.#options.path)) {
      const number = Number(FILE_NAME.exec(name)?.[1]);
      if (Number.isNaN(number)) continue;
      this.#fileNumber = Math.max(this.#fileNumber, number);
      const path = join(this.#options.path, name);
      const { size } = await stat(path);
      const file = await JournalFile.open(path, size);
      // A process that was killed may have written a record and not synced it. From now on it counts, so it has to stay.
      await file.sync();
      const bytes = await readFile(path);
      const header = readHeader(bytes);
      if (typeof header === "object") {
        readings.push({ reading: readSegment(bytes, header), file });
        continue;
      }
      const isKept = header === "damaged" && !(await this.#note(name, 0, bytes, "no header of a journal"));
      // The next start finds it again, and may have space for a copy.
      if (isKept) await file.close();
      else this.#free.push({ file });
    }
    readings.sort((one, other) => one.reading.segment - other.reading.segment);
    const firstSequences = readings.map(({ reading }) => reading.records[0]?.sequence ?? Infinity);
    const first = Math.min(...firstSequences);
    this.#sequence = applied ?? (first === Infinity ? 0 : first - 1);
    this.#applied = this.#sequence;
    for (const [at, { reading, file }] of readings.entries()) {
      await this.#take(reading, file, Math.min(...firstSequences.slice(at + 1)), sinkOf);
    }
    return readings.length > 0;
  }

  /** Writes an empty record, so that there is a file in use. */
  async begin(): Promise<void> {
    await this.append(new StoreBatch());
  }

  /**
   * Appends a batch as one record; it is on disk when the promise resolves. After a failure the next record gets the same
   * place, so that nothing of the failed one is left.
   *
   * @returns the segment that holds it.
   */
  append(batch: StoreBatch): Promise<Segment> {
    const appending = this.#append(batch).finally(() => {
      this.#appending = undefined;
    });
    this.#appending = appending;
    return appending;
  }

  async #append(batch: StoreBatch): Promise<Segment> {
    const segment = (this.#current ??= await this.#begin());
    segment.reserve(HEADER_BYTES + mostRecordBytes(batch));
    const start = Math.max(segment.end, HEADER_BYTES);
    const end = this.#encoder.encode(segment.image, start, batch, this.#sequence + 1, segment.salt);
    await segment.file.write(segment.image.subarray(segment.end, end), segment.end);
    this.#liveBytes += end - segment.end;
    segment.end = end;
    segment.lastSequence = ++this.#sequence;
    if (end >= this.#options.segmentBytes) this.complete();
    return segment;
  }

  /** Tells where the values of the batch stand that was appended last. */
  tell(batch: StoreBatch, sink: RecordSink): void {
    this.#encoder.tell(batch, sink);
  }

  /** Ends the segment that is written: the next record begins another. */
  complete(): void {
    if (this.#current === undefined) return;
    if (this.#current.end > 0) this.#complete.push(this.#current);
    else this.#free.unshift({ file: this.#current.file });
    this.#current = undefined;
  }

  /**
   * Takes what is not needed any more out of the files: at once out of those without use, out of the others when they are
   * released. The segment that is written ends.
   *
   * @returns the newest commit; when the database has it, nothing older is in the files.
   */
  async empty(): Promise<number> {
    await this.#shrink();
    await this.#appending?.catch(() => undefined); // its caller has the error
    this.complete();
    this.#emptyTo = this.#sequence;
    return this.#sequence;
  }

  /** The database has the oldest segment: its file is free for another. */
  async release(): Promise<void> {
    const segment = this.#complete.shift();
    if (segment === undefined) return;
    const { number, file, image, end, lastSequence } = segment;
    this.#liveBytes -= end;
    this.#applied = lastSequence;
    if (this.#kept.delete(file)) await this.#putAside(file, number);
    else if (end <= this.#imageBytes && lastSequence > this.#emptyTo) this.#free.push({ file, image });
    else await this.#shrink(file);
  }

  /** Takes a file out of use whose damage is nowhere else. Those that were released before it lose their records, as in {@link #shrink}. */
  async #putAside(file: JournalFile, segment: number): Promise<void> {
    for (const spare of this.#free) await spare.file.shrink();
    await file.close();
    await this.#options.damage.moveAside(file.path, `${basename(file.path)}-${segment}`);
  }

  /**
   * Cuts a released file down: it is to be empty, or a large commit has blown it up. Its header stays, so that there is always a
   * file in use. The files that were released before it lose their records first: those would be the newest ones of their keys otherwise.
   */
  async #shrink(...released: readonly JournalFile[]): Promise<void> {
    const files = [...this.#free.splice(0).map(({ file }) => file), ...released];
    for (const file of files) await file.shrink();
    this.#free.push(...files.map((file) => ({ file })));
  }

  /** Closes the files, and removes them if the database has everything. */
  async close(isApplied: boolean): Promise<void> {
    this.complete();
    const spares = [...this.#free, ...this.#complete];
    this.#free.length = this.#complete.length = 0;
    this.#liveBytes = 0;
    for (const { file } of spares) await (isApplied ? remove(file) : file.close());
  }

  get #imageBytes(): number {
    return this.#options.segmentBytes + SPARE_BYTES;
  }

  async #begin(): Promise<Segment> {
    const { file, image: former } = this.#free.shift() ?? (await this.#newFile());
    const image = former?.length === this.#imageBytes ? former : Buffer.allocUnsafeSlow(this.#imageBytes);
    const { segment: number, salt } = newHeader(++this.#segmentNumber);
    writeHeader(image, { segment: number, salt });
    return new Segment({ number, file, salt, image, end: 0, lastSequence: this.#sequence });
  }

  async #newFile(): Promise<Spare> {
    const name = `${String(++this.#fileNumber).padStart(7, "0")}.journal`;
    const file = await JournalFile.open(join(this.#options.path, name), 0);
    await syncDirectory(this.#options.path);
    return { file };
  }

  /**
   * Takes up a segment of the process before. What becomes of it, and of what cannot be read in it:
   *
   *   all of it is in the database            the file is free, nothing is told: no commit is missing
   *   torn, at the end                        left out, nothing is told: it was never acknowledged (`readSegment` tells no fault)
   *   damaged, the database has that commit   nothing is told
   *   damaged, the next segment goes on with  nothing is told: the start in between took it for the torn end of its journal, or
   *     the same sequence number                told it
   *   a record in front of which the next     left out, nothing is told: the disk was full, and its commit was refused
   *     segment goes on
   *   damaged otherwise                       told, with a copy; the records around it are taken
   *   a gap in front of a record, no damage   told as missing commits: a whole file is gone
   *     there
   *
   * @param following sequence number with which the segments behind it go on
   */
  async #take(
    reading: SegmentReading,
    file: JournalFile,
    following: number,
    sinkOf: (segment: Segment) => RecordSink,
  ): Promise<void> {
    const { segment: number, salt, end, bytes } = reading;
    // The same holds for a record that was refused although it got to the disk.
    const records = reading.records.filter(({ sequence }) => sequence < following);
    // What the database has is not missing. And at what the last process before us could not read, new records went on with
    // the same sequence number: it was never acknowledged, or told by that process.
    const faults = reading.faults.filter(
      ({ lastSequence }) => lastSequence > this.#sequence && lastSequence < following,
    );
    const name = basename(file.path);
    this.#segmentNumber = number;
    const newest = records.at(-1)?.sequence ?? 0;
    if (newest <= this.#sequence && faults.length === 0) {
      // A crash may have come before it was cut down, see `release`.
      if (end <= this.#imageBytes) this.#free.push({ file });
      else await this.#shrink(file);
      return;
    }
    for (const fault of faults) {
      const isLast = fault.end === bytes.length && following === Infinity;
      const reason = isLast ? `${fault.reason}, ${LAST_RECORD}` : fault.reason;
      const isCopied = await this.#note(name, fault.start, bytes.subarray(fault.start, fault.end), reason);
      if (!isCopied) this.#kept.add(file);
    }
    const lastSequence = Math.max(this.#sequence, newest);
    const segment = new Segment({ number, file, salt, image: bytes, end, lastSequence });
    const sink = sinkOf(segment);
    for (const record of records) {
      const { sequence, start } = record;
      if (sequence <= this.#sequence) continue;
      // What is missing in front of a record because it is damaged was told.
      const isTold = faults.some((fault) => fault.end === start);
      if (sequence > this.#sequence + 1 && !isTold) this.#noteMissing(this.#sequence + 1, sequence - 1);
      tellRecord(bytes, record, sink);
      this.#sequence = sequence;
    }
    this.#complete.push(segment);
    this.#liveBytes += end;
  }

  /** @returns whether the bytes were copied. */
  #note(name: string, start: number, bytes: Buffer, reason: string): Promise<boolean> {
    const place = `journal ${name}, ${bytes.length} bytes from ${start} on`;
    return this.#options.damage.setAside(place, reason, "journal", Buffer.from(name), bytes);
  }

  #noteMissing(first: number, last: number): void {
    this.#options.damage.note(
      `journal, commits ${first} to ${last}`,
      "missing, expected commit after commit",
    );
  }
}

async function remove(file: JournalFile): Promise<void> {
  await file.close();
  await rm(file.path, { force: true });
}
