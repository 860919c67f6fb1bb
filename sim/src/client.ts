// A simulated client, written against the codec alone: connects, publishes, subscribes, acknowledges in its own time, and
// goes in every way there is. All that it sends and gets is told to the model.

import { encodePacket, type Packet, PacketReader, PacketType, type Publish } from "@heirloom/codec";
import {
  connectPacket,
  disconnectPacket,
  RECEIVE_MAXIMUM_NOT_SAID,
  subscribePacket,
} from "./client-packets.ts";
import type { ClientModel } from "./model/client.ts";
import { expiryOf } from "./model/connection.ts";
import type { MessageModel } from "./model/message.ts";
import type { Model } from "./model/model.ts";
import { type ClientEnd, Link } from "./network.ts";
import { Outbox } from "./outbox.ts";
import { packetText } from "./packet-text.ts";
import type { ClientPlan, FilterPlan, Leave, PublishPlan, WillPlan } from "./plan.ts";
import type { BrokerProcess } from "./process.ts";
import { Random } from "./random.ts";
import type { Schedule } from "./schedule.ts";
import type { Trace } from "./trace.ts";

/** The parts of the world that a client uses. */
export interface Surroundings {
  readonly schedule: Schedule;
  readonly trace: Trace;
  readonly model: Model;
  readonly process: BrokerProcess;
}

export class SimClient implements ClientEnd {
  readonly plan: ClientPlan;
  readonly outbox: Outbox;
  /** Connections that fell silent while they stood. */
  readonly frozen: Link[] = [];
  state: "offline" | "connecting" | "connected" = "offline";
  link: Link | undefined;
  /** Highest delay of an acknowledgement. */
  ackDelayMs: number;
  readonly #world: Surroundings;
  readonly #model: ClientModel;
  #reader: PacketReader;
  #random = new Random(0);
  /** When the last acknowledgement is due: they keep their order. */
  #lastAckMs = 0;
  readonly #requests = new Set<number>();
  #links = 0;
  #lastLink: Link | undefined;
  /** When the broker gets the connection that was opened last. */
  #acceptMs = 0;

  constructor(plan: ClientPlan, world: Surroundings) {
    this.plan = plan;
    this.#world = world;
    this.ackDelayMs = plan.ackDelayMs;
    const { clientId, version, maximumPacketSize = Infinity } = plan;
    this.#model = world.model.client({ clientId, version, maximumPacketSize });
    this.#reader = this.#newReader();
    this.outbox = new Outbox(
      { publish: (publish, message) => this.#publish(publish, message), send: (packet) => this.send(packet) },
      plan.version,
      plan.packetIds,
    );
  }

  get model(): ClientModel {
    return this.#model;
  }

  #newReader(): PacketReader {
    return new PacketReader({ side: "client", version: this.plan.version });
  }

  // --- connections -----------------------------------------------------------------------------------------------

