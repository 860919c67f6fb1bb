// The sockets of a listener that have not become connections yet: how many there may be, and which one gives way.

import type { Socket } from "node:net";

/** What holds before CONNECT; see the limits of the same names. */
export interface HandshakeRules {
  /** Milliseconds. */
  readonly connectTimeoutMs: number;
  readonly maximumConnectSize: number;
  readonly pendingConnections: number;
  /** A socket was closed because there were too many. */
  dropped(): unknown;
}

export class Handshakes {
  readonly #rules: HandshakeRules;
  /** The oldest first. */
  readonly #sockets = new Set<Socket>();

  constructor(rules: HandshakeRules) {
    this.#rules = rules;
  }

  /** A socket begins. One more than there may be closes the one that has waited longest: it is the likeliest to mean nothing. */
  begin(socket: Socket): void {
    if (this.#sockets.size >= this.#rules.pendingConnections) this.#dropOldest();
    this.#sockets.add(socket);
    socket.once("close", () => this.end(socket));
  }

  /** It became a connection, or closed. */
  end(socket: Socket): void {
    this.#sockets.delete(socket);
  }

  #dropOldest(): void {
    for (const oldest of this.#sockets) {
      this.#sockets.delete(oldest);
      this.#rules.dropped();
      oldest.destroy();
      return;
    }
  }
}
