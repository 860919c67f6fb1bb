// What all transports share: how a connection is handed to the broker, and the time a closing one is given.

import type { Socket } from "node:net";
import type { ClientCertificate, Connection, Refusal, Transport } from "@heirloom/core";
import { withoutMapping } from "../identity/address.ts";
import type { Reloadable } from "../reload.ts";

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

/** What a listener tells the broker. */
export interface ListenerHost {
  /** Whether a file descriptor can be spared for a socket that was accepted. @returns as `admit` does. */
  spare(socket: Socket): Refusal | undefined;
  /**
   * Whether a connection from there may come in. It is counted until its socket closes.
   *
   * @returns why not; the caller closes it at once and tells that with `refused`.
   */
  admit(remoteAddress: string, socket: Socket): Refusal | undefined;
  /** Makes a new connection known. */
  accept(transport: NewTransport): void;
  /** A connection ended before it was one of MQTT. The reason has no text of the peer's in it. */
  refused(remoteAddress: string, reasonCode: number, reason: string): void;
  /** There were more of those that are on their way in than there may be, and one was closed. */
  dropped(): void;
  /** A connection was ended for records of TLS with next to nothing in them. */
  flooded(): void;
  /** Something that an operator should look at. */
  warning(message: string): void;
}

/** What is known of a peer before its first byte of MQTT. */
export interface Peer {
  /** Such as "203.0.113.9:51234". */
  readonly remoteAddress: string;
  /** The certificate that it showed and that was verified. */
  readonly certificate: ClientCertificate | undefined;
  /** Milliseconds since its connection was accepted. */
  readonly elapsedMs: number;
}

/** A peer of whom nothing is known but where it is. */
export function strangerAt(remoteAddress: string): Peer {
  return { remoteAddress, certificate: undefined, elapsedMs: 0 };
}

/** A listener that runs. */
export interface Listener {
  readonly name: string;
  readonly transport: "tcp" | "websocket";
  /** The address that it is bound to, or the path of its Unix socket. */
  readonly host: string;
  /** The port that it is bound to, also when port 0 was asked for; 0 for a Unix socket. */
  readonly port: number;
  /** Where clients connect, such as `mqtt://127.0.0.1:1883`, `wss://127.0.0.1:8084/mqtt` or `mqtt+unix:///run/mqtt.sock`. */
  readonly url: string;
  /** Stops accepting. Connections that were accepted stay; those that have not sent CONNECT yet may be closed. */
  close(): Promise<void>;
}

/** A listener as its broker sees it. */
export interface OpenListener extends Listener {
  /** Its certificates, which can be read anew. */
  readonly reloadable: Reloadable | undefined;
}

/** Where the peer of a socket is, such as "203.0.113.9:51234" or "[2001:db8::1]:51234". */
export function remoteAddressOf(socket: Socket): string {
  if (socket.remoteAddress === undefined || socket.remotePort === undefined) return "unknown";
  return hostAndPort(socket.remoteAddress, socket.remotePort);
}

/** Joins an address and a port. An IPv4 address in its IPv6 form is written as IPv4. */
export function hostAndPort(address: string, port: number): string {
  const plain = withoutMapping(address);
  return plain.includes(":") ? `[${plain}]:${port}` : `${plain}:${port}`;
}
