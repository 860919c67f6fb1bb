// TLS handshakes on the server's side: so many at once, the others in the order in which they came. Who says nothing takes no
// place, and who takes too long gives way.
// RFC 8446, RFC 5246; ALPN: RFC 7301; SNI: RFC 6066 section 3.

import type { Socket } from "node:net";
import { performance } from "node:perf_hooks";
import { createServer, type SecureContext, type Server, type TLSSocket } from "node:tls";
import { ReasonCode } from "@heirloom/codec";
import { DEFAULT_TLS_HANDSHAKES, type TlsOptions } from "../config/tls-options.ts";
import { messageOf, systemCode } from "../errors.ts";
import type { Arrival } from "./arrival.ts";
import { clientCertificateOf } from "./peer-certificate.ts";
import { RecordWatch } from "./record-watch.ts";
import type { TlsMaterial } from "./tls-files.ts";

/** Connections that wait for their handshake at most. Nobody is known of them, and each has a deadline. */
const MOST_WAITING = 4_096;

/** Milliseconds that a handshake has for certain. After that it goes on only while no other one waits. */
const CERTAIN_MS = 2_000;

interface Handshake {
  readonly arrival: Arrival;
  readonly begunMs: number;
}

/** What to do with a connection whose handshake was good. */
export type Secured = (arrival: Arrival, stream: TLSSocket) => void;

export class TlsGate {
  readonly #tls: TlsOptions;
  readonly #server: Server;
  readonly #secured: Secured;
  #serverNames: ReadonlyMap<string, SecureContext>;
  /** Handshakes that are under way, the oldest first, by what their socket can be recognised by. */
  readonly #underWay = new Map<string, Handshake>();
  readonly #waiting = new Set<Arrival>();
  readonly #recordWatch = new RecordWatch();
  /** Set while one waits: when the oldest handshake gives way. */
  #timer: NodeJS.Timeout | undefined;

