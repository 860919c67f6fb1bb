// A client for tests, joined to a broker in memory. It says what it is told to say, legal or not, and notes what comes.
// It answers nothing by itself: a test decides when a message is acknowledged.

import {
  type Ack,
  type Connect,
  type ConnectProperties,
  createPublish,
  encodePacket,
  type Packet,
  PacketReader,
  PacketType,
  type ProtocolVersion,
  type PublishInit,
  type Subscription,
  type Will,
} from "@heirloom/codec";
import type { Connection } from "../connection.ts";
import { NO_BYTES } from "../message.ts";
import { MemoryTransport } from "./memory-transport.ts";
import { packetWords, utf8 } from "./packet-words.ts";

/** What CONNECT says. Absent: the client's name as ClientId, clean start, no Keep Alive. */
export interface ConnectInit {
  readonly clientId?: string;
  readonly cleanStart?: boolean;
  readonly keepAlive?: number;
  readonly username?: string;
  readonly password?: string;
  readonly will?: WillInit;
  readonly properties?: ConnectProperties;
}

export interface WillInit extends Partial<Omit<Will, "payload">> {
  readonly payload?: string;
}

export interface MessageInit extends Omit<PublishInit, "payload"> {
  readonly payload?: string;
}

/** One filter of a SUBSCRIBE: the filter itself, or with options. QoS 2 and nothing else unless given. */
export type FilterInit = string | (Partial<Subscription> & { readonly topicFilter: string });

export class TestClient {
  readonly name: string;
  readonly version: ProtocolVersion;
  readonly transport: MemoryTransport;
  readonly #connection: Connection;
  readonly #settle: () => Promise<void>;
  readonly #reader: PacketReader;
  #packets: Packet[] = [];
  #lastPacketId = 0;

  /** `came` is told of every packet, in words. */
  constructor(
    name: string,
    version: ProtocolVersion,
    accept: (transport: MemoryTransport) => Connection,
    settle: () => Promise<void>,
    came: (words: string) => void,
  ) {
    this.name = name;
    this.version = version;
    this.#settle = settle;
    this.#reader = new PacketReader({ side: "client", version });
    this.transport = new MemoryTransport(`memory:${name}`, (bytes) => {
      this.#reader.push(bytes);
      for (let packet = this.#reader.next(); packet !== undefined; packet = this.#reader.next()) {
        this.#packets.push(packet);
        came(packetWords(packet));
      }
    });
    this.#connection = accept(this.transport);
  }

  // --- what came -------------------------------------------------------------------------------------------------

  /** Whether the broker ended the connection. */
  get isClosed(): boolean {
    return this.transport.isEnded;
  }

  /** The packets that came since they were taken last. */
  take(): Packet[] {
    const packets = this.#packets;
    this.#packets = [];
    return packets;
  }

  /** The same in words. */
  words(): string[] {
    return this.take().map(packetWords);
  }

  // --- what it says, without waiting -----------------------------------------------------------------------------

  sendBytes(bytes: Uint8Array): void {
    this.#connection.receive(bytes);
  }

  send(packet: Packet): void {
    this.sendBytes(encodePacket(packet, this.version));
  }