  /** Opens a new connection; one that is open is left as it is, and so taken over. */
  connect(seed: number, cleanStart: boolean, will: WillPlan | undefined): void {
    const { schedule, trace, process, model } = this.#world;
    // A CONNECT that is still on its way must not come after the new one.
    const earliestMs = Math.max(schedule.nowMs, this.#acceptMs, this.#lastLink?.arrivedMs ?? 0);
    this.abandon();
    this.#random = new Random(seed);
    const link = new Link(
      schedule,
      this.#random.fork(),
      trace,
      this.#endFor(),
      `${this.plan.clientId}:${++this.#links}`,
    );
    this.link = this.#lastLink = link;
    this.state = "connecting";
    this.#reader = this.#newReader();
    this.#lastAckMs = 0;
    this.#acceptMs = earliestMs + this.#random.between(1, 8) / 8;
    schedule.at(this.#acceptMs, () => process.accept(link));
    const connect = connectPacket(this.plan, cleanStart, will);
    const message = model.connecting(this.#model, link, connect);
    if (connect.will !== undefined && message !== undefined) {
      const { payload, forwarded } = message;
      connect.will = { ...connect.will, payload, forwarded };
    }
    this.send(connect);
    if (this.plan.keepAlive > 0) this.#ping(link);
  }

  /** The link's events, as long as it is the client's present one. */
  #endFor(): ClientEnd {
    const number = this.#links + 1;
    return {
      received: (bytes) => {
        if (number === this.#links) this.received(bytes);
      },
      closed: () => {
        if (number === this.#links) this.closed();
      },
      endedByBroker: () => {
        if (number === this.#links) this.endedByBroker();
      },
    };
  }

  #ping(link: Link): void {
    this.#world.schedule.after(this.plan.keepAlive * 900, () => {
      if (this.link !== link || this.state === "offline" || link.isFrozen) return;
      if (this.state === "connected") this.send({ type: PacketType.PINGREQ });
      this.#ping(link);
    });
  }

  /** The client forgets its connection without a word. */
  abandon(): void {
    if (this.state === "offline") return;
    this.state = "offline";
    this.#links++;
    this.link = undefined;
    this.#model.closed();
    this.outbox.disconnected(this.#requests, this.#model.hasSessionEnded);
    this.#requests.clear();
  }

  leave(how: Leave): void {
    const { link } = this;
    if (link === undefined) return;
    if (how === "cut") link.cut();
    else if (how === "freeze") this.#freeze(link);
    else if (how === "close") link.close();
    else if (this.state === "connected") this.#disconnect(link, how);
    this.#world.trace.say(this.plan.clientId, how);
    // Who is cut off learns it from the network; who went silent notices after a while.
    if (how === "freeze") this.#world.schedule.after(1_500, () => this.#forget(link));
    else if (how !== "cut") this.#forget(link);
  }

  #freeze(link: Link): void {
    if (this.state === "connected") this.frozen.push(link);
    link.freeze();
  }

  #forget(link: Link): void {
    if (this.link === link) this.abandon();
  }

  #disconnect(link: Link, how: Leave): void {
    this.send(disconnectPacket(this.plan, how));
    link.close();
  }

  closed(): void {
    this.#world.trace.say(this.plan.clientId, "connection closed");
    this.abandon();
  }