  /** @param protocol what the clients speak inside, by its name in ALPN. */
  constructor(tls: TlsOptions, material: TlsMaterial, protocol: "mqtt" | "http/1.1", secured: Secured) {
    this.#tls = tls;
    this.#secured = secured;
    this.#serverNames = material.serverNames;
    const { clientCertificate = "none" } = tls;
    this.#server = createServer({
      ...material.context,
      requestCert: clientCertificate !== "none",
      // Looked at in `#shown`, which can say what is wrong with a certificate.
      rejectUnauthorized: false,
      ALPNProtocols: [protocol],
      SNICallback: (name, done) => done(null, this.#contextFor(name)),
    });
    this.#server.on("secureConnection", (stream) => this.#finished(stream));
    this.#server.on("tlsClientError", (error, stream) => this.#failed(error, stream));
  }

  /** New handshakes use other certificates from now on. */
  update(material: TlsMaterial): void {
    this.#server.setSecureContext(material.context);
    this.#serverNames = material.serverNames;
  }

  /** Begins the handshake when its first byte has come, or when it is its turn after that. */
  handshake(arrival: Arrival): void {
    const { socket } = arrival;
    // The bytes stay where they are: the encrypted stream begins with what its socket has.
    const came = (): void => {
      if (socket.readableLength === 0) return;
      socket.off("readable", came);
      if (!arrival.isOver) this.#enqueue(arrival);
    };
    socket.on("readable", came);
  }

  #enqueue(arrival: Arrival): void {
    if (!this.#isFull) {
      this.#begin(arrival);
    } else if (this.#waiting.size < MOST_WAITING) {
      this.#waiting.add(arrival);
      arrival.socket.once("close", () => this.#waiting.delete(arrival));
      this.#endStalled();
    } else {
      arrival.fail(ReasonCode.CONNECTION_RATE_EXCEEDED, `${MOST_WAITING} connections wait for TLS already`);
    }
  }

  get #isFull(): boolean {
    return this.#underWay.size >= (this.#tls.handshakes ?? DEFAULT_TLS_HANDSHAKES);
  }

  #begin(arrival: Arrival): void {
    const { socket } = arrival;
    const key = keyOf(socket);
    if (key === undefined) {
      // The peer is gone already.
      arrival.fail(ReasonCode.UNSPECIFIED_ERROR, "closed by the peer before CONNECT");
      return;
    }
    this.#underWay.set(key, { arrival, begunMs: performance.now() });
    socket.once("close", () => this.#release(key, arrival));
    this.#server.emit("connection", socket);
  }

  /** The handshake is over, in one way or the other: the next one may begin. */
  #release(key: string, arrival: Arrival): void {
    if (this.#underWay.get(key)?.arrival !== arrival) return;
    this.#underWay.delete(key);
    for (const next of this.#waiting) {
      if (this.#isFull) return;
      this.#waiting.delete(next);
      this.#begin(next);
    }
  }

  /** The oldest handshakes give way to those that wait, as soon as they have had their time. */
  #endStalled(): void {
    for (const [key, { arrival, begunMs }] of this.#underWay) {
      if (this.#waiting.size === 0) return;
      const restMs = begunMs + CERTAIN_MS - performance.now();
      if (restMs > 0) {
        if (this.#timer === undefined) {
          this.#timer = setTimeout(() => this.#look(), Math.ceil(restMs)).unref();
        }
        return;
      }
      arrival.giveWay("TLS: a handshake that does not come to an end while others wait");
      this.#release(key, arrival);
    }
  }

  #look(): void {
    this.#timer = undefined;
    this.#endStalled();
  }

  #finished(stream: TLSSocket): void {
    // Nobody may listen yet, and an error that nobody listens to ends the process.
    stream.on("error", () => {});
    const key = keyOf(stream);
    const arrival = key === undefined ? undefined : this.#underWay.get(key)?.arrival;
    if (key === undefined || arrival === undefined || arrival.isOver) {
      stream.destroy();
      return;
    }
    this.#release(key, arrival);
    const fault = this.#shown(arrival, stream);
    if (fault !== undefined) {
      arrival.fail(ReasonCode.NOT_AUTHORIZED, `client certificate: ${fault}`);
      return;
    }
    this.#recordWatch.watch(arrival, stream);
    this.#secured(arrival, stream);
  }

  /** Takes note of the certificate that the client showed. @returns why it is not let in. */
  #shown(arrival: Arrival, stream: TLSSocket): string | undefined {
    const { clientCertificate = "none" } = this.#tls;
    if (clientCertificate === "none") return undefined;
    const certificate = stream.getPeerX509Certificate();
    if (certificate === undefined)
      return clientCertificate === "required" ? "none was shown, one is required" : undefined;
    // Not verified, expired, revoked, or not meant for clients.
    if (!stream.authorized) return String(stream.authorizationError);
    try {
      arrival.certificate = clientCertificateOf(certificate);
      return undefined;
    } catch (error) {
      return messageOf(error);
    }
  }

  #failed(error: Error, stream: TLSSocket): void {
    const key = keyOf(stream);
    const arrival = key === undefined ? undefined : this.#underWay.get(key)?.arrival;
    arrival?.fail(ReasonCode.UNSPECIFIED_ERROR, `TLS: ${systemCode(error) ?? error.message}`);
    stream.destroy();
  }

  #contextFor(name: string): SecureContext | undefined {
    const lowerCase = name.toLowerCase();
    const dot = lowerCase.indexOf(".");
    return (
      this.#serverNames.get(lowerCase) ??
      (dot === -1 ? undefined : this.#serverNames.get(`*${lowerCase.slice(dot)}`))
    );
  }
}

/**
 * The two ends of a connection. Node makes the encrypted stream around a socket by itself and does not tell which socket
 * it is; but no two connections have the same ends.
 */
function keyOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string | undefined {
  if (remoteAddress === undefined || localAddress === undefined) return undefined;
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}
