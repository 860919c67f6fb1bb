// A publisher that keeps what it has sent until it is acknowledged, and sends it again with its packet identifier.
// MQTT 5.0 section 4.3.

import { createPublish, type Packet, PacketType, type ProtocolVersion } from "@heirloom/codec";
import { CrashClient } from "./crash-client.ts";
import type { Ledger, PublisherAccount } from "./ledger.ts";

/** Few identifiers, so that each is used again and again. */
const PACKET_IDS = 100;
/** Messages that wait for their acknowledgement at the same time. */
const WINDOW = 80;
/** Every so many messages one is retained. */
const RETAIN_EACH = 10;

interface InFlight {
  readonly number: number;
  /** PUBREC came: the message is the broker's, PUBREL is what is repeated. */
  isReceived: boolean;
}

export class Publisher extends CrashClient {
  readonly #account: PublisherAccount;
  readonly #qos: 1 | 2;
  /** By packet identifier, in the order of sending. */
  readonly #inFlight = new Map<number, InFlight>();
  #lastPacketId = 0;

  constructor(name: string, version: ProtocolVersion, qos: 1 | 2, ledger: Ledger) {
    super(name, version, ledger);
    this.#qos = qos;
    this.#account = ledger.addPublisher(name, qos);
  }

  get inFlightCount(): number {
    return this.#inFlight.size;
  }

  /** Sends up to `most` new messages, as many as the window allows. */
  publish(most: number): void {
    for (let count = 0; count < most && this.isConnected && this.#inFlight.size < WINDOW; count++) {
      const packetId = this.#freePacketId();
      const number = ++this.#account.sent;
      this.#inFlight.set(packetId, { number, isReceived: false });
      this.#send(packetId, number, false);
    }
  }

  #freePacketId(): number {
    do this.#lastPacketId = (this.#lastPacketId % PACKET_IDS) + 1;
    while (this.#inFlight.has(this.#lastPacketId));
    return this.#lastPacketId;
  }

  #send(packetId: number, number: number, dup: boolean): void {
    const payload = Buffer.from(`${this.clientId} ${number}`);
    const topicName = `crash/${this.clientId}`;
    this.send(
      createPublish({ topicName, payload, qos: this.#qos, retain: isRetained(number), packetId, dup }),
    );
  }

  protected override connected(): void {
    for (const [packetId, { number, isReceived }] of this.#inFlight) {
      if (isReceived) {
        this.send({ type: PacketType.PUBREL, packetId, reasonCode: 0 });
      } else {
        this.#account.repeated.add(number);
        this.#send(packetId, number, true);
      }
    }
  }

  protected override received(packet: Packet): void {
    switch (packet.type) {
      case PacketType.PUBACK:
        this.#acknowledged(packet.packetId, packet.reasonCode);
        this.#inFlight.delete(packet.packetId);
        return;
      case PacketType.PUBREC:
        this.#acknowledged(packet.packetId, packet.reasonCode);
        this.send({ type: PacketType.PUBREL, packetId: packet.packetId, reasonCode: 0 });
        return;
      case PacketType.PUBCOMP:
        this.#inFlight.delete(packet.packetId);
        return;
      default:
        this.ledger.violation(`${this.clientId} got a packet of type ${packet.type}`);
    }
  }

  #acknowledged(packetId: number, reasonCode: number): void {
    const message = this.#inFlight.get(packetId);
    if (message === undefined || reasonCode >= 0x80) {
      this.ledger.violation(`${this.clientId} got an acknowledgement of ${packetId} with ${reasonCode}`);
      return;
    }
    message.isReceived = true;
    this.#account.acknowledged.add(message.number);
    if (isRetained(message.number)) this.#account.retained = message.number;
  }
}

function isRetained(number: number): boolean {
  return number % RETAIN_EACH === 0;
}
