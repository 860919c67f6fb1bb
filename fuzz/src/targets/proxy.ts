// The header of the PROXY protocol under any bytes: a header, a fault or the wish for more, never an exception; the same
// however the bytes arrive and whatever follows; and a client's address that can be written and read again.
//
//   input: | how it begins, size of slices, command, family | bytes ... |

import { isIP } from "node:net";
// Inside the package: no program has a use for it.
import {
  MAXIMUM_PROXY_HEADER,
  parseProxyHeader,
  type ProxyHeader,
} from "../../../packages/heirloom/dist/transports/proxy-protocol.js";
import { isSame } from "../same.ts";
import { holds, type Target } from "../target.ts";

const SIGNATURE = Uint8Array.of(13, 10, 13, 10, 0, 13, 10, 0x51, 0x55, 0x49, 0x54, 10);
const V2_FIXED = 16;

/** What the lowest bits of an input say; the others are a count of bytes. */
const Begin = { AS_IT_IS: 0, V1: 1, V2: 2, V2_LARGE: 3 } as const;
/** Of LARGE, the least bytes behind the fixed part: some are too many, some are not. */
const LARGE_BYTES = 500;
const COMMANDS = [0x21, 0x20, 0x21, 0x11];
/** Bytes of the addresses of each family. */
const ADDRESS_BYTES: ReadonlyMap<number, number> = new Map([
  [0x11, 12],
  [0x21, 36],
  [0x31, 216],
  [0x00, 0],
]);
const FAMILIES = [...ADDRESS_BYTES.keys()];

const LINES = [
  "TCP4 203.0.113.9 192.0.2.1 65535 65535\r\n",
  "TCP6 2001:db8::1 ::ffff:192.0.2.1 51234 1883\r\n",
  "UNKNOWN\r\n",
  "UNKNOWN ffff::1 ffff::2 65535 65535\r\n",
];
const TLVS = Uint8Array.of(4, 0, 3, 1, 2, 3, 0x20, 0, 0);
/** What the client sends: CONNECT. */
const CONNECT = Uint8Array.of(0x10, 0x0c, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 2, 0, 0, 0, 0);

export function makeTarget(): Target {
  return {
    name: "proxy",
    headerBytes: 4,
    // The mutator cuts most inputs to a quarter of it.
    maximumLength: 4 * (MAXIMUM_PROXY_HEADER + 64),
    seeds: [...lineSeeds(), ...binarySeeds()],
    run: (input) => {
      const [how = 0, size = 0, command = 0, family = 0] = input;
      play(streamOf(how, command, family, input.slice(4)), 1 + size);
    },
  };
}

function lineSeeds(): Uint8Array[] {
  return LINES.map((line) =>
    Uint8Array.of(Begin.V1, 15, 0, 0, ...new TextEncoder().encode(line), ...CONNECT),
  );
}

function binarySeeds(): Uint8Array[] {
  const behind = Begin.V2 | (CONNECT.length << 2);
  return FAMILIES.flatMap((family, index) => {
    const addresses = new Uint8Array(ADDRESS_BYTES.get(family) ?? 0).fill(7);
    return [
      Uint8Array.of(behind, 15, 0, index, ...addresses, ...CONNECT),
      Uint8Array.of(behind, 15, 1, index, ...addresses, ...TLVS, ...CONNECT),
      Uint8Array.of(Begin.V2_LARGE, 99, 0, index, ...addresses),
    ];
  });
}

/** Most inputs get a beginning that is right: chance alone would hardly come behind it. */
function streamOf(how: number, command: number, family: number, rest: Uint8Array): Uint8Array {
  const count = how >> 2;
  switch (how & 3) {
    case Begin.V1:
      return Uint8Array.of(...new TextEncoder().encode("PROXY "), ...rest);
    case Begin.V2:
      return binary(command, family, rest, Math.max(0, rest.length - count));
    case Begin.V2_LARGE: {
      const large = new Uint8Array(LARGE_BYTES + count);
      large.set(rest.subarray(0, large.length));
      return binary(command, family, large, large.length);
    }
    default:
      return rest;
  }
}

