// What all transports share: how a connection is handed to the broker, and the time a closing one is given.

import type { Socket } from "node:net";
import type { Connection, Transport } from "@heirloom/core";

/** What a transport tells: bytes, that it has taken all, and that the peer or the network ended it. */
export type ConnectionInput = Pick<Connection, "receive" | "drained" | "closed">;

/** Milliseconds that a peer is given to read what was sent last and to close its side. */
export const CLOSE_GRACE_MS = 2_000;

/** A transport before its connection is known. */
export interface NewTransport extends Transport {
  /**
   * Begins to hand input to `connection`. Called once, in the same turn in which the transport was made.
   *
   * @param onClose called once when the transport has given back its socket.
   */
  start(connection: ConnectionInput, onClose: () => void): void;
}

/** Makes a new connection known to the broker. Called by listeners. */
export type Accept = (transport: NewTransport) => void;

/** A listener that runs. */
export interface Listener {
  readonly name: string;
  readonly transport: "tcp" | "websocket";
  /** The address that it is bound to. */
  readonly host: string;
  /** The port that it is bound to, also when port 0 was asked for. */
  readonly port: number;
  /** Where clients connect, such as `mqtt://127.0.0.1:1883` or `ws://127.0.0.1:8080/mqtt`. */
  readonly url: string;
  /** Stops accepting. Connections that were accepted stay. */
  close(): Promise<void>;
}

/** Where the peer of a socket is, such as "203.0.113.9:51234" or "[2001:db8::1]:51234". */
export function remoteAddressOf(socket: Socket): string {
  if (socket.remoteAddress === undefined || socket.remotePort === undefined) return "unknown";
  return hostAndPort(socket.remoteAddress, socket.remotePort);
}

/** Joins an address and a port. An IPv4 address in its IPv6 form (`::ffff:`) is written as IPv4. */
export function hostAndPort(address: string, port: number): string {
  const plain = address.startsWith("::ffff:") ? address.slice("::ffff:".length) : address;
  return plain.includes(":") ? `[${plain}]:${port}` : `${plain}:${port}`;
}
