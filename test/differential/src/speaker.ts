// One client of a conversation: says what its steps tell it, acknowledges what it gets (or does not), and notes what came
// in words that two brokers should agree on. Packet identifiers are left out: each broker counts its own.

import { type Packet, packetName, PacketType, type Publish } from "@heirloom/codec";
import { WireClient } from "#interop/wire-client";
import type { ConnectStep, PublishStep, SubscribeStep } from "./plan.ts";

const SESSION_EXPIRY_SECONDS = 3_600;

export class Speaker {
  readonly #client: WireClient;
  readonly #acknowledges: boolean;
  #packetId = 0;
  #came: string[] = [];

  private constructor(client: WireClient, acknowledges: boolean) {
    this.#client = client;
    this.#acknowledges = acknowledges;
  }

  static async connect(port: number, step: ConnectStep): Promise<Speaker> {
    const { client: clientId, version, cleanStart, isLasting, acknowledges, will } = step;
    const { client, connack } = await WireClient.connect({
      port,
      clientId,
      protocolVersion: version,
      cleanStart,
      ...(version === 5 && isLasting ? { sessionExpiryInterval: SESSION_EXPIRY_SECONDS } : {}),
      ...(will === undefined ? {} : { will: { ...will, willDelayInterval: 0 } }),
    });
    const speaker = new Speaker(client, acknowledges);
    speaker.#came.push(`CONNACK ${connack.reasonCode} present=${String(connack.sessionPresent)}`);
    return speaker;
  }

  /** What came since it was asked last. */
  take(): string[] {
    const came = this.#came;
    this.#came = [];
    return came;
  }

  subscribe(step: SubscribeStep): void {
    const { topicFilter, qos, noLocal, retainAsPublished, retainHandling, subscriptionIdentifier } = step;
    this.#client.send({
      type: PacketType.SUBSCRIBE,
      packetId: ++this.#packetId,
      subscriptions: [{ topicFilter, qos, noLocal, retainAsPublished, retainHandling }],
      properties: subscriptionIdentifier === 0 ? {} : { subscriptionIdentifier },
    });
  }

  unsubscribe(topicFilter: string): void {
    const packetId = ++this.#packetId;
    this.#client.send({
      type: PacketType.UNSUBSCRIBE,
      packetId,
      topicFilters: [topicFilter],
      properties: {},
    });
  }

  publish({ topicName, qos, retain, payload }: PublishStep): void {
    const packetId = qos === 0 ? 0 : ++this.#packetId;
    this.#client.publish({ topicName, qos, retain, packetId, payload: Buffer.from(payload) });
  }

  /** Asks for a PINGRESP and handles all that comes before it. @returns whether anything did. */
  async roundTrip(): Promise<boolean> {
    const packets = await this.#client.roundTrip();
    for (const packet of packets) this.#handle(packet);
    return packets.length > 0;
  }

  async disconnect(): Promise<void> {
    await this.#client.disconnect();
  }

  /** Another connection has the session now. @returns what came until the broker has closed this one. */
  async takenOver(): Promise<string[]> {
    await this.#client.closed;
    for (;;) {
      try {
        this.#handle(await this.#client.next());
      } catch {
        return this.take();
      }
    }
  }

  /** What came on an earlier connection of the same client, in the same step. */
  follow(came: readonly string[]): void {
    this.#came.unshift(...came);
  }

  /** Ends the connection without DISCONNECT, and waits until the broker has seen it. */
  async drop(): Promise<void> {
    this.#client.socket.end();
    await this.#client.closed;
  }

  destroy(): void {
    this.#client.socket.destroy();
  }

  #handle(packet: Packet): void {
    switch (packet.type) {
      case PacketType.PUBLISH:
        this.#came.push(publishWords(packet));
        if (this.#acknowledges && packet.qos === 1) this.#client.ack(PacketType.PUBACK, packet.packetId);
        if (this.#acknowledges && packet.qos === 2) this.#client.ack(PacketType.PUBREC, packet.packetId);
        return;
      case PacketType.PUBREC:
        this.#client.ack(PacketType.PUBREL, packet.packetId);
        return;
      case PacketType.PUBREL:
        this.#client.ack(PacketType.PUBCOMP, packet.packetId);
        return;
      case PacketType.PUBACK:
      case PacketType.PUBCOMP:
        // Success has two codes: with and without subscribers, 5.0 section 3.4.2.1.
        this.#came.push(
          `${packetName(packet.type)}${packet.reasonCode < 0x80 ? "" : ` ${packet.reasonCode}`}`,
        );
        return;
      case PacketType.SUBACK:
      case PacketType.UNSUBACK:
        this.#came.push(`${packetName(packet.type)} ${packet.reasonCodes.join(" ")}`);
        return;
      case PacketType.DISCONNECT:
        this.#came.push(`DISCONNECT ${packet.reasonCode}`);
        return;
      default:
        this.#came.push(packetName(packet.type));
    }
  }
}

/** A PUBLISH in words. `topic` and payload come first: the order of one topic is what counts. */
function publishWords(publish: Publish): string {
  const { topicName, qos, retain, dup, subscriptionIdentifiers } = publish;
  const identifiers = [...subscriptionIdentifiers].sort((a, b) => a - b).join(",");
  const payload = Buffer.from(publish.payload).toString();
  return [
    `PUBLISH ${topicName} "${payload}" qos=${qos} retain=${String(retain)} dup=${String(dup)}`,
    ...(identifiers === "" ? [] : [`ids=${identifiers}`]),
  ].join(" ");
}
