// Reads what the broker sends to one client and holds it against what the client has sent: only packets that a server may
// send to a client of its version, in an order that the standard allows, no more answers than there were questions.

import {
  type Connect,
  type Packet,
  packetName,
  PacketReader,
  PacketType,
  type ProtocolVersion,
  type Publish,
} from "@heirloom/codec";
import { holds } from "../target.ts";
import type { ClientStream } from "./client-stream.ts";

/** The answer to each question, by type. PUBLISH is counted by its QoS. */
const ANSWERED_BY = new Map<number, number>([
  [PacketType.SUBSCRIBE, PacketType.SUBACK],
  [PacketType.UNSUBSCRIBE, PacketType.UNSUBACK],
  [PacketType.PINGREQ, PacketType.PINGRESP],
  [PacketType.PUBREL, PacketType.PUBCOMP],
]);

export class Judge {
  readonly payloads: string[] = [];
  /** Of the last PUBLISH; 0 at QoS 0. */
  lastPacketId = 0;
  readonly #stream: ClientStream;
  readonly #counts = new Map<number, number>();
  readonly #aliases = new Set<number>();
  #reader: PacketReader | undefined;
  #isConnected = false;
  #isOver = false;
  #connect: Connect | undefined;

  constructor(stream: ClientStream) {
    this.#stream = stream;
  }

  /** Packets of a type that came. */
  count(type: number): number {
    return this.#counts.get(type) ?? 0;
  }

  /** Bytes came from the broker. */
  receive(bytes: Uint8Array): void {
    this.#connect = this.#stream.connect;
    // A client of an unknown version is answered in the form of 3.1.1.
    const version: ProtocolVersion = this.#connect?.protocolVersion ?? this.#stream.refusedVersion;
    const maximumPacketSize = this.#connect?.properties.maximumPacketSize;
    this.#reader ??= new PacketReader({
      side: "client",
      version,
      ...(maximumPacketSize === undefined ? {} : { maximumPacketSize }),
    });
    this.#reader.push(bytes);
    for (let packet = this.#reader.next(); packet !== undefined; packet = this.#reader.next()) {
      this.#take(packet, version);
    }
    holds(this.#reader.bufferedBytes === 0, () => "a write ends inside a packet");
  }

  #take(packet: Packet, version: ProtocolVersion): void {
    const name = packetName(packet.type);
    holds(!this.#isOver, () => `${name} behind the last packet`);
    this.#counts.set(packet.type, this.count(packet.type) + 1);
    if (packet.type === PacketType.CONNACK) {
      holds(!this.#isConnected, () => "a second CONNACK");
      this.#isConnected = packet.reasonCode === 0;
      this.#isOver = !this.#isConnected;
      return;
    }
    const isEarly = packet.type === PacketType.AUTH && version === 5;
    holds(this.#isConnected || isEarly, () => `${name} before CONNACK`);
    if (packet.type === PacketType.DISCONNECT) this.#isOver = true;
    else if (packet.type === PacketType.PUBLISH) this.#takePublish(packet);
    else this.#checkReason(packet, name);
  }

  #takePublish(publish: Publish): void {
    this.payloads.push(Buffer.from(publish.payload).toString("latin1"));
    this.lastPacketId = publish.packetId;
    const { topicAlias, topicName } = publish;
    if (topicAlias === 0) return;
    const maximum = this.#connect?.properties.topicAliasMaximum ?? 0;
    holds(topicAlias <= maximum, () => `topic alias ${topicAlias}; the client takes ${maximum}`);
    holds(
      topicName !== "" || this.#aliases.has(topicAlias),
      () => `topic alias ${topicAlias} is not defined`,
    );
    this.#aliases.add(topicAlias);
  }

  /** 5.0 [MQTT-3.1.2-29]: no reasons for who did not want any. */
  #checkReason(packet: Packet, name: string): void {
    if (this.#connect?.properties.requestProblemInformation !== false) return;
    if (!("properties" in packet)) return;
    const { properties = {} } = packet;
    holds(!("reasonString" in properties), () => `${name} with a reason that was not asked for`);
  }

  /** Everything that the client sent was handled, or the broker has ended the connection. */
  finish(isEnded: boolean): void {
    const stream = this.#stream;
    if (stream.error !== undefined) {
      holds(isEnded, () => `goes on after ${String(stream.error)}`);
    }
    for (const [question, answer] of ANSWERED_BY) {
      const asked = stream.count(question);
      const came = this.count(answer);
      holds(came <= asked, () => `${came} ${packetName(answer)} for ${asked} ${packetName(question)}`);
      holds(isEnded || came === asked, () => `only ${came} ${packetName(answer)} for ${asked}`);
    }
    this.#checkPublishAnswers(PacketType.PUBACK, stream.publishCount(1), isEnded);
    this.#checkPublishAnswers(PacketType.PUBREC, stream.publishCount(2), isEnded);
  }

  #checkPublishAnswers(answer: number, asked: number, isEnded: boolean): void {
    const came = this.count(answer);
    holds(came <= asked, () => `${came} ${packetName(answer)} for ${asked} PUBLISH`);
    holds(isEnded || came === asked, () => `only ${came} ${packetName(answer)} for ${asked} PUBLISH`);
  }
}
