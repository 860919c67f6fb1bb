// Takes the PROXY protocol header off a socket, and leaves what is behind it where it was.

import type { Socket } from "node:net";
import { ReasonCode } from "@heirloom/codec";
import type { Arrival } from "./arrival.ts";
import { parseProxyHeader } from "./proxy-protocol.ts";

/** Reads the header; `done` is called when it is there, with the client's address noted in `arrival`. */
export function readProxyHeader(arrival: Arrival, done: () => void): void {
  const { socket } = arrival;
  let bytes: Buffer = Buffer.alloc(0);
  const read = (): void => {
    const chunk = nextChunk(socket);
    if (chunk === undefined || arrival.isOver) return;
    bytes = Buffer.concat([bytes, chunk]);
    const header = parseProxyHeader(bytes);
    if (header.outcome === "incomplete") return;
    socket.off("readable", read);
    if (header.outcome === "malformed") {
      arrival.fail(ReasonCode.MALFORMED_PACKET, `PROXY protocol: ${header.reason}`);
      return;
    }
    if (bytes.length > header.length) socket.unshift(bytes.subarray(header.length));
    arrival.remoteAddress = header.source ?? arrival.remoteAddress;
    done();
  };
  socket.on("readable", read);
}

/** Everything that has come. A header is never longer than its limit: what is more is the client's, and put back. */
function nextChunk(socket: Socket): Buffer | undefined {
  const chunk: unknown = socket.read();
  return Buffer.isBuffer(chunk) && chunk.length > 0 ? chunk : undefined;
}
