// One file of the journal: its header, and writes that are on disk when they are done. Its space is written with zeros ahead
// of time and used again and again: a sync of bytes within a file costs a third less than one that makes the file longer.
//
//   "hljournl" (8) | format u8 = 1 | segment u48 | salt (8) | crc32 of these (u32) | zeros to 64

import { randomBytes } from "node:crypto";
import { close, constants, fdatasync, ftruncate, open, write } from "node:fs";
import { promisify } from "node:util";
import { crc32 } from "node:zlib";

import { SALT_BYTES } from "./journal-record.ts";

/** Bytes of a file's header. */
export const HEADER_BYTES = 64;

const MAGIC = Buffer.from("hljournl");
const FORMAT = 1;
const SEGMENT_AT = MAGIC.length + 1;
const SALT_AT = SEGMENT_AT + 6;
const CRC_AT = SALT_AT + SALT_BYTES;

/** A file grows by as much as it has, within these bounds. */
const LEAST_GROWTH_BYTES = 65_536;
const MOST_GROWTH_BYTES = 1024 * 1024;

/** What a file says about its present use. */
export interface JournalHeader {
  /** The segments of the journal are numbered in the order in which they were begun. */
  readonly segment: number;
  readonly salt: Buffer;
}

export function newHeader(segment: number): JournalHeader {
  return { segment, salt: randomBytes(SALT_BYTES) };
}

/** Writes a header to the start of `target`. */
export function writeHeader(target: Buffer, { segment, salt }: JournalHeader): void {
  target.fill(0, 0, HEADER_BYTES);
  MAGIC.copy(target, 0);
  target.writeUInt8(FORMAT, MAGIC.length);
  target.writeUIntBE(segment, SEGMENT_AT, 6);
  salt.copy(target, SALT_AT);
  target.writeUInt32BE(crc32(target.subarray(0, CRC_AT)), CRC_AT);
}

/** The header of a file; `"unused"` when nothing was ever written there, `"damaged"` when it is something else. */
export function readHeader(bytes: Buffer): JournalHeader | "unused" | "damaged" {
  const header = bytes.subarray(0, HEADER_BYTES);
  if (header.every((byte) => byte === 0)) return "unused";
  if (header.length < HEADER_BYTES || header.readUInt32BE(CRC_AT) !== crc32(header.subarray(0, CRC_AT)))
    return "damaged";
  if (!header.subarray(0, MAGIC.length).equals(MAGIC) || header[MAGIC.length] !== FORMAT) return "damaged";
  return {
    segment: header.readUIntBE(SEGMENT_AT, 6),
    salt: Buffer.from(header.subarray(SALT_AT, CRC_AT)),
  };
}

// Linux syncs in the call that writes: one way to the thread pool and back instead of two. The flag is not enough on macOS,
// where only the sync reaches the disk itself, and there is none on Windows.
const DSYNC = process.platform === "linux" ? constants.O_DSYNC : 0;

const openFile = promisify(open);
const closeFile = promisify(close);
const syncFile = promisify(fdatasync);
const truncateFile = promisify(ftruncate);

export class JournalFile {
  readonly path: string;
  readonly #file: number;
  /** Bytes that the file has. */
  #size: number;

  private constructor(path: string, file: number, size: number) {
    this.path = path;
    this.#file = file;
    this.#size = size;
  }

  /** Opens a file that has `size` bytes, or creates it. */
  static async open(path: string, size: number): Promise<JournalFile> {
    return new JournalFile(
      path,
      await openFile(path, constants.O_RDWR | constants.O_CREAT | DSYNC, 0o600),
      size,
    );
  }

  /** Writes bytes at an offset. They are on disk when the promise resolves. */
  async write(bytes: Buffer, at: number): Promise<void> {
    if (at + bytes.length > this.#size) await this.#grow(at + bytes.length);
    await this.#write(bytes, at);
  }

  /** Everything that stands in the file is on disk when the promise resolves, whoever wrote it. */
  sync(): Promise<void> {
    return syncFile(this.#file);
  }

  /** Gives up everything behind the header. It need not be gone after a power cut. */
  async shrink(): Promise<void> {
    await truncateFile(this.#file, HEADER_BYTES);
    this.#size = HEADER_BYTES;
  }

  close(): Promise<void> {
    return closeFile(this.#file);
  }

  async #grow(needed: number): Promise<void> {
    while (this.#size < needed) {
      const growth = Math.min(MOST_GROWTH_BYTES, Math.max(LEAST_GROWTH_BYTES, this.#size));
      await this.#write(Buffer.alloc(growth), this.#size);
      this.#size += growth;
    }
  }

  #write(bytes: Buffer, at: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const writeFrom = (start: number): void => {
        write(this.#file, bytes, start, bytes.length - start, at + start, (error, written) => {
          // A disk that is full takes a part first, and says so when it is asked for the rest.
          if (error !== null) reject(error);
          else if (start + written < bytes.length) writeFrom(start + written);
          else if (DSYNC !== 0) resolve();
          else fdatasync(this.#file, (failure) => (failure === null ? resolve() : reject(failure)));
        });
      };
      writeFrom(0);
    });
  }
}
