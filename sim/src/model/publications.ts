// What one client published, and how the broker acknowledges it: each PUBLISH and PUBREL once and in order, nothing that is
// forbidden. MQTT 5.0 sections 4.3 and 4.6.

import { type Ack, PacketType, type Publish } from "@heirloom/codec";
import type { Link } from "../network.ts";
import { TURN_MS } from "./connection.ts";
import type { MessageModel } from "./message.ts";
import type { Identity, World } from "./world.ts";

export class Publications {
  readonly #client: Identity;
  readonly #world: World;
  /** Its messages in flight by packet identifier. */
  readonly #outgoing = new Map<number, MessageModel>();

  // Of the present connection:
  /** Packet identifiers whose acknowledgement is awaited, by its type, in the order in which it has to come. */
  readonly #awaited = new Map<number, number[]>();
  /** Messages of QoS 0 of which nobody told whether they came. */
  #unhandled: MessageModel[] = [];
  /** When each PUBLISH was sent that is not acknowledged, by packet identifier; the oldest first. */
  readonly #openSinceMs = new Map<number, number>();

  constructor(client: Identity, world: World) {
    this.#client = client;
    this.#world = world;
  }

  /** A new connection: acknowledgements that an earlier one owed do not come any more. */
  connecting(): void {
    this.#awaited.clear();
    this.#unhandled = [];
    this.#openSinceMs.clear();
  }

  /** PUBLISH goes out. */
  published(publish: Publish, message: MessageModel, link: Link): void {
    const { nowMs, retained } = this.#world;
    if (message.retain && message.transmissions === 0) retained.sent(message);
    message.sent(nowMs);
    if (publish.qos === 0) {
      message.link = link;
      this.#unhandled.push(message);
      return;
    }
    this.#outgoing.set(publish.packetId, message);
    this.#await(publish.qos === 1 ? PacketType.PUBACK : PacketType.PUBREC, publish.packetId);
    this.#openSinceMs.set(publish.packetId, nowMs);
  }

  /** PUBREL goes out. */
  released(packetId: number): void {
    this.#await(PacketType.PUBCOMP, packetId);
  }

  #await(type: number, packetId: number): void {
    const awaited = this.#awaited.get(type);
    if (awaited === undefined) this.#awaited.set(type, [packetId]);
    else awaited.push(packetId);
  }

  acknowledged({ type, packetId, reasonCode }: Ack): void {
    if (type !== PacketType.PUBCOMP) {
      this.#handled(this.#openSinceMs.get(packetId) ?? -Infinity);
      this.#openSinceMs.delete(packetId);
    }
    const first = this.#awaited.get(type)?.shift();
    if (first !== packetId)
      this.#broken(`${this.#client.clientId} got type ${type} for ${packetId}, awaited is ${first}`);
    const message = this.#outgoing.get(packetId);
    if (type === PacketType.PUBCOMP || message === undefined) return;
    this.#outgoing.delete(packetId);
    // 3.x has no way to say that a message is refused: the acknowledgement says nothing of a forbidden one.
    if (reasonCode >= 0x80) message.wasRefused = true;
    else if (!message.isForbidden) message.acceptedMs ??= this.#world.nowMs;
    else if (this.#client.version === 5) this.#broken(`${message.text} is forbidden, and was acknowledged`);
  }

  /** The broker acknowledged what was sent at this time: what its client sent before has been read. */
  #handled(sentMs: number): void {
    while ((this.#unhandled[0]?.firstSentMs ?? Infinity) < sentMs) {
      const message = this.#unhandled.shift();
      if (message !== undefined) message.handledMs = this.#world.nowMs;
    }
  }

  #broken(text: string): void {
    this.#world.report.broken("acknowledgement", text);
  }

  /** Nobody knows whether its session was replaced: then what is repeated is taken anew. */
  doubt(): void {
    for (const message of this.#outgoing.values()) message.doubts++;
  }

  /** Its session is another one: what was in flight cannot be accepted any more. */
  sessionReplaced(): void {
    const { nowMs } = this.#world;
    for (const message of this.#outgoing.values()) message.closedMs = Math.min(message.closedMs, nowMs);
    this.#outgoing.clear();
  }

  /** Its session ended with the connection: what was in flight is not sent again, but may still be on the wire. */
  sessionEnded(link: Link): void {
    for (const message of this.#outgoing.values()) message.link = link;
    this.#outgoing.clear();
  }

  /** Whether the broker may hold back a message of a 3.x client until it refuses it after all. */
  get mayBeHeld(): boolean {
    return this.#client.version < 5 && this.#world.holdTimeoutMs !== Infinity && this.#openSinceMs.size > 0;
  }

  /**
   * Whether a message of a 3.x client may have been refused because it was held back for too long. 3.x has no answer that
   * says so: the connection is closed.
   */
  get wasHeldTooLong(): boolean {
    const { nowMs, holdTimeoutMs } = this.#world;
    const [oldestMs = Infinity] = this.#openSinceMs.values();
    return this.#client.version < 5 && nowMs + TURN_MS >= oldestMs + holdTimeoutMs;
  }
}
