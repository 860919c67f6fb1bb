// What all listeners share: sockets come in, go through PROXY header and TLS as far as their listener has them, and become
// connections of MQTT or of HTTP.

import { createServer, type Server, type Socket } from "node:net";
import { ReasonCode } from "@heirloom/codec";
import type { ListenerSettings } from "../config/listener-settings.ts";
import { Networks } from "../identity/address.ts";
import type { Reloadable } from "../reload.ts";
import { Arrival } from "./arrival.ts";
import { listen, stopListening, type Bound } from "./listen.ts";
import { readProxyHeader } from "./proxy-header.ts";
import { readTls } from "./tls-files.ts";
import { TlsGate } from "./tls-gate.ts";
import { remoteAddressOf, type ListenerHost } from "./transport.ts";

/** Milliseconds of silence after which the system asks whether a peer is still there. */
const TCP_KEEP_ALIVE_MS = 60_000;

/** What a listener does with a stream of which nothing but its own protocol is to come. */
export interface Inside {
  /** By its name in ALPN. */
  readonly protocol: "mqtt" | "http/1.1";
  /** Takes a socket for which there is nothing to wait. Absent where something has to come before MQTT in any case. */
  readonly direct?: (socket: Socket, remoteAddress: string) => void;
  /** PROXY header and TLS are done. */
  entered(stream: Socket, arrival: Arrival): void;
}

/** A door that is open. */
export interface Entrance {
  readonly bound: Bound;
  readonly reloadable: Reloadable | undefined;
  close(): Promise<void>;
}

/** @throws ListenError when the address cannot be had, ConfigError when a certificate or key cannot be used. */
export async function openEntrance(
  settings: ListenerSettings,
  host: ListenerHost,
  inside: Inside,
): Promise<Entrance> {
  const gate = await openGate(settings, host, inside);
  const arrivals = new Arrivals(settings, host, inside, gate);
  const server = createServer(
    { noDelay: true, keepAlive: true, keepAliveInitialDelay: TCP_KEEP_ALIVE_MS },
    (socket) => arrivals.accepted(socket),
  );
  limitConnections(server, settings, host);
  const bound = await listen(server, settings, (message) => host.warning(`${settings.name}: ${message}`));
  return {
    bound,
    reloadable: gate === undefined ? undefined : reloadableOf(settings, host, gate),
    close: () => {
      arrivals.close();
      return stopListening(server);
    },
  };
}

async function openGate(
  settings: ListenerSettings,
  host: ListenerHost,
  inside: Inside,
): Promise<TlsGate | undefined> {
  const { tls, name } = settings;
  if (tls === undefined) return undefined;
  const material = await readTls(tls, name);
  for (const warning of material.warnings) host.warning(warning);
  return new TlsGate(tls, material, inside.protocol, (arrival, stream) => inside.entered(stream, arrival));
}

function reloadableOf(
  { tls, name }: ListenerSettings,
  host: ListenerHost,
  gate: TlsGate,
): Reloadable | undefined {
  if (tls === undefined) return undefined;
  return {
    prepare: async () => {
      const material = await readTls(tls, name);
      return () => {
        gate.update(material);
        for (const warning of material.warnings) host.warning(warning);
      };
    },
  };
}

function limitConnections(server: Server, { connections }: ListenerSettings, host: ListenerHost): void {
  if (connections === undefined) return;
  server.maxConnections = connections;
  server.on("drop", () =>
    host.refused("unknown", ReasonCode.QUOTA_EXCEEDED, `${connections} connections are open`),
  );
}

/** The connections of one listener that are on their way in. */
class Arrivals {
  readonly #settings: ListenerSettings;
  readonly #host: ListenerHost;
  readonly #inside: Inside;
  readonly #gate: TlsGate | undefined;
  readonly #trustedSources: Networks | undefined;
  /** Behind these, the client's address comes with the upgrade. */
  readonly #trustedProxies: Networks;
  readonly #arrivals = new Set<Arrival>();

  constructor(settings: ListenerSettings, host: ListenerHost, inside: Inside, gate: TlsGate | undefined) {
    this.#settings = settings;
    this.#host = host;
    this.#inside = inside;
    this.#gate = gate;
    const { proxyProtocol, trustedProxies } = settings;
    this.#trustedProxies = new Networks(trustedProxies);
    if (proxyProtocol !== undefined) this.#trustedSources = new Networks(proxyProtocol.trustedSources);
  }

  accepted(socket: Socket): void {
    const { socket: unixSocket, connectTimeoutMs } = this.#settings;
    const remoteAddress = unixSocket === undefined ? remoteAddressOf(socket) : `unix:${unixSocket.path}`;
    // A proxy's own address says nothing about its clients, and a Unix socket has no address: its mode says who may connect.
    const isClient =
      unixSocket === undefined &&
      this.#trustedSources === undefined &&
      !this.#trustedProxies.has(remoteAddress);
    const refusal =
      this.#host.spare(socket) ?? (isClient ? this.#host.admit(remoteAddress, socket) : undefined);
    if (refusal !== undefined) {
      this.#host.refused(remoteAddress, refusal.reasonCode, refusal.reasonString ?? "refused");
      socket.destroy();
      return;
    }
    const { direct } = this.#inside;
    if (direct !== undefined && this.#gate === undefined && this.#trustedSources === undefined) {
      direct(socket, remoteAddress);
      return;
    }
    if (this.#arrivals.size >= this.#settings.pendingConnections) this.#dropOldest();
    const onEnd = (): void => {
      this.#arrivals.delete(arrival);
    };
    const arrival = new Arrival(socket, remoteAddress, this.#host, connectTimeoutMs, onEnd);
    this.#arrivals.add(arrival);
    if (this.#trustedSources === undefined) this.#behindProxy(arrival);
    else if (this.#trustedSources.has(socket.remoteAddress ?? "")) {
      readProxyHeader(arrival, () => this.#afterHeader(arrival));
    } else {
      arrival.fail(ReasonCode.NOT_AUTHORIZED, "not one of the proxies in `trustedSources`");
    }
  }

  /** The one that has waited longest is the likeliest to mean nothing. */
  #dropOldest(): void {
    for (const oldest of this.#arrivals) {
      this.#arrivals.delete(oldest);
      oldest.giveWay("too many connections are on their way in");
      return;
    }
  }

  #afterHeader(arrival: Arrival): void {
    // A proxy that asks whether we are there comes in its own name.
    const isClient = this.#trustedSources?.has(arrival.remoteAddress) === false;
    const refusal = isClient ? this.#host.admit(arrival.remoteAddress, arrival.socket) : undefined;
    if (refusal === undefined) this.#behindProxy(arrival);
    else arrival.fail(refusal.reasonCode, refusal.reasonString ?? "refused");
  }

  #behindProxy(arrival: Arrival): void {
    if (this.#gate === undefined) this.#inside.entered(arrival.socket, arrival);
    else this.#gate.handshake(arrival);
  }

  /** Ends those that are not in yet. */
  close(): void {
    for (const arrival of this.#arrivals) {
      arrival.refuse(ReasonCode.SERVER_SHUTTING_DOWN, "the server is shutting down");
      arrival.socket.destroy();
    }
  }
}
