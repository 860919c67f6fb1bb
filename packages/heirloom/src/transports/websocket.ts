// The WebSocket listener: MQTT in binary frames. Packets and frames begin and end where they like.
// MQTT 5.0 section 6, 3.1.1 section 6.

import { createServer, STATUS_CODES, type Server } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type RawData, type WebSocket, WebSocketServer } from "ws";
import type { ListenerSettings } from "../config/settings.ts";
import { isLoopback } from "../loopback.ts";
import { Handshakes, type HandshakeRules } from "./handshakes.ts";
import { listen, stopListening } from "./listen.ts";
import {
  CLOSE_GRACE_MS,
  hostAndPort,
  remoteAddressOf,
  type Accept,
  type ConnectionInput,
  type Listener,
  type NewTransport,
} from "./transport.ts";
import { chooseSubprotocol, refuseUpgrade, type UpgradeRefusal, type UpgradeRules } from "./upgrade.ts";

/** Close codes of RFC 6455 section 7.4.1. */
const CloseCode = { NORMAL: 1000, UNSUPPORTED_DATA: 1003 } as const;

/** Bytes. Frames may hold many packets, so they are not cut shorter than this. */
const SMALLEST_FRAME_LIMIT = 1_048_576;

/** One connection over one WebSocket. */
class WebSocketTransport implements NewTransport {
  readonly remoteAddress: string;
  readonly #socket: WebSocket;
  #connection: ConnectionInput | undefined;
  #onClose: (() => void) | undefined;
  #ended = false;
  #buffered = false;

  constructor(socket: WebSocket, remoteAddress: string) {
    this.#socket = socket;
    this.remoteAddress = remoteAddress;
  }

  start(connection: ConnectionInput, onClose: () => void): void {
    if (!this.#ended) this.#connection = connection;
    this.#onClose = onClose;
    this.#socket.on("message", (data: RawData, isBinary: boolean) => this.#received(data, isBinary));
    this.#socket.on("error", (error: Error) => this.#tellClosed(error));
    this.#socket.on("close", () => this.#closed());
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

/** @throws ListenError when the address cannot be had. */
export async function listenWebSocket(
  settings: ListenerSettings,
  handshakeRules: HandshakeRules,
  accept: Accept,
): Promise<Listener> {
  const server = createHttpServer(settings, handshakeRules);
  const handshakes = new Handshakes(handshakeRules);
  server.on("connection", (socket) => handshakes.begin(socket));
  const rules = upgradeRules(settings);
  // `closeTimeout` is younger than the types of `ws`; a variable may have more than they know.
  const options = {
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: Math.max(settings.limits.maximumPacketSize, SMALLEST_FRAME_LIMIT),
    closeTimeout: CLOSE_GRACE_MS,
    handleProtocols: (offered: ReadonlySet<string>) => chooseSubprotocol(offered) ?? false,
  };
  const webSockets = new WebSocketServer(options);
  server.on("upgrade", (request, socket, head) => {
    const refusal = refuseUpgrade(request, rules);
    if (refusal !== undefined) {
      refuse(socket, refusal);
      return;
    }
    const remoteAddress = remoteAddressOf(request.socket);
    webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      handshakes.end(request.socket);
      limitFirstMessage(request.socket, webSocket, handshakeRules.maximumConnectSize);
      accept(new WebSocketTransport(webSocket, remoteAddress));
    });
  });
  const { address, port } = await listen(server, settings);
  return {
    name: settings.name,
    transport: "websocket",
    host: address,
    port,
    url: `ws://${hostAndPort(address, port)}${settings.path ?? ""}`,
    close: () => {
      const closed = stopListening(server);
      // Those that have not asked for an upgrade yet; the others are no HTTP connections any more.
      server.closeAllConnections();
      return closed;
    },
  };
}

/**
 * `ws` collects a message whole before it hands it on. Until the first one is there, which begins with CONNECT, nobody is
 * known, and the peer may not send more than a CONNECT may take.
 */
function limitFirstMessage(socket: Socket, webSocket: WebSocket, mostBytes: number): void {
  const before = socket.bytesRead;
  const check = (): void => {
    if (socket.bytesRead - before > mostBytes) webSocket.terminate();
  };
  socket.on("data", check);
  webSocket.once("message", () => socket.off("data", check));
}

/** Milliseconds between two looks at handshakes that take too long. */
const CHECKING_MS = 1_000;

/** An HTTP server that does nothing but upgrades, and does not wait long for them. */
function createHttpServer(settings: ListenerSettings, { connectTimeoutMs }: HandshakeRules): Server {
  const server = createServer(
    {
      maxHeaderSize: 8_192,
      headersTimeout: connectTimeoutMs,
      requestTimeout: connectTimeoutMs,
      connectionsCheckingInterval: Math.min(CHECKING_MS, connectTimeoutMs),
      keepAlive: true,
      keepAliveInitialDelay: 60_000,
    },
    (_request, response) => {
      response.writeHead(426, { "content-type": "text/plain", upgrade: "websocket", connection: "close" });
      response.end("This port speaks MQTT over WebSocket.\n");
    },
  );
  server.maxHeadersCount = 64;
  if (settings.connections !== undefined) server.maxConnections = settings.connections;
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
  socket.on("error", () => {});
  socket.on("finish", () => socket.destroy());
  socket.end(
    `HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status]}\r\n` +
      "Connection: close\r\nContent-Type: text/plain\r\n" +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
