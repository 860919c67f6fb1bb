// One connection as bytes: TCP or WebSocket below, a list of parsed packets above. Waits are for events - the next
// packet, the end of the stream - and never for a fixed time.
import { type Socket, connect as connectTcp } from "node:net";
import { WebSocket } from "ws";
import type { Version } from "./build.ts";
import { type Part, join, toHex } from "./bytes.ts";
import { code, fail } from "./check.ts";
import { type Packet, type PacketOf, parse } from "./parse.ts";

/** How long an answer may take on a busy machine. */
export const ANSWER_MS = 6000;
/** How long a broker may take to close. */
export const CLOSE_MS = 3500;

/** What is below a Wire. */
interface Link {
  write(bytes: Uint8Array): void;
  /** Ends without a word of MQTT. */
  destroy(): void;
}

export class Wire {
  readonly version: Version;
  /** What came and was not taken, in order. */
  readonly packets: Packet[] = [];
  /** All bytes that came. */
  received: Uint8Array = join();
  /** Whether the other side ended the stream. */
  closed = false;
  #link: Link | undefined;
  #unparsed: Uint8Array = join();
  #fault: Error | undefined;
  #waiters: (() => void)[] = [];

  private constructor(version: Version) {
    this.version = version;
  }

  static async tcp(host: string, port: number, version: Version): Promise<Wire> {
    const wire = new Wire(version);
    const socket: Socket = connectTcp({ host, port, noDelay: true });
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve).once("error", reject);
    });
    socket.on("data", (bytes) => wire.#data(bytes));
    socket.on("end", () => wire.#end()).on("close", () => wire.#end());
    // A reset is an end like any other; "close" follows.
    socket.on("error", () => undefined);
    wire.#link = { write: (bytes) => socket.write(bytes), destroy: () => socket.destroy() };
    return wire;
  }

  static async webSocket(
    url: string,
    protocols: readonly string[],
    version: Version,
  ): Promise<WebSocketWire> {
    const wire = new Wire(version);
    const socket = new WebSocket(url, [...protocols], { perMessageDeflate: false });
    const texts = { count: 0 };
    await new Promise<void>((resolve, reject) => {
      socket.once("open", resolve).once("error", reject);
      socket.on("message", (data, isBinary) => {
        if (!isBinary) texts.count += 1;
        wire.#data(Buffer.isBuffer(data) ? data : Buffer.from([]));
      });
    });
    socket.on("close", () => wire.#end());
    socket.on("error", () => undefined);
    wire.#link = { write: (bytes) => socket.send(bytes), destroy: () => socket.terminate() };
    return { wire, socket, texts };
  }

  send(...parts: readonly Part[]): void {
    this.#link?.write(join(...parts));
  }

  destroy(): void {
    this.#link?.destroy();
  }

  /** The next packet in order, of whatever kind. */
  async next(waitMs: number = ANSWER_MS): Promise<Packet> {
    await this.#until(() => this.packets.length > 0, "a packet", waitMs);
    return this.packets.shift() ?? fail("unreachable: no packet");
  }

  /** The next packet, which has to be a `name`. */
  async expect<N extends Packet["name"]>(name: N, waitMs?: number): Promise<PacketOf<N>> {
    const packet = await this.next(waitMs);
    return isNamed(packet, name) ? packet : fail(`expected ${name}, the broker sent ${describe(packet)}`);
  }

  /** The first `name` that came or comes; others stay in the list. */
  async take<N extends Packet["name"]>(name: N, waitMs: number = ANSWER_MS): Promise<PacketOf<N>> {
    await this.#until(() => this.packets.some((packet) => packet.name === name), name, waitMs);
    const index = this.packets.findIndex((packet) => packet.name === name);
    const packet = this.packets.splice(index, 1)[0];
    return packet !== undefined && isNamed(packet, name) ? packet : fail("unreachable: taken packet");
  }

  /** Waits until the other side ended; what came before stays in `packets` and `received`. */
  async ended(waitMs: number = CLOSE_MS): Promise<void> {
    const deadline = Date.now() + waitMs;
    while (!this.closed && Date.now() < deadline) await this.#change(deadline - Date.now());
    if (!this.closed) fail(`the broker kept the connection open for ${waitMs} ms${this.#seen()}`);
  }

  /** Throws what was wrong with the broker's bytes, if something was. */
  check(): void {
    if (this.#fault !== undefined) throw this.#fault;
  }

  async #until(holds: () => boolean, what: string, waitMs: number): Promise<void> {
    const deadline = Date.now() + waitMs;
    while (!holds()) {
      this.check();
      if (this.closed) fail(`the connection ended while ${what} was expected${this.#seen()}`);
      if (Date.now() >= deadline) fail(`no ${what} within ${waitMs} ms${this.#seen()}`);
      await this.#change(deadline - Date.now());
    }
    this.check();
  }

  #change(waitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, waitMs);
      this.#waiters.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  #data(bytes: Uint8Array): void {
    this.received = this.received.length < 4096 ? join(this.received, bytes) : this.received;
    this.#unparsed = join(this.#unparsed, bytes);
    try {
      for (let one = parse(this.#unparsed, this.version); one; one = parse(this.#unparsed, this.version)) {
        this.packets.push(one.packet);
        this.#unparsed = this.#unparsed.subarray(one.size);
      }
    } catch (error) {
      this.#fault ??= error instanceof Error ? error : new Error(String(error));
    }
    this.#wake();
  }

  #end(): void {
    this.closed = true;
    this.#wake();
  }

  #wake(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }

  #seen(): string {
    if (this.packets.length > 0) return `; came: ${this.packets.map(describe).join(", ")}`;
    return this.#unparsed.length > 0 ? `; came: ${toHex(this.#unparsed)}` : "";
  }
}

/** A Wire over WebSocket, with the socket for what only frames can say. */
export interface WebSocketWire {
  readonly wire: Wire;
  readonly socket: WebSocket;
  /** Text frames that the broker sent. */
  readonly texts: { readonly count: number };
}

function isNamed<N extends Packet["name"]>(packet: Packet, name: N): packet is PacketOf<N> & Packet {
  return packet.name === name;
}

export function describe(packet: Packet): string {
  switch (packet.name) {
    case "PUBLISH":
      return `PUBLISH ${packet.topic} qos=${packet.qos} dup=${Number(packet.dup)} retain=${Number(packet.retain)} id=${packet.packetId}`;
    case "SUBACK":
    case "UNSUBACK":
      return `${packet.name} ${packet.packetId} [${packet.reasonCodes.map(code).join(" ")}]`;
    case "PINGRESP":
      return packet.name;
    case "CONNACK":
    case "DISCONNECT":
    case "AUTH":
      return `${packet.name} ${code(packet.reasonCode)}`;
    default:
      return `${packet.name} ${packet.packetId} ${code(packet.reasonCode)}`;
  }
}
