// Connections of TLS 1.3 whose records carry next to no data: floods of KeyUpdate, each of which costs two new keys and an
// answer. OpenSSL and Node have no limit for them. RFC 8446 section 4.6.3.

import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Arrival } from "./arrival.ts";

/** Milliseconds from one look at all connections to the next. */
const LOOK_EVERY_MS = 10_000;

/** Bytes of records that a connection may send from one look to the next, whatever is in them: 2,400 times KeyUpdate. */
const FREE_BYTES = 65_536;

/** Bytes of records for each byte of data on top. A byte that is sent alone takes 23. */
const RECORD_BYTES_PER_DATA_BYTE = 64;

interface Watched {
  readonly arrival: Arrival;
  readonly stream: TLSSocket;
  /** What was read up to the last look. */
  recordBytes: number;
  dataBytes: number;
}

/** Looks at the open connections of one listener. While there are none, nothing runs. */
export class RecordWatch {
  readonly #watched = new Set<Watched>();
  #timer: NodeJS.Timeout | undefined;

  /** From now on until it closes. The handshake, which is over, does not count. */
  watch(arrival: Arrival, stream: TLSSocket): void {
    // Older versions have no KeyUpdate, and end a connection that renegotiates.
    if (stream.getProtocol() !== "TLSv1.3" || arrival.socket.destroyed) return;
    const { socket } = arrival;
    const watched = { arrival, stream, recordBytes: socket.bytesRead, dataBytes: stream.bytesRead };
    this.#watched.add(watched);
    socket.once("close", () => this.#forget(watched));
    this.#timer ??= setInterval(() => this.#look(), LOOK_EVERY_MS).unref();
  }

  #forget(watched: Watched): void {
    this.#watched.delete(watched);
    if (this.#watched.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    for (const watched of this.#watched) {
      const { arrival, stream } = watched;
      const recordBytes = added(arrival.socket, watched.recordBytes);
      const dataBytes = added(stream, watched.dataBytes);
      watched.recordBytes += recordBytes;
      watched.dataBytes += dataBytes;
      if (recordBytes <= FREE_BYTES + RECORD_BYTES_PER_DATA_BYTE * dataBytes) continue;
      arrival.flooded(stream, `TLS: ${recordBytes} bytes of records had ${dataBytes} bytes of data in them`);
    }
  }
}

function added({ bytesRead }: Socket, before: number): number {
  return bytesRead - before;
}
