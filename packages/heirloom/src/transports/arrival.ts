// A connection between being accepted and its first byte of MQTT: PROXY header, TLS handshake and HTTP upgrade together
// have the time that a CONNECT may take.

import type { Socket } from "node:net";
import { performance } from "node:perf_hooks";
import { ReasonCode } from "@heirloom/codec";
import type { ClientCertificate } from "@heirloom/core";
import type { ListenerHost, Peer } from "./transport.ts";

/** One connection that arrives. Its socket's errors end here; each is told to the broker once, if it does not get in. */
export class Arrival {
  readonly socket: Socket;
  /** The client's, as far as it is known by now. */
  remoteAddress: string;
  certificate: ClientCertificate | undefined;
  readonly #host: ListenerHost;
  readonly #acceptedMs: number = performance.now();
  readonly #timer: NodeJS.Timeout;
  readonly #onEnd: () => void;
  #isOver = false;

  /** @param onEnd called once, when it has got in, or its socket is closed. */
  constructor(
    socket: Socket,
    remoteAddress: string,
    host: ListenerHost,
    timeoutMs: number,
    onEnd: () => void,
  ) {
    this.socket = socket;
    this.remoteAddress = remoteAddress;
    this.#host = host;
    this.#onEnd = onEnd;
    this.#timer = setTimeout(() => {
      this.refuse(ReasonCode.MAXIMUM_CONNECT_TIME, "no complete CONNECT within the time allowed");
      socket.destroy();
    }, timeoutMs);
    socket.on("error", (error) => this.fail(ReasonCode.UNSPECIFIED_ERROR, error.message));
    socket.on("close", () => this.#closed());
  }

  /** It did not get in, or it does not any more. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Closes the connection, unless it is over already. */
  fail(reasonCode: number, reason: string): void {
    if (this.refuse(reasonCode, reason)) this.socket.destroy();
  }

  /** Tells that it does not get in. The caller closes it; when it takes its time, the deadline does. */
  refuse(reasonCode: number, reason: string): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    this.#host.refused(this.remoteAddress, reasonCode, reason);
    return true;
  }

  /** Closes the connection, so that there is room for others. */
  giveWay(reason: string): void {
    this.refuse(ReasonCode.QUOTA_EXCEEDED, reason);
    this.socket.destroy();
    this.#host.dropped();
  }

  /** Closes the connection, also when it has got in, for what `stream`, its encrypted one, was made to read. */
  flooded(stream: Socket, reason: string): void {
    this.#host.flooded();
    this.refuse(ReasonCode.QUOTA_EXCEEDED, reason);
    // Whoever has the stream by now learns why.
    stream.destroy(new Error(reason));
    this.socket.destroy();
  }

  /** It got in: what comes now is MQTT, and the broker's. */
  enter(): Peer {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#onEnd();
    const { remoteAddress, certificate } = this;
    return { remoteAddress, certificate, elapsedMs: performance.now() - this.#acceptedMs };
  }

  #closed(): void {
    this.refuse(ReasonCode.UNSPECIFIED_ERROR, "closed by the peer before CONNECT");
    clearTimeout(this.#timer);
    this.#onEnd();
  }
}
