// The listener for MQTT over WebSocket, with and without TLS. Packets and frames begin and end where they like.
// MQTT 5.0 section 6, 3.1.1 section 6.

import { createServer, type IncomingMessage, type Server, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { ReasonCode } from "@heirloom/codec";
import { WebSocketServer } from "ws";
import type { ListenerSettings } from "../config/listener-settings.ts";
import { Networks } from "../identity/address.ts";
import { isLoopback } from "../loopback.ts";
import type { Arrival } from "./arrival.ts";
import { openEntrance } from "./entrance.ts";
import { forwardedAddress } from "./forwarded.ts";
import { CLOSE_GRACE_MS, hostAndPort, type ListenerHost, type OpenListener } from "./transport.ts";
import {
  chooseSubprotocol,
  MOST_HEADERS,
  refuseUpgrade,
  type UpgradeRefusal,
  type UpgradeRules,
} from "./upgrade.ts";
import { WebSocketTransport } from "./websocket-transport.ts";

/** Bytes. Frames may hold many packets, so they are not cut shorter than this. */
const SMALLEST_FRAME_LIMIT = 1_048_576;

/** Fragments of one message, and pieces of it that wait to be joined: a client has no reason for more. */
const MOST_FRAGMENTS = 1_024;
const MOST_CHUNKS = 65_536;

/** @throws ListenError when the address cannot be had, ConfigError when a certificate or key cannot be used. */
export async function listenWebSocket(settings: ListenerSettings, host: ListenerHost): Promise<OpenListener> {
  const upgrades = new Upgrades(settings, host);
  const { bound, reloadable, close } = await openEntrance(settings, host, {
    protocol: "http/1.1",
    entered: (stream, arrival) => upgrades.expect(stream, arrival),
  });
  const scheme = settings.tls === undefined ? "ws" : "wss";
  return {
    name: settings.name,
    transport: "websocket",
    ...bound,
    url:
      settings.socket === undefined
        ? `${scheme}://${hostAndPort(bound.host, bound.port)}${settings.path ?? ""}`
        : `ws+unix://${bound.host}${settings.path === undefined ? "" : `:${settings.path}`}`,
    reloadable,
    close,
  };
}

/** Connections that are to become WebSockets. */
class Upgrades {
  readonly #host: ListenerHost;
  readonly #rules: UpgradeRules;
  readonly #maximumConnectSize: number;
  readonly #trustedProxies: Networks;
  readonly #http: Server;
  readonly #webSockets: WebSocketServer;
  readonly #arrivals = new WeakMap<Duplex, Arrival>();

  constructor(settings: ListenerSettings, host: ListenerHost) {
    this.#host = host;
    this.#rules = upgradeRules(settings);
    this.#maximumConnectSize = settings.maximumConnectSize;
    this.#trustedProxies = new Networks(settings.trustedProxies);
    this.#http = createHttpServer();
    this.#http.on("upgrade", (request, socket, head) => this.#upgrade(request, socket, head));
    // `closeTimeout` and `maxBufferedChunks` are younger than the types of `ws`; a variable may have more than they know.
    const options = {
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: Math.max(settings.limits.maximumPacketSize, SMALLEST_FRAME_LIMIT),
      maxFragments: MOST_FRAGMENTS,
      maxBufferedChunks: MOST_CHUNKS,
      closeTimeout: CLOSE_GRACE_MS,
      handleProtocols: (offered: ReadonlySet<string>) => chooseSubprotocol(offered) ?? false,
    };
    this.#webSockets = new WebSocketServer(options);
  }

  /** HTTP is to come over `stream`. */
  expect(stream: Socket, arrival: Arrival): void {
    this.#arrivals.set(stream, arrival);
    this.#http.emit("connection", stream);
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    // What comes between HTTP and WebSocket is nobody's error.
    socket.on("error", () => {});
    const arrival = this.#arrivals.get(request.socket);
    if (arrival === undefined || arrival.isOver) {
      socket.destroy();
      return;
    }
    const refusal = refuseUpgrade(request, this.#rules);
    if (refusal !== undefined) {
      arrival.refuse(ReasonCode.UNSPECIFIED_ERROR, `WebSocket: ${refusal.message}`);
      refuse(socket, refusal);
      return;
    }
    if (!this.#admitForwarded(arrival, request)) return;
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      const transport = new WebSocketTransport(webSocket, arrival.enter());
      transport.limitUntilAccepted(request.socket, this.#maximumConnectSize);
      // `ws` says that a connection is lost, but not why.
      socket.on("error", (error: Error) => transport.lost(error));
      this.#host.accept(transport);
    });
  }

  /** Whether the client behind a proxy may come in. Who comes directly was asked about before. */
  #admitForwarded(arrival: Arrival, request: IncomingMessage): boolean {
    const { remoteAddress } = arrival;
    arrival.remoteAddress = forwardedAddress(
      remoteAddress,
      request.headers["x-forwarded-for"],
      this.#trustedProxies,
    );
    if (arrival.remoteAddress === remoteAddress) return true;
    const refusal = this.#host.admit(arrival.remoteAddress, arrival.socket);
    if (refusal !== undefined) arrival.fail(refusal.reasonCode, refusal.reasonString ?? "refused");
    return refusal === undefined;
  }
}

/**
 * An HTTP server that does nothing but upgrades. It does not listen itself, and its own time limits are not used: an
 * {@link Arrival} has one deadline for all that comes before MQTT.
 */
function createHttpServer(): Server {
  const server = createServer({ maxHeaderSize: 8_192 }, (_request, response) => {
    response.writeHead(426, { "content-type": "text/plain", upgrade: "websocket", connection: "close" });
    response.end("This port speaks MQTT over WebSocket.\n");
  });
  server.maxHeadersCount = MOST_HEADERS;
  return server;
}

function upgradeRules(settings: ListenerSettings): UpgradeRules {
  const allLocal = settings.host !== undefined && isLoopback(settings.host) && settings.allowAnonymous;
  return {
    path: settings.path,
    allowedOrigins: settings.allowedOrigins ?? (allLocal ? "this-machine" : "*"),
  };
}

function refuse(socket: Duplex, refusal: UpgradeRefusal): void {
  const body = `${refusal.message}\n`;
  socket.on("finish", () => socket.destroy());
  socket.end(
    `HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status]}\r\n` +
      "Connection: close\r\nContent-Type: text/plain\r\n" +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
