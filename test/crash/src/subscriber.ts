// A subscriber that remembers which QoS 2 packet identifiers it has received, so that its application gets a message once.
// MQTT 5.0 section 4.3.3.

import { type Packet, PacketType, type ProtocolVersion, type Publish, type QoS } from "@heirloom/codec";
import { CrashClient } from "./crash-client.ts";
import type { Ledger, ReaderAccount } from "./ledger.ts";

export class Subscriber extends CrashClient {
  readonly #account: ReaderAccount;
  readonly #topicFilter: string;
  readonly #qos: QoS;
  /** Packet identifiers of QoS 2 that are not released yet, with their payload. */
  readonly #received = new Map<number, string>();
  #subscribed: (() => void) | undefined;

  constructor(
    clientId: string,
    version: ProtocolVersion,
    topicFilter: string,
    account: ReaderAccount,
    ledger: Ledger,
  ) {
    super(clientId, version, ledger);
    this.#account = account;
    this.#topicFilter = topicFilter;
    this.#qos = account.granted;
  }

  get account(): ReaderAccount {
    return this.#account;
  }

  /** Subscribes; resolves with SUBACK. From then on every message counts. */
  async subscribe(): Promise<void> {
    const subscribed = new Promise<void>((resolve) => {
      this.#subscribed = resolve;
    });
    const options = { qos: this.#qos, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const;
    this.send({
      type: PacketType.SUBSCRIBE,
      packetId: 1,
      subscriptions: [{ topicFilter: this.#topicFilter, ...options }],
      properties: {},
    });
    await subscribed;
  }

  protected override connected(): void {
    // Nothing is sent again: the broker repeats what it misses.
  }

  protected override received(packet: Packet): void {
    switch (packet.type) {
      case PacketType.PUBLISH:
        this.#publish(packet);
        return;
      case PacketType.PUBREL:
        this.#received.delete(packet.packetId);
        this.send({ type: PacketType.PUBCOMP, packetId: packet.packetId, reasonCode: 0 });
        return;
      case PacketType.SUBACK:
        this.#subscribed?.();
        return;
      default:
        this.ledger.violation(`${this.clientId} got a packet of type ${packet.type}`);
    }
  }

  #publish(publish: Publish): void {
    const { packetId, qos, dup } = publish;
    const payload = Buffer.from(publish.payload).toString();
    if (qos === 2) {
      this.#publishQoS2(packetId, payload, dup);
      return;
    }
    this.ledger.arrived(this.#account, payload, dup);
    if (qos === 1) this.send({ type: PacketType.PUBACK, packetId, reasonCode: 0 });
  }

  #publishQoS2(packetId: number, payload: string, dup: boolean): void {
    const known = this.#received.get(packetId);
    if (known === undefined) {
      this.#received.set(packetId, payload);
      this.ledger.arrived(this.#account, payload, dup);
    } else if (known !== payload || !dup) {
      this.ledger.violation(
        `${this.clientId} got "${payload}" under ${packetId}, which "${known}" still holds`,
      );
    }
    this.send({ type: PacketType.PUBREC, packetId, reasonCode: 0 });
  }
}