  sendPublish({ payload, ...rest }: MessageInit): void {
    const qos = rest.qos ?? 0;
    const packetId = rest.packetId ?? (qos === 0 ? 0 : ++this.#lastPacketId);
    this.send(
      createPublish({ ...rest, packetId, payload: payload === undefined ? NO_BYTES : utf8(payload) }),
    );
  }

  sendConnect(init: ConnectInit = {}): void {
    this.send(connectPacket(this.name, this.version, init));
  }

  sendSubscribe(filters: readonly FilterInit[], subscriptionIdentifier?: number): void {
    this.send({
      type: PacketType.SUBSCRIBE,
      packetId: ++this.#lastPacketId,
      subscriptions: filters.map((filter) => ({
        ...DEFAULT_OPTIONS,
        ...(typeof filter === "string" ? { topicFilter: filter } : filter),
      })),
      properties: subscriptionIdentifier === undefined ? {} : { subscriptionIdentifier },
    });
  }

  sendUnsubscribe(topicFilters: string[]): void {
    this.send({ type: PacketType.UNSUBSCRIBE, packetId: ++this.#lastPacketId, topicFilters, properties: {} });
  }

  sendDisconnect(reasonCode = 0, sessionExpiryInterval?: number): void {
    this.send({
      type: PacketType.DISCONNECT,
      reasonCode,
      properties: sessionExpiryInterval === undefined ? {} : { sessionExpiryInterval },
    });
  }

  /** The network between the two is gone. */
  cut(): void {
    this.#connection.closed();
  }

  // --- what it says; each returns what came, in words ------------------------------------------------------------

  connect(init: ConnectInit = {}): Promise<string[]> {
    this.sendConnect(init);
    return this.#answer();
  }

  publish(message: MessageInit): Promise<string[]> {
    this.sendPublish(message);
    return this.#answer();
  }

  /** The packet identifiers of SUBSCRIBE, UNSUBSCRIBE and PUBLISH count up from 1. */
  subscribe(filters: FilterInit | readonly FilterInit[], subscriptionIdentifier?: number): Promise<string[]> {
    this.sendSubscribe(Array.isArray(filters) ? filters : [filters], subscriptionIdentifier);
    return this.#answer();
  }

  unsubscribe(...topicFilters: string[]): Promise<string[]> {
    this.sendUnsubscribe(topicFilters);
    return this.#answer();
  }

  puback(packetId: number, reasonCode = 0): Promise<string[]> {
    return this.#ack({ type: PacketType.PUBACK, packetId, reasonCode });
  }

  pubrec(packetId: number, reasonCode = 0): Promise<string[]> {
    return this.#ack({ type: PacketType.PUBREC, packetId, reasonCode });
  }

  pubrel(packetId: number, reasonCode = 0): Promise<string[]> {
    return this.#ack({ type: PacketType.PUBREL, packetId, reasonCode });
  }

  pubcomp(packetId: number, reasonCode = 0): Promise<string[]> {
    return this.#ack({ type: PacketType.PUBCOMP, packetId, reasonCode });
  }

  ping(): Promise<string[]> {
    this.send({ type: PacketType.PINGREQ });
    return this.#answer();
  }

  disconnect(reasonCode = 0, sessionExpiryInterval?: number): Promise<string[]> {
    this.sendDisconnect(reasonCode, sessionExpiryInterval);
    return this.#answer();
  }

  /** The network between the two is gone. */
  drop(): Promise<string[]> {
    this.cut();
    return this.#answer();
  }

  /** Reads what stood in line, and everything from now on. */
  unstick(): Promise<string[]> {
    this.transport.unstick();
    this.#connection.drained();
    return this.#answer();
  }

  #ack(ack: Ack): Promise<string[]> {
    this.send(ack);
    return this.#answer();
  }

  async #answer(): Promise<string[]> {
    await this.#settle();
    return this.words();
  }
}

const DEFAULT_OPTIONS = { qos: 2, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const;

function connectPacket(name: string, protocolVersion: ProtocolVersion, init: ConnectInit): Connect {
  const {
    clientId = name,
    cleanStart = true,
    keepAlive = 0,
    username,
    password,
    will,
    properties = {},
  } = init;
  return {
    type: PacketType.CONNECT,
    protocolVersion,
    clientId,
    cleanStart,
    keepAlive,
    properties,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password: utf8(password) }),
    ...(will === undefined ? {} : { will: willPacket(will) }),
  };
}

function willPacket({ payload, ...rest }: WillInit): Will {
  return {
    topicName: "will",
    qos: 0,
    retain: false,
    willDelayInterval: 0,
    messageExpiryInterval: -1,
    forwarded: NO_BYTES,
    ...rest,
    payload: utf8(payload ?? "gone"),
  };
}
