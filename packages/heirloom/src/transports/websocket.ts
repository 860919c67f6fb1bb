// The WebSocket listener: MQTT in binary frames. Packets and frames begin and end where they like.
// MQTT 5.0 section 6, 3.1.1 section 6.

import { createServer, STATUS_CODES, type Server } from "node:http";
import type { Duplex } from "node:stream";
import type { ListenerSettings } from "../config/settings.ts";
import { listen, stopListening } from "./listen.ts";
import { StreamTransport } from "./stream.ts";
import {
  hostAndPort,
  remoteAddressOf,
  type Accept,
  type ConnectionInput,
  type Listener,
  type NewTransport,
} from "./transport.ts";
import {
  acceptUpgrade,
  isLoopback,
  refuseUpgrade,
  type UpgradeRefusal,
  type UpgradeRules,
} from "./upgrade.ts";
import {
  binaryFrame,
  CloseCode,
  closeFrame,
  FrameReader,
  pongFrame,
  type FrameHandler,
} from "./websocket-frames.ts";

/** Bytes. A peer that pings and does not read is not answered beyond this. */
const MOST_WAITING_FOR_PONG = 65_536;

/** One connection over one WebSocket: frames around a stream. */
class WebSocketTransport implements NewTransport, ConnectionInput, FrameHandler {
  readonly #stream: StreamTransport;
  readonly #frames: FrameReader = new FrameReader(this);
  #connection: ConnectionInput | undefined;
  #ended = false;

  constructor(stream: StreamTransport) {
    this.#stream = stream;
  }

  start(connection: ConnectionInput, onClose: () => void): void {
    if (!this.#ended) this.#connection = connection;
    this.#stream.start(this, onClose);
  }

  get remoteAddress(): string {
    return this.#stream.remoteAddress;
  }

  get bufferedBytes(): number {
    return this.#stream.bufferedBytes;
  }

  write(bytes: Uint8Array): boolean {
    if (!this.#ended) this.#stream.write(binaryFrame(bytes));
    // The frame has a copy of them.
    return true;
  }

  end(): void {
    this.#connection = undefined;
    this.#close(CloseCode.NORMAL);
  }

  destroy(): void {
    this.#connection = undefined;
    this.#ended = true;
    this.#stream.destroy();
  }

  pause(paused: boolean): void {
    this.#stream.pause(paused);
  }

  // --- ConnectionInput: from the stream --------------------------------------------------------------------------

  receive(chunk: Uint8Array): void {
    this.#frames.push(chunk);
  }

  drained(): void {
    this.#connection?.drained();
  }

  closed(error?: Error): void {
    this.#ended = true;
    this.#tellClosed(error);
  }

  // --- FrameHandler ----------------------------------------------------------------------------------------------

  data(bytes: Uint8Array): void {
    this.#connection?.receive(bytes);
  }

  ping(payload: Uint8Array): void {
    if (!this.#ended && this.bufferedBytes < MOST_WAITING_FOR_PONG) this.#stream.write(pongFrame(payload));
  }

  closedByFrame(): void {
    this.#tellClosed(undefined);
    this.#close(CloseCode.NORMAL);
  }

  failed(closeCode: number, message: string): void {
    this.#tellClosed(new Error(message));
    this.#close(closeCode);
  }

  /** The close frame is the last one; the stream then gives the peer time to read it. RFC 6455 section 5.5.1. */
  #close(closeCode: number): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#stream.write(closeFrame(closeCode));
    this.#stream.end();
  }

  #tellClosed(error: Error | undefined): void {
    const connection = this.#connection;
    this.#connection = undefined;
    connection?.closed(error);
  }
}

/** @throws ListenError when the address cannot be had. */
export async function listenWebSocket(settings: ListenerSettings, accept: Accept): Promise<Listener> {
  const server = createHttpServer(settings);
  const rules = upgradeRules(settings);
  server.on("upgrade", (request, socket, head) => {
    const refusal = refuseUpgrade(request, rules);
    if (refusal !== undefined) {
      refuse(socket, refusal);
      return;
    }
    const remoteAddress = remoteAddressOf(request.socket);
    socket.write(acceptUpgrade(request));
    if (head.length > 0) socket.unshift(head);
    accept(new WebSocketTransport(new StreamTransport(socket, remoteAddress)));
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

/** An HTTP server that does nothing but upgrades, and does not wait long for them. */
function createHttpServer(settings: ListenerSettings): Server {
  const server = createServer(
    {
      maxHeaderSize: 8_192,
      headersTimeout: 5_000,
      requestTimeout: 5_000,
      connectionsCheckingInterval: 1_000,
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
      "Connection: close\r\nContent-Type: text/plain\r\nSec-WebSocket-Version: 13\r\n" +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
