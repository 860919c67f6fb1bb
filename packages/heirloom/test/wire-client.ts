// A client for tests over any stream: it says what it is told to say, and hands out what comes, in order.

import type { Duplex } from "node:stream";
import {
  encodePacket,
  PacketReader,
  PacketType,
  type Connect,
  type Packet,
  type ProtocolVersion,
} from "@heirloom/codec";
import type { AttachOptions } from "heirloom";
import type { TestBroker } from "heirloom/testing";

/** What CONNECT says. Absent: client identifier "c", clean start, no Keep Alive. */
export type ConnectInit = Partial<Omit<Connect, "type" | "protocolVersion" | "password">> & {
  readonly password?: string | Uint8Array;
};

export class WireClient {
  readonly stream: Duplex;
  readonly #version: ProtocolVersion;
  readonly #came: (Packet | "closed")[] = [];
  readonly #waiting: ((came: Packet | "closed") => void)[] = [];

  constructor(stream: Duplex, version: ProtocolVersion = 5) {
    this.stream = stream;
    this.#version = version;
    const reader = new PacketReader({ side: "client", version });
    stream.on("data", (chunk: Uint8Array) => {
      reader.push(chunk);
      for (let packet = reader.next(); packet !== undefined; packet = reader.next()) this.#take(packet);
    });
    stream.on("error", () => {});
    stream.on("end", () => this.#take("closed"));
  }

  send(packet: Packet): void {
    this.stream.write(encodePacket(packet, this.#version));
  }

  /** The next packet, or "closed". */
  async next(): Promise<Packet | "closed"> {
    return this.#came.shift() ?? new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Sends CONNECT. @returns the reason code, or return code, of CONNACK. */
  async connect(init: ConnectInit = {}): Promise<number | string> {
    this.send(connectPacket(this.#version, init));
    const answer = await this.next();
    if (answer === "closed") return answer;
    return answer.type === PacketType.CONNACK ? answer.reasonCode : `packet of type ${answer.type}`;
  }

  /** The reason code of the DISCONNECT that comes next. */
  async disconnected(): Promise<number | string> {
    const answer = await this.next();
    if (answer === "closed") return answer;
    return answer.type === PacketType.DISCONNECT ? answer.reasonCode : `packet of type ${answer.type}`;
  }

  #take(came: Packet | "closed"): void {
    const resolve = this.#waiting.shift();
    if (resolve === undefined) this.#came.push(came);
    else resolve(came);
  }
}

export function connectPacket(version: ProtocolVersion, init: ConnectInit): Connect {
  const { password, ...rest } = init;
  return {
    type: PacketType.CONNECT,
    protocolVersion: version,
    clientId: "c",
    cleanStart: true,
    keepAlive: 0,
    properties: {},
    ...rest,
    ...(password === undefined ? {} : { password: Buffer.from(password) }),
  };
}

/** One CONNECT over a connection of its own; its CONNACK's reason code. The connection is closed again. */
export async function tryLogin(
  broker: TestBroker,
  init: ConnectInit,
  options: AttachOptions & { readonly version?: ProtocolVersion } = {},
): Promise<number | string> {
  const { version = 5, ...attach } = options;
  const client = new WireClient(broker.connect(attach), version);
  const code = await client.connect(init);
  client.stream.destroy();
  return code;
}