/** Version 2. `announced`: the length in it. */
function binary(command: number, family: number, rest: Uint8Array, announced: number): Uint8Array {
  const first = COMMANDS[command & 15] ?? command;
  const second = FAMILIES[family & 15] ?? family;
  return Uint8Array.of(...SIGNATURE, first, second, announced >> 8, announced & 0xff, ...rest);
}

function play(stream: Uint8Array, step: number): void {
  const whole = parseProxyHeader(stream);
  checkArrival(stream, step, whole);
  if (whole.outcome === "incomplete") {
    holds(stream.length < MAXIMUM_PROXY_HEADER, () => `wants more than ${stream.length} bytes`);
  } else if (whole.outcome === "malformed") {
    // It goes to the log: nothing that the peer has chosen but numbers.
    holds(/^[\w ,:]{1,80}$/.test(whole.reason), () => `says ${JSON.stringify(whole.reason)}`);
  } else {
    checkHeader(stream, whole.length, whole.source);
  }
}

/** What is said of the first bytes is not taken back when more have come. */
function checkArrival(stream: Uint8Array, step: number, whole: ProxyHeader): void {
  for (let length = 0; length < stream.length; length += step) {
    const part = parseProxyHeader(stream.subarray(0, length));
    const isRight = part.outcome === "incomplete" || isSame(part, whole);
    holds(isRight, () => `${part.outcome} after ${length} bytes, then ${whole.outcome}`);
  }
}

function checkHeader(stream: Uint8Array, length: number, source: string | undefined): void {
  holds(length <= Math.min(stream.length, MAXIMUM_PROXY_HEADER), () => `a header of ${length} bytes`);
  const header = stream.slice(0, length);
  const alone = parseProxyHeader(header);
  holds(isSame(alone, { outcome: "header", length, source }), () => "another header with nothing behind it");
  const short = parseProxyHeader(header.subarray(0, -1));
  holds(short.outcome === "incomplete", () => `${short.outcome} without the last byte`);
  const names = header[0] === SIGNATURE[0] ? checkBinary(header) : checkLine(header);
  holds((source !== undefined) === names, () => `the client is ${source}`);
  if (source !== undefined) checkSource(source);
}

/** What a line has to look like. @returns whether it names a client. */
function checkLine(header: Uint8Array): boolean {
  const line = String.fromCharCode(...header);
  if (/^PROXY UNKNOWN( [^\r\n]*)?\r\n$/.test(line)) return false;
  const isRight = /^PROXY TCP(4 [\d.]+ [\d.]+|6 [\da-f:.]+ [\da-f:.]+) \d+ \d+\r\n$/i.test(line);
  holds(isRight, () => `took ${JSON.stringify(line)}`);
  return true;
}

/** Walks over version 2 as the specification has it. @returns whether it names a client. */
function checkBinary(header: Uint8Array): boolean {
  const [command = 0, family = 0] = header.subarray(SIGNATURE.length);
  const addressBytes = ADDRESS_BYTES.get(family);
  const isKnown = (command === 0x20 || command === 0x21) && addressBytes !== undefined;
  holds(isKnown, () => `took command ${command}, family ${family}`);
  const view = new DataView(header.buffer);
  holds(view.getUint16(14) === header.length - V2_FIXED, () => "another length than it announces");
  let end = V2_FIXED + addressBytes;
  while (family !== 0 && end + 3 <= header.length) end += 3 + view.getUint16(end + 1);
  holds(family === 0 || end === header.length, () => `addresses and TLVs end at ${end} of ${header.length}`);
  return command === 0x21 && (family === 0x11 || family === 0x21);
}

/** An address and a port, and the same again from the other version. */
function checkSource(source: string): void {
  const colon = source.lastIndexOf(":");
  const host = source.slice(0, colon).replace(/^\[|\]$/g, "");
  const family = isIP(host);
  holds(family !== 0 && Number(source.slice(colon + 1)) <= 65_535, () => `the client is ${source}`);
  const line = `PROXY TCP${family} ${host} ${host} ${source.slice(colon + 1)} 1\r\n`;
  const again = parseProxyHeader(new TextEncoder().encode(line));
  const expected = { outcome: "header", length: line.length, source };
  holds(isSame(again, expected), () => `${source} is another when written and read again`);
}
