// A transport over one WebSocket: MQTT in binary frames. MQTT 5.0 section 6, 3.1.1 section 6.

import type { Socket } from "node:net";
import type { ClientCertificate } from "@heirloom/core";
import type { RawData, WebSocket } from "ws";
import type { ConnectionInput, NewTransport, Peer } from "./transport.ts";

/** Close codes of RFC 6455 section 7.4.1. */
const CloseCode = { NORMAL: 1000, UNSUPPORTED_DATA: 1003 } as const;

/** One connection over one WebSocket. */
export class WebSocketTransport implements NewTransport {
  readonly remoteAddress: string;
  readonly certificate: ClientCertificate | undefined;
  readonly elapsedMs: number;
  readonly #socket: WebSocket;
  #connection: ConnectionInput | undefined;
  #onClose: (() => void) | undefined;
  /** Present until the client is accepted. */
  #endLimit: (() => void) | undefined;
  #ended = false;
  #buffered = false;

  constructor(socket: WebSocket, peer: Peer) {
    this.#socket = socket;
    this.remoteAddress = peer.remoteAddress;
    this.certificate = peer.certificate;
    this.elapsedMs = peer.elapsedMs;
  }

  start(connection: ConnectionInput, onClose: () => void): void {
    if (!this.#ended) this.#connection = connection;
    this.#onClose = onClose;
    this.#socket.on("message", (data: RawData, isBinary: boolean) => this.#received(data, isBinary));
    this.#socket.on("error", (error: Error) => this.#tellClosed(error));
    this.#socket.on("close", () => this.#closed());
  }

  /**
   * `ws` collects a message whole before it hands it on, and counts for nobody. Until the client is accepted nobody is known,
   * and the peer may not send more at once than a CONNECT may take.
   *
   * @param stream what the WebSocket reads from.
   */
  limitUntilAccepted(stream: Socket, mostBytes: number): void {
    const socket = this.#socket;
    let before = stream.bytesRead;
    const check = (): void => {
      if (stream.bytesRead - before <= mostBytes) return;
      this.lost(new Error("a message that is larger than CONNECT may be"));
      socket.terminate();
    };
    const handedOn = (): void => {
      before = stream.bytesRead;
    };
    // `ws` listens to the stream already: what a chunk brings to an end is handed on before the chunk is counted.
    stream.on("data", check);
    socket.on("message", handedOn);
    this.#endLimit = () => {
      stream.off("data", check);
      socket.off("message", handedOn);
    };
  }

  accepted(): void {
    this.#endLimit?.();
    this.#endLimit = undefined;
  }

  get bufferedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  write(bytes: Uint8Array): boolean {
    if (this.#ended) return true;
    this.#socket.send(bytes, this.#written);
    this.#buffered = this.#socket.bufferedAmount > 0;
    // The WebSocket library holds on to what it is given until it is sent.
    return false;
  }

  /** The stream below failed. */
  lost(error: Error): void {
    this.#tellClosed(error);
  }

  end(): void {
    this.#connection = undefined;
    this.#finish(CloseCode.NORMAL);
  }

  destroy(): void {
    this.#connection = undefined;
    this.#ended = true;
    this.#socket.terminate();
  }

  pause(paused: boolean): void {
    if (this.#ended) return;
    if (paused) this.#socket.pause();
    else this.#socket.resume();
  }

  #received(data: RawData, isBinary: boolean): void {
    if (this.#connection === undefined) return;
    if (!isBinary || !(data instanceof Uint8Array)) {
      // 5.0 [MQTT-6.0.0-1], 3.1.1 [MQTT-6.0.0-1].
      this.#tellClosed(new Error("a text frame was received, expected binary frames"));
      this.#finish(CloseCode.UNSUPPORTED_DATA);
    } else if (data.length > 0) {
      this.#connection.receive(data);
    }
  }

  // `ws` sends the close frame behind what was written, reads on, and ends the socket after `closeTimeout`.
  #finish(code: number): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#socket.resume();
    this.#socket.close(code);
  }

  readonly #written = (): void => {
    if (!this.#buffered || this.#socket.bufferedAmount > 0) return;
    this.#buffered = false;
    this.#connection?.drained();
  };

  #closed(): void {
    this.#ended = true;
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
