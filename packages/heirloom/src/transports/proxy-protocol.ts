// The header with which a proxy such as HAProxy tells where a connection comes from. Pure: bytes in, a header or a fault
// out. Strict: who connects here is a proxy that was configured, not a person.
// https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt, versions 1 and 2
//
//   1:  PROXY TCP4 203.0.113.9 192.0.2.1 51234 1883\r\n
//   2:  | signature, 12 | version 4, command 4 | family 4, transport 4 | length, 16 | addresses | TLV ... |

import { isIPv4, isIPv6 } from "node:net";
import { hostAndPort } from "./transport.ts";

/** Bytes. Version 1 takes 107; version 2 gets no more room for its TLVs than one segment of any network has. */
export const MAXIMUM_PROXY_HEADER = 536;

export type ProxyHeader =
  /** The bytes so far begin a header. */
  | { readonly outcome: "incomplete" }
  | { readonly outcome: "malformed"; readonly reason: string }
  | {
      readonly outcome: "header";
      /** Bytes; what comes behind them is the client's. */
      readonly length: number;
      /** The client, such as "203.0.113.9:51234"; absent when the proxy speaks for itself, or does not know. */
      readonly source: string | undefined;
    };

const V1_START: Uint8Array = new TextEncoder().encode("PROXY ");
const V1_MAXIMUM = 107;
const V2_SIGNATURE: Uint8Array = Uint8Array.of(13, 10, 13, 10, 0, 13, 10, 0x51, 0x55, 0x49, 0x54, 10);
const V2_FIXED = 16;

const V2Command = { LOCAL: 0x20, PROXY: 0x21 } as const;
/** Address family and transport. Datagrams do not come over a stream. */
const V2Family = { UNSPECIFIED: 0x00, TCP4: 0x11, TCP6: 0x21, UNIX_STREAM: 0x31 } as const;

const INCOMPLETE: ProxyHeader = { outcome: "incomplete" };

/** Reads the header that `bytes` have to begin with. */
export function parseProxyHeader(bytes: Uint8Array): ProxyHeader {
  if (bytes.length === 0) return INCOMPLETE;
  if (begins(bytes, V2_SIGNATURE)) return bytes.length < V2_FIXED ? INCOMPLETE : parseV2(bytes);
  if (begins(bytes, V1_START)) return parseV1(bytes);
  return malformed("no PROXY protocol header");
}

function malformed(reason: string): ProxyHeader {
  return { outcome: "malformed", reason };
}

/** Whether `bytes` begin with `start`, as far as they go. */
function begins(bytes: Uint8Array, start: Uint8Array): boolean {
  const length = Math.min(bytes.length, start.length);
  for (let index = 0; index < length; index++) {
    if (bytes[index] !== start[index]) return false;
  }
  return true;
}

// --- version 1 -------------------------------------------------------------------------------------------------------

function parseV1(bytes: Uint8Array): ProxyHeader {
  const end = bytes.indexOf(10);
  if (end === -1)
    return bytes.length < V1_MAXIMUM ? INCOMPLETE : malformed("version 1: a line that is too long");
  const length = end + 1;
  if (length > V1_MAXIMUM) return malformed("version 1: a line that is too long");
  const line = String.fromCharCode(...bytes.subarray(0, length));
  if (!line.endsWith("\r\n") || line.indexOf("\r") !== length - 2)
    return malformed("version 1: no end of line");
  const [, protocol = "", ...rest] = line.slice(0, -2).split(" ");
  // Whatever follows UNKNOWN is to be ignored.
  if (protocol === "UNKNOWN") return { outcome: "header", length, source: undefined };
  const [source = "", destination = "", sourcePort = "", destinationPort = "", ...more] = rest;
  const isAddress = protocol === "TCP4" ? isIPv4 : protocol === "TCP6" ? isPlainIPv6 : undefined;
  if (isAddress === undefined) return malformed("version 1: an unknown protocol");
  if (more.length > 0 || !isAddress(source) || !isAddress(destination)) {
    return malformed("version 1: an address that is none");
  }
  if (!isPort(sourcePort) || !isPort(destinationPort)) return malformed("version 1: a port that is none");
  return { outcome: "header", length, source: hostAndPort(source, Number(sourcePort)) };
}

/** Without a zone: that is a name of another machine's interface. */
function isPlainIPv6(address: string): boolean {
  return isIPv6(address) && !address.includes("%");
}

function isPort(text: string): boolean {
  return /^(0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65_535;
}

// --- version 2 -------------------------------------------------------------------------------------------------------

function parseV2(bytes: Uint8Array): ProxyHeader {
  const command = bytes[12] ?? 0;
  const family = bytes[13] ?? 0;
  const length = V2_FIXED + readU16(bytes, 14);
  if (length > MAXIMUM_PROXY_HEADER) {
    return malformed(`version 2: ${length} bytes, expected at most ${MAXIMUM_PROXY_HEADER}`);
  }
  if (command !== V2Command.LOCAL && command !== V2Command.PROXY) {
    return malformed("version 2: an unknown version or command");
  }
  const addressBytes = addressLength(family);
  if (addressBytes === undefined) return malformed("version 2: an unknown address family or transport");
  if (V2_FIXED + addressBytes > length) return malformed("version 2: addresses that are cut off");
  if (bytes.length < length) return INCOMPLETE;
  if (family !== V2Family.UNSPECIFIED && !areTlvs(bytes.subarray(V2_FIXED + addressBytes, length))) {
    return malformed("version 2: a TLV that is longer than the header");
  }
  return {
    outcome: "header",
    length,
    source: command === V2Command.LOCAL ? undefined : sourceOf(bytes, family),
  };
}

/** Bytes of both addresses and ports; `undefined` = no family for streams. */
function addressLength(family: number): number | undefined {
  switch (family) {
    case V2Family.UNSPECIFIED:
      return 0;
    case V2Family.TCP4:
      return 12;
    case V2Family.TCP6:
      return 36;
    case V2Family.UNIX_STREAM:
      return 216;
    default:
      return undefined;
  }
}

/** Type, length and value, one behind the other, to the very end. What they say is not used. */
function areTlvs(bytes: Uint8Array): boolean {
  let position = 0;
  while (position < bytes.length) {
    if (position + 3 > bytes.length) return false;
    position += 3 + readU16(bytes, position + 1);
  }
  return position === bytes.length;
}

function sourceOf(bytes: Uint8Array, family: number): string | undefined {
  if (family === V2Family.TCP4) {
    return hostAndPort([...bytes.subarray(16, 20)].join("."), readU16(bytes, 24));
  }
  if (family === V2Family.TCP6) {
    const groups = [16, 18, 20, 22, 24, 26, 28, 30].map((at) => readU16(bytes, at).toString(16));
    // In the one form that all programs write, so that addresses can be compared as texts.
    const address = new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1);
    return hostAndPort(address, readU16(bytes, 48));
  }
  return undefined;
}

function readU16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}
