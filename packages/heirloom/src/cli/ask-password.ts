// Reads a password from standard input: a line of a pipe, or keys at a terminal that shows none of them.

import type { Readable, Writable } from "node:stream";
import type { ReadStream } from "node:tty";
import { ArgumentsError } from "./arguments.ts";

const MAXIMUM_BYTES = 65_536;
const ENTER = 0x0d;
const LINE_FEED = 0x0a;
const END_OF_TRANSMISSION = 0x04;
const INTERRUPT = 0x03;
const DELETE = 0x7f;
const BACKSPACE = 0x08;

/** The first line, without its end. */
export async function readLineOf(input: Readable): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of input as AsyncIterable<Uint8Array>) {
    chunks.push(chunk);
    length += chunk.length;
    if (chunk.includes(LINE_FEED) || length > MAXIMUM_BYTES) break;
  }
  const bytes = Buffer.concat(chunks);
  const end = bytes.indexOf(LINE_FEED);
  const line = end === -1 ? bytes : bytes.subarray(0, end);
  return line[line.length - 1] === ENTER ? line.subarray(0, -1) : line;
}

/** Asks twice. @throws ArgumentsError when the two differ, or when it was interrupted. */
export async function askTwice(input: ReadStream, output: Writable): Promise<Buffer> {
  const first = await ask("Password: ", input, output);
  const second = await ask("Once more: ", input, output);
  if (!first.equals(second)) throw new ArgumentsError("the two passwords differ; nothing was changed");
  return first;
}

async function ask(prompt: string, input: ReadStream, output: Writable): Promise<Buffer> {
  output.write(prompt);
  input.setRawMode(true);
  try {
    return await readKeys(input);
  } finally {
    input.setRawMode(false);
    output.write("\n");
  }
}

function readKeys(input: Readable): Promise<Buffer> {
  const bytes: number[] = [];
  return new Promise((resolve, reject) => {
    const done = (): void => {
      // At once: what was typed or pasted behind it belongs to the next question.
      input.pause();
      input.off("data", onData);
      input.off("end", onEnd);
    };
    const onEnd = (): void => {
      done();
      reject(new ArgumentsError("interrupted; nothing was changed"));
    };
    const onData = (chunk: Uint8Array): void => {
      for (const [index, byte] of chunk.entries()) {
        if (byte === ENTER || byte === LINE_FEED) {
          done();
          if (index + 1 < chunk.length) input.unshift(chunk.subarray(index + 1));
          resolve(Buffer.from(bytes));
          return;
        }
        if (byte === INTERRUPT || byte === END_OF_TRANSMISSION) {
          onEnd();
          return;
        }
        if (byte === DELETE || byte === BACKSPACE) deleteCharacter(bytes);
        else bytes.push(byte);
      }
    };
    input.on("data", onData);
    input.on("end", onEnd);
    input.resume();
  });
}

/** One character of UTF-8: its last byte, and those before it that only continue one. */
function deleteCharacter(bytes: number[]): void {
  while (((bytes.pop() ?? 0) & 0xc0) === 0x80);
}
