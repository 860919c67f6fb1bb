// What one client has to publish, and how far each message got: sent, acknowledged, released. It keeps its promises across
// connections as the standard asks of a client. MQTT 5.0 sections 4.3, 4.4, 4.9.

import { createPublish, PacketType, type Packet, type Publish } from "@heirloom/codec";
import type { MessageModel } from "./model/message.ts";

interface Outgoing {
  readonly message: MessageModel;
  packetId: number;
  /** Whether it takes a place of the broker's Receive Maximum on this connection. */
  isCounted: boolean;
  state: "waiting" | "sent" | "released";
}

/** How the outbox sends. */
export interface OutboxPort {
  publish(publish: Publish, message: MessageModel): void;
  send(packet: Packet): void;
}

export class Outbox {
  readonly #port: OutboxPort;
  readonly #version: 3 | 4 | 5;
  readonly #packetIds: number;
  #outgoing: Outgoing[] = [];
  readonly #used = new Set<number>();
  #lastPacketId = 0;
  /** PUBLISH of QoS 1 and 2 that may go out now; the broker's Receive Maximum. */
  #room = 0;
  #isConnected = false;

  constructor(port: OutboxPort, version: 3 | 4 | 5, packetIds: number) {
    this.#port = port;
    this.#version = version;
    this.#packetIds = packetIds;
  }

  get length(): number {
    return this.#outgoing.length;
  }

  get oldest(): MessageModel | undefined {
    return this.#outgoing[0]?.message;
  }

  /** A packet identifier that is free, or 0. It is taken until {@link release}. */
  take(): number {
    if (this.#used.size >= this.#packetIds) return 0;
    do this.#lastPacketId = (this.#lastPacketId % this.#packetIds) + 1;
    while (this.#used.has(this.#lastPacketId));
    this.#used.add(this.#lastPacketId);
    return this.#lastPacketId;
  }

  release(packetId: number): void {
    this.#used.delete(packetId);
  }

  add(message: MessageModel): void {
    this.#outgoing.push({ message, packetId: 0, isCounted: false, state: "waiting" });
    this.pump();
  }

  /** A connection was accepted: what was under way is repeated, or given up if the session is another one. */
  connected(isPresent: boolean, receiveMaximum: number): void {
    this.#isConnected = true;
    this.#room = receiveMaximum;
    if (!isPresent) this.#giveUp();
    for (const outgoing of this.#outgoing) this.#repeat(outgoing);
    this.pump();
  }

  #giveUp(): void {
    for (const { packetId, state } of this.#outgoing) if (state !== "waiting") this.release(packetId);
    this.#outgoing = this.#outgoing.filter(({ state }) => state === "waiting");
  }

  #repeat(outgoing: Outgoing): void {
    outgoing.isCounted = outgoing.state === "sent";
    if (outgoing.state === "waiting") return;
    if (outgoing.state === "released") {
      this.#port.send({ type: PacketType.PUBREL, packetId: outgoing.packetId, reasonCode: 0 });
      return;
    }
    this.#room--;
    this.#publish(outgoing, true);
  }

  /** `packetIds`: identifiers of SUBSCRIBE and UNSUBSCRIBE that are free again with the connection. */
  disconnected(packetIds: Iterable<number>, hasSessionEnded: boolean): void {
    this.#isConnected = false;
    if (hasSessionEnded) this.#giveUp();
    for (const packetId of packetIds) this.release(packetId);
    // QoS 0 is not kept for later.
    this.#outgoing = this.#outgoing.filter(({ message, state }) => state !== "waiting" || message.qos > 0);
  }

  /** Sends what may go out. */
  pump(): void {
    if (!this.#isConnected) return;
    for (const outgoing of this.#outgoing) {
      if (outgoing.state !== "waiting") continue;
      if (outgoing.message.qos > 0) {
        if (this.#room <= 0) break;
        outgoing.packetId = this.take();
        if (outgoing.packetId === 0) break;
        this.#room--;
        outgoing.isCounted = true;
      }
      outgoing.state = "sent";
      this.#publish(outgoing, false);
    }
    this.#outgoing = this.#outgoing.filter(({ message, state }) => message.qos > 0 || state === "waiting");
  }

  #publish({ message, packetId }: Outgoing, dup: boolean): void {
    const { topicName, qos, retain, expiryInterval, payload, forwarded } = message;
    const publish = createPublish({
      topicName,
      qos,
      retain,
      dup,
      packetId,
      payload,
      forwarded,
      messageExpiryInterval: this.#version === 5 ? expiryInterval : -1,
    });
    this.#port.publish(publish, message);
  }

  puback(packetId: number): void {
    this.#end(packetId);
  }

  pubrec(packetId: number, isError: boolean): void {
    const outgoing = this.#outgoing.find((other) => other.packetId === packetId && other.state === "sent");
    if (isError || outgoing === undefined) {
      this.#end(packetId);
      return;
    }
    outgoing.state = "released";
    this.#port.send({ type: PacketType.PUBREL, packetId, reasonCode: 0 });
  }

  pubcomp(packetId: number): void {
    this.#end(packetId);
  }

  #end(packetId: number): void {
    const place = this.#outgoing.findIndex(
      (outgoing) => outgoing.packetId === packetId && outgoing.state !== "waiting",
    );
    if (place === -1) return;
    const [ended] = this.#outgoing.splice(place, 1);
    this.release(packetId);
    if (ended?.isCounted === true) this.#room++;
    this.pump();
  }
}