  /** The broker has to have a reason: the client's own doing, its silence, or a disk that takes nothing. */
  endedByBroker(): void {
    const { schedule, model } = this.#world;
    const { link } = this;
    if (link === undefined || link.causeMs <= schedule.nowMs) return;
    const { keepAlive, version, clientId } = this.plan;
    const isSilent = keepAlive > 0 && schedule.nowMs >= link.lastReceivedMs + keepAlive * 1_500;
    // 3.x has no way to say that there is no room.
    const isRefused = version < 5 && schedule.nowMs <= model.stalledMs + 2_000;
    const { connection } = this.#model;
    const isClean = connection !== undefined && expiryOf(connection.connect) === 0;
    const isBehind = isClean && model.limits.cleanQueueMessages !== undefined;
    if (!isSilent && !isRefused && !isBehind && !this.#model.wasHeldTooLong)
      model.report.broken("closed", `${clientId} was disconnected without a reason`);
    link.cause();
  }

  // --- requests --------------------------------------------------------------------------------------------------

  publish(plan: PublishPlan): void {
    if (plan.qos === 0 && this.state !== "connected") return;
    const { size, ...message } = plan;
    const expiryInterval = this.plan.version === 5 ? plan.expiryInterval : -1;
    const made = this.#world.model.newMessage({
      ...message,
      expiryInterval,
      publisher: this.plan.clientId,
      size,
      isWill: false,
      hasProperties: this.plan.version === 5,
    });
    this.outbox.add(made);
  }

  subscribe(filters: readonly FilterPlan[], identifier: number): void {
    if (this.state !== "connected") return;
    const packetId = this.#request();
    if (packetId !== 0) this.send(subscribePacket(this.plan, packetId, filters, identifier));
  }

  unsubscribe(topicFilters: readonly string[]): void {
    if (this.state !== "connected") return;
    const packetId = this.#request();
    if (packetId !== 0)
      this.send({ type: PacketType.UNSUBSCRIBE, packetId, topicFilters: [...topicFilters], properties: {} });
  }

  #request(): number {
    const packetId = this.outbox.take();
    if (packetId !== 0) this.#requests.add(packetId);
    return packetId;
  }

  /** Sends bytes that are against the rules. */
  misbehave(bytes: readonly number[]): void {
    if (this.state !== "connected" || this.link === undefined) return;
    this.#world.trace.say(this.plan.clientId, `misbehaves: ${bytes.join(" ")}`);
    this.link.cause();
    this.link.send(Uint8Array.from(bytes));
  }

  // --- packets out -----------------------------------------------------------------------------------------------

  send(packet: Packet): void {
    const { trace } = this.#world;
    if (trace.isKept) trace.say(this.plan.clientId, `-> ${packetText(packet)}`);
    this.#model.sent(packet);
    this.link?.send(encodePacket(packet, this.plan.version));
  }

  #publish(publish: Publish, message: MessageModel): void {
    this.#model.published(publish, message);
    this.send(publish);
  }

  // --- packets in ------------------------------------------------------------------------------------------------

  received(bytes: Uint8Array): void {
    const reader = this.#reader;
    reader.push(bytes);
    try {
      for (
        let packet = reader.next();
        packet !== undefined && reader === this.#reader;
        packet = reader.next()
      )
        this.#handle(packet);
    } catch (error) {
      this.#world.model.report.broken(
        "threw",
        `${this.plan.clientId} cannot read what came: ${String(error)}`,
      );
      this.abandon();
    }
  }

  #handle(packet: Packet): void {
    const { trace } = this.#world;
    if (this.state === "offline") return;
    if (trace.isKept) trace.say(this.plan.clientId, `   <- ${packetText(packet)}`);
    this.#checkSize(packet);
    this.#model.received(packet);
    switch (packet.type) {
      case PacketType.CONNACK:
        if (packet.reasonCode !== 0) return;
        this.state = "connected";
        return this.outbox.connected(
          this.plan.version === 3
            ? this.#model.session?.startedMs !== this.#world.schedule.nowMs
            : packet.sessionPresent,
          packet.properties.receiveMaximum ?? RECEIVE_MAXIMUM_NOT_SAID,
        );
      case PacketType.PUBLISH:
        return this.#received(packet);
      case PacketType.PUBREL:
        return this.#answer({ type: PacketType.PUBCOMP, packetId: packet.packetId, reasonCode: 0 });
      case PacketType.PUBACK:
        return this.outbox.puback(packet.packetId);
      case PacketType.PUBREC:
        return this.outbox.pubrec(packet.packetId, packet.reasonCode >= 0x80);
      case PacketType.PUBCOMP:
        return this.outbox.pubcomp(packet.packetId);
      case PacketType.SUBACK:
      case PacketType.UNSUBACK:
        this.#requests.delete(packet.packetId);
        this.outbox.release(packet.packetId);
        return this.outbox.pump();
      default:
    }
  }

  /** 5.0 [MQTT-3.1.2-24]: the broker sends nothing larger than the client takes. */
  #checkSize(packet: Packet): void {
    const { clientId, version, maximumPacketSize } = this.plan;
    if (maximumPacketSize === undefined) return;
    const { length } = encodePacket(packet, version);
    if (length > maximumPacketSize)
      this.#world.model.report.broken(
        "too-large",
        `${length} bytes to ${clientId}, the most is ${maximumPacketSize}`,
      );
  }

  #received({ qos, packetId }: Publish): void {
    if (qos === 0) return;
    const reasonCode = this.plan.refuses && this.#random.chance(0.05) ? 0x83 : 0;
    this.#answer({ type: qos === 1 ? PacketType.PUBACK : PacketType.PUBREC, packetId, reasonCode });
  }

  /** Acknowledges, later and in order; not at all if the connection is gone by then. */
  #answer(packet: Packet): void {
    const { schedule } = this.#world;
    const { link } = this;
    const delayMs = this.ackDelayMs === 0 ? 0 : this.#random.below(this.ackDelayMs * 4) / 4;
    if (delayMs === 0 && this.#lastAckMs <= schedule.nowMs) {
      this.send(packet);
      return;
    }
    this.#lastAckMs = Math.max(this.#lastAckMs, schedule.nowMs + delayMs);
    schedule.at(this.#lastAckMs, () => {
      if (this.link === link && this.state === "connected") this.send(packet);
    });
  }
}
