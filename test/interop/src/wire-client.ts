// A client that does nothing by itself: it sends the packets that a test gives it and hands out those that arrive, one by
// one. So a test can stop in the middle of a handshake.

import { connect as connectSocket, type Socket } from "node:net";
import {
  type AckType,
  type Connack,
  type Connect,
  createPublish,
  encodePacket,
  type Packet,
  packetName,
  PacketReader,
  PacketType,
  type ProtocolVersion,
  type PublishInit,
  type QoS,
} from "@heirloom/codec";
import { within } from "./within.ts";

/** Milliseconds. A packet that is not there by then is not coming. */
const PACKET_LIMIT_MS = 30_000;

export interface WireOptions {
  readonly port: number;
  readonly clientId: string;
  /** Default 5. */
  readonly protocolVersion?: ProtocolVersion;
  /** Default true. */
  readonly cleanStart?: boolean;
  /** Seconds; for 5.0 only, default 0. */
  readonly sessionExpiryInterval?: number;
  /** Seconds; default 0, off. */
  readonly keepAlive?: number;
  readonly receiveMaximum?: number;
  readonly username?: string;
  readonly will?: {
    readonly topicName: string;
    readonly payload: string;
    readonly qos: QoS;
    readonly willDelayInterval: number;
  };
}

/** The packets that may have this type: one interface stands for the four acknowledgements. */
type PacketOf<Type extends PacketType, Each = Packet> = Each extends Packet
  ? Type extends Each["type"]
    ? Each
    : never
  : never;

export class WireClient {
  readonly socket: Socket;
  readonly version: ProtocolVersion;
  /** Resolves when the connection is closed. */
  readonly closed: Promise<void>;
  readonly #reader: PacketReader;
  readonly #arrived: Packet[] = [];
  #isClosed = false;
  #wake: (() => void) | undefined;

  private constructor(port: number, version: ProtocolVersion) {
    this.version = version;
    this.#reader = new PacketReader({ side: "client", version });
    this.socket = connectSocket({ port, host: "127.0.0.1", noDelay: true });
    this.socket.on("data", (chunk: Uint8Array) => this.#receive(chunk));
    // What matters of an error is that the connection is closed.
    this.socket.on("error", () => undefined);
    this.closed = new Promise((resolve) => {
      this.socket.on("close", () => {
        this.#isClosed = true;
        this.#wake?.();
        resolve();
      });
    });
  }

  /** Connects and waits for CONNACK, whatever it says. */
  static async connect(options: WireOptions): Promise<{ client: WireClient; connack: Connack }> {
    const version = options.protocolVersion ?? 5;
    const client = new WireClient(options.port, version);
    client.send(connectPacket(options, version));
    return { client, connack: await client.take(PacketType.CONNACK) };
  }

  send(...packets: readonly Packet[]): void {
    for (const packet of packets) this.socket.write(encodePacket(packet, this.version));
  }

  publish(init: PublishInit): void {
    this.send(createPublish(init));
  }

  ack(type: AckType, packetId: number): void {
    this.send({ type, packetId, reasonCode: 0 });
  }

  /** Subscribes to one filter and waits for SUBACK. */
  async subscribe(topicFilter: string, qos: QoS): Promise<void> {
    this.send({
      type: PacketType.SUBSCRIBE,
      packetId: 1,
      subscriptions: [{ topicFilter, qos, noLocal: false, retainAsPublished: false, retainHandling: 0 }],
      properties: {},
    });
    await this.take(PacketType.SUBACK);
  }

  /** The next packet that arrives. @throws Error when the connection is closed, or none arrives in time. */
  async next(): Promise<Packet> {
    for (;;) {
      const packet = this.#arrived.shift();
      if (packet !== undefined) return packet;
      if (this.#isClosed) throw new Error("the broker closed the connection");
      const arrived = new Promise<"arrived">((resolve) => {
        this.#wake = () => resolve("arrived");
      });
      if ((await within(PACKET_LIMIT_MS, arrived)) === undefined) throw new Error("no packet arrived");
    }
  }

  /** The next packet, which has to be of this type. @throws Error when it is not. */
  async take<Type extends PacketType>(type: Type): Promise<PacketOf<Type>> {
    const packet = await this.next();
    if (isOfType(packet, type)) return packet;
    throw new Error(`seen ${packetName(packet.type)}, expected ${packetName(type)}`);
  }

  /** Waits until the broker has handled all that was sent, and returns what arrived before its PINGRESP. */
  async roundTrip(): Promise<Packet[]> {
    this.send({ type: PacketType.PINGREQ });
    const packets: Packet[] = [];
    for (;;) {
      const packet = await this.next();
      if (packet.type === PacketType.PINGRESP) return packets;
      packets.push(packet);
    }
  }

  /** Leaves in order: the broker drops the will. */
  async disconnect(): Promise<void> {
    this.send({ type: PacketType.DISCONNECT, reasonCode: 0, properties: {} });
    this.socket.end();
    await this.closed;
  }

  /** Leaves without a word. */
  async destroy(): Promise<void> {
    this.socket.destroy();
    await this.closed;
  }

  #receive(chunk: Uint8Array): void {
    this.#reader.push(chunk);
    for (let packet = this.#reader.next(); packet !== undefined; packet = this.#reader.next()) {
      this.#arrived.push(packet);
    }
    this.#wake?.();
  }
}

function isOfType<Type extends PacketType>(packet: Packet, type: Type): packet is PacketOf<Type> {
  return packet.type === type;
}

function connectPacket(options: WireOptions, protocolVersion: ProtocolVersion): Connect {
  const { clientId, cleanStart = true, keepAlive = 0, sessionExpiryInterval, receiveMaximum, will } = options;
  const { username } = options;
  return {
    type: PacketType.CONNECT,
    protocolVersion,
    clientId,
    cleanStart,
    keepAlive,
    ...(username === undefined ? {} : { username }),
    properties: {
      ...(sessionExpiryInterval === undefined ? {} : { sessionExpiryInterval }),
      ...(receiveMaximum === undefined ? {} : { receiveMaximum }),
    },
    ...(will === undefined
      ? {}
      : {
          will: {
            ...will,
            payload: Buffer.from(will.payload),
            retain: false,
            messageExpiryInterval: -1,
            forwarded: new Uint8Array(),
          },
        }),
  };
}
