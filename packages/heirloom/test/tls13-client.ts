// A client of TLS 1.3 that makes its records itself, once Node has done the handshake for it: Node sends no KeyUpdate.
// RFC 8446 sections 4.6.3, 5.2 and 7.2.

import { createCipheriv, createHmac } from "node:crypto";
import { once } from "node:events";
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import type { TestContext } from "node:test";
import { connect } from "node:tls";
import { connectTcp } from "./support.ts";

/** What a record has in it, in the byte behind its content. */
const ContentType = { HANDSHAKE: 22, APPLICATION_DATA: 23 } as const;

/** The handshake message: type 24, three bytes of length, and that an answer is wanted. */
const KEY_UPDATE = Buffer.from([24, 0, 0, 1, 1]);

export class Tls13Client {
  readonly socket: Socket;
  /** Of TLS_AES_128_GCM_SHA256, whose keys have 16 bytes. */
  #secret: Buffer;
  /** Records that were sent with this secret. */
  #sequence = 0;

  private constructor(socket: Socket, secret: Buffer) {
    this.socket = socket;
    this.#secret = secret;
    // A reset: the server closes while answers to it are on their way.
    socket.on("error", () => {}).on("end", () => socket.destroy());
  }

  /** Connects. What the server sends from now on is read by nobody. */
  static async connect(context: TestContext, port: number): Promise<Tls13Client> {
    const socket = await connectTcp(context, port);
    const [outer, release] = borrowed(socket);
    const handshake = connect({
      socket: outer,
      rejectUnauthorized: false,
      minVersion: "TLSv1.3",
      ciphers: "TLS_AES_128_GCM_SHA256",
    });
    let secret: Buffer | undefined;
    handshake.on("keylog", (line: Buffer) => {
      const [label, , hex] = line.toString().trim().split(" ");
      if (label === "CLIENT_TRAFFIC_SECRET_0" && hex !== undefined) secret = Buffer.from(hex, "hex");
    });
    await once(handshake, "secureConnect");
    release();
    if (secret === undefined) throw new Error("the handshake gave no CLIENT_TRAFFIC_SECRET_0");
    return new Tls13Client(socket, secret);
  }

  /** Each character is a byte. */
  send(data: string): void {
    this.socket.write(this.#record(Buffer.from(data, "latin1"), ContentType.APPLICATION_DATA));
  }

  /** Sends so many of them, each under the keys that the one before has brought. A record has 27 bytes. */
  updateKeys(times: number): void {
    const records: Buffer[] = [];
    for (let count = 0; count < times; count++) {
      records.push(this.#record(KEY_UPDATE, ContentType.HANDSHAKE));
      this.#secret = this.#expand("traffic upd", 32);
      this.#sequence = 0;
    }
    this.socket.write(Buffer.concat(records));
  }

  /** Resolves when the server has closed the connection, with or without its answers being read. */
  async untilClosed(): Promise<void> {
    this.socket.resume();
    if (!this.socket.destroyed) await new Promise((resolve) => this.socket.once("close", resolve));
  }

  #record(content: Buffer, type: number): Buffer {
    const header = Buffer.from([23, 3, 3, 0, 0]);
    header.writeUInt16BE(content.length + 1 + 16, 3);
    const nonce = this.#expand("iv", 12);
    nonce.writeUInt32BE((nonce.readUInt32BE(8) ^ this.#sequence++) >>> 0, 8);
    const cipher = createCipheriv("aes-128-gcm", this.#expand("key", 16), nonce).setAAD(header);
    const inner = Buffer.concat([content, Buffer.from([type])]);
    return Buffer.concat([header, cipher.update(inner), cipher.final(), cipher.getAuthTag()]);
  }

  /** HKDF-Expand-Label with no context, for at most the 32 bytes that one round gives. */
  #expand(label: string, length: number): Buffer {
    const name = Buffer.from(`tls13 ${label}`);
    const info = Buffer.concat([Buffer.from([0, length, name.length]), name, Buffer.from([0, 1])]);
    return createHmac("sha256", this.#secret).update(info).digest().subarray(0, length);
  }
}

/** A stream over a socket, and how to take the socket back. */
function borrowed(socket: Socket): [Duplex, () => void] {
  const outer = new Duplex({
    read: () => {},
    write: (chunk: Buffer, _encoding, done) => void socket.write(chunk, () => done()),
  });
  const pass = (chunk: Buffer): void => void outer.push(chunk);
  socket.on("data", pass);
  const release = (): void => {
    socket.off("data", pass);
    socket.pause();
  };
  return [outer, release];
}
