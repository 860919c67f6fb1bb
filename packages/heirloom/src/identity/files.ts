// Reading the files that an identity rests on. Whatever is wrong with one is an error with its name, without its text.

import { X509Certificate } from "node:crypto";
import { open } from "node:fs/promises";
import { ConfigError, messageOf } from "../errors.ts";

const MAXIMUM_FILE_BYTES = 64 * 2 ** 20;
const OTHERS_CAN_READ = 0o004;

/** A file as it was at one moment. */
export interface ReadFile {
  readonly bytes: Buffer;
  /** What an operator should look at: that every user of this machine can read it. */
  readonly warnings: readonly string[];
}

/** Reads a whole file. @throws ConfigError */
export async function readBytes(file: string): Promise<ReadFile> {
  try {
    const handle = await open(file, "r");
    try {
      const { mode, size } = await handle.stat();
      if (size > MAXIMUM_FILE_BYTES) throw new Error(`${size} bytes; at most ${MAXIMUM_FILE_BYTES} are read`);
      const isOpen = process.platform !== "win32" && (mode & OTHERS_CAN_READ) !== 0;
      const warning = `${file} can be read by every user of this machine: chmod o-r ${file}`;
      return { bytes: await handle.readFile(), warnings: isOpen ? [warning] : [] };
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw fileError(file, `cannot be read: ${messageOf(error)}`);
  }
}

/**
 * Reads the certificates that another server's has to come from.
 *
 * @throws ConfigError, also when there is none in it: Node would take all authorities that it knows instead.
 */
export async function readAuthorities(file: string): Promise<string> {
  const pem = (await readBytes(file)).bytes.toString("latin1");
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^]*?-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) throw fileError(file, "has nothing in it that is a certificate in PEM");
  for (const block of blocks) {
    try {
      new X509Certificate(block);
    } catch (error) {
      throw fileError(file, `has a certificate that cannot be read: ${messageOf(error)}`);
    }
  }
  return blocks.join("\n");
}

/** Bytes without a line end behind them: editors add one. */
export function withoutLineEnd(bytes: Buffer): Buffer {
  let end = bytes.length;
  while (end > 0 && (bytes[end - 1] === 0x0a || bytes[end - 1] === 0x0d)) end--;
  return bytes.subarray(0, end);
}

export function fileError(file: string, message: string, line?: number): ConfigError {
  return new ConfigError([{ option: "", message, ...(line === undefined ? {} : { line }) }], file);
}
