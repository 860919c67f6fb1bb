// A transport over any duplex stream of Node: a TCP socket, a pair in memory, what an application made itself.

import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";
import type { ClientCertificate } from "@heirloom/core";
import { CLOSE_GRACE_MS, type ConnectionInput, type NewTransport, type Peer } from "./transport.ts";

/** One connection over one stream. The stream's errors end here: they become `closed` of the connection. */
export class StreamTransport implements NewTransport {
  readonly remoteAddress: string;
  readonly certificate: ClientCertificate | undefined;
  readonly elapsedMs: number;
  readonly #stream: Duplex;
  /** Absent before `start`, and after the connection ended from either side. */
  #connection: ConnectionInput | undefined;
  #onClose: (() => void) | undefined;
  #ended = false;
  /** Something of what was written still waits in the stream. */
  #buffered = false;
  /** Whether what it has written was copied by the system. */
  readonly #copies: boolean;
  #graceTimer: NodeJS.Timeout | undefined;

  constructor(stream: Duplex, peer: Peer) {
    this.#stream = stream;
    this.#copies = stream instanceof Socket && !(stream instanceof TLSSocket);
    this.remoteAddress = peer.remoteAddress;
    this.certificate = peer.certificate;
    this.elapsedMs = peer.elapsedMs;
  }

  start(connection: ConnectionInput, onClose: () => void): void {
    const stream = this.#stream;
    if (!this.#ended) this.#connection = connection;
    this.#onClose = onClose;
    stream.on("data", (chunk: Uint8Array) => this.#connection?.receive(chunk));
    stream.on("end", () => this.#endedByPeer());
    stream.on("error", (error: Error) => this.#lost(error));
    stream.on("close", () => this.#closed());
    // A stream that was closed before it came here tells nothing any more.
    if (stream.destroyed) process.nextTick(() => this.#closed());
  }

  get bufferedBytes(): number {
    return this.#stream.writableLength;
  }

  write(bytes: Uint8Array): boolean {
    if (this.#ended) return true;
    this.#stream.write(bytes, this.#written);
    this.#buffered = this.#stream.writableLength > 0;
    // A plain socket with nothing left to write has handed everything to the system; other streams may pass it on.
    return this.#copies && !this.#buffered;
  }

  end(): void {
    this.#connection = undefined;
    this.#finish();
  }

  destroy(): void {
    this.#connection = undefined;
    this.#ended = true;
    this.#stream.destroy();
  }

  pause(paused: boolean): void {
    if (this.#ended) return;
    if (paused) this.#stream.pause();
    else this.#stream.resume();
  }

  /** Flushes, ends our side, and reads on: a socket closed over unread bytes sends RST, and the peer loses our last packet. */
  #finish(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#stream.end();
    this.#stream.resume();
    this.#graceTimer = setTimeout(() => this.#stream.destroy(), CLOSE_GRACE_MS);
  }

  // One function for all writes: Node joins the callbacks of writes that finish at once when they are the same.
  readonly #written = (): void => {
    if (!this.#buffered || this.#stream.writableLength > 0) return;
    this.#buffered = false;
    this.#connection?.drained();
  };

  #endedByPeer(): void {
    this.#tellClosed(undefined);
    this.#finish();
  }

  #lost(error: Error): void {
    this.#ended = true;
    this.#stream.destroy();
    this.#tellClosed(error);
  }

  #closed(): void {
    this.#ended = true;
    clearTimeout(this.#graceTimer);
    this.#tellClosed(undefined);
    this.#onClose?.();
    this.#onClose = undefined;
  }

  #tellClosed(error: Error | undefined): void {
    const connection = this.#connection;
    this.#connection = undefined;
    connection?.closed(error);
  }
}
