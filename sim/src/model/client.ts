// One client as the model sees it: its connections, the sessions it had, what it published and what became of its wills.
// Fed with the packets that the client sends and gets; knows nothing of the broker's inside.

import {
  type Ack,
  type Connack,
  type Connect,
  type Disconnect,
  type Packet,
  PacketType,
  type Publish,
  type Suback,
  type Subscribe,
  type Unsuback,
  type Unsubscribe,
} from "@heirloom/codec";
import type { Link } from "../network.ts";
import type { MessageModel } from "./message.ts";
import { idOf } from "./message.ts";
import { type Surroundings, SessionModel } from "./session.ts";
import type { ClockModel } from "./clock.ts";
import { checkContent } from "./content.ts";
import type { Grant, Presence } from "./subscriptions.ts";

/** What a client needs to find of others. */
export interface World extends Surroundings {
  message(id: number): MessageModel | undefined;
  /** Whether the disk may have lost the message with this number; 0 = one with an empty payload. */
  isDamaged(id: number): boolean;
  /** When the process that had this connection was up again; `Infinity` while it is not; the link's end if that is on disk. */
  latestEndMs(link: Link): number;
  readonly clock: ClockModel;
  /** Whether the broker may leave packets unread for a while. */
  readonly holdsBack: boolean;
  /** How long a message is held back for a full queue before it is refused; `Infinity` = none is. */
  readonly holdTimeoutMs: number;
  /** Whether what the broker did at `timeMs`, and nobody was told, may have been forgotten in a crash. */
  mayBeForgotten(timeMs: number): boolean;
  /** A will arrived somewhere. */
  willCame(message: MessageModel): void;
}

const NEVER = 0xffff_ffff;
/** What a PUBLISH takes beside its payload at most, in this simulation. */
const PACKET_BYTES = 60;
const TIME_SLACK_MS = 1_000;
/** The broker reads its clock once a turn; what it does counts from the turn's beginning. */
const TURN_MS = 20;

/** One connection of a client. */
export interface ConnectionModel {
  readonly link: Link;
  readonly connect: Connect;
  readonly sentMs: number;
  acceptedMs: number | undefined;
  readonly will: MessageModel | undefined;
  /** A DISCONNECT was sent. */
  disconnect: Disconnect | undefined;
  disconnectedMs: number;
  /** Whether the broker had no other reason to end the connection before. */
  isDisconnectFirst: boolean;
  /** Packet identifiers whose acknowledgement is awaited, in the order in which it has to come. */
  readonly pubacks: number[];
  readonly pubrecs: number[];
  readonly pubcomps: number[];
  /** Its messages of QoS 0 of which nobody told whether they came. */
  readonly unhandled: MessageModel[];
  /** When each PUBLISH was sent that is not acknowledged, by packet identifier; the oldest first. */
  readonly openSinceMs: Map<number, number>;
}

export class ClientModel {
  readonly clientId: string;
  readonly version: 3 | 4 | 5;
  session: SessionModel | undefined;
  /** Bytes of a packet that it takes at most. */
  maximumPacketSize: number = Infinity;
  connection: ConnectionModel | undefined;
  /** All that were accepted. */
  readonly accepted: ConnectionModel[] = [];
  /** How many deliveries it refused. */
  refusals = 0;
  /** All that it had, for the rules at the end. */
  readonly sessions: SessionModel[] = [];
  readonly #world: World;
  /** Its messages in flight by packet identifier. */
  readonly #outgoing = new Map<number, MessageModel>();
  readonly #subscribes = new Map<number, Grant[]>();
  readonly #unsubscribes = new Map<number, Presence[]>();
  /** Topic names by alias, as the broker defined them on the present connection. */
  readonly #aliases = new Map<number, string>();
  /** The connection before the present one that was accepted. */
  #lastEnded: ConnectionModel | undefined;
  /** Connections since then whose CONNECT was not answered. */
  readonly #unanswered: ConnectionModel[] = [];

  constructor(clientId: string, version: 3 | 4 | 5, world: World) {
    this.clientId = clientId;
    this.version = version;
    this.#world = world;
  }

  // --- connections -----------------------------------------------------------------------------------------------

  connecting(link: Link, connect: Connect, will: MessageModel | undefined): void {
    const before = this.connection;
    if (before !== undefined && before.acceptedMs === undefined) this.#doubt(before);
    // A connection that is still open is taken over.
    if (before !== undefined && before.link.endedMs === undefined) before.link.cause();
    this.connection = {
      link,
      connect,
      sentMs: this.#world.nowMs,
      acceptedMs: undefined,
      will,
      disconnect: undefined,
      disconnectedMs: Infinity,
      isDisconnectFirst: false,
      pubacks: [],
      pubrecs: [],
      pubcomps: [],
      unhandled: [],
      openSinceMs: new Map(),
    };
    this.#subscribes.clear();
    this.#unsubscribes.clear();
    this.#aliases.clear();
  }

  /** A CONNECT that was never answered: it may have reached the broker. */
  #doubt(before: ConnectionModel): void {
    const { session } = this;
    const expiryInterval = expiryOf(before.connect);
    if (session === undefined) {
      // There may be a session now that its client knows nothing of.
      this.session = this.#begin(expiryInterval);
      this.session.doubt();
      return;
    }
    // Whether it was taken up or replaced is known only where it certainly existed.
    if (this.#expectPresent(before) !== "yes") this.#mayBeAnother(session);
    this.#unanswered.push(before);
    session.expiryFrom = Math.min(session.expiryFrom, expiryInterval);
    session.expiryUntil = Math.max(session.expiryUntil, expiryInterval);
  }

  #mayBeAnother(session: SessionModel): void {
    session.doubt();
    for (const message of this.#outgoing.values()) message.doubts++;
  }

  #begin(expiryInterval: number): SessionModel {
    const session = new SessionModel(this.clientId, expiryInterval, this.#world);
    session.largestPayload = this.maximumPacketSize - PACKET_BYTES;
    this.sessions.push(session);
    return session;
  }

  #accepted(connack: Connack): void {
    const { connection, session } = this;
    if (connection === undefined || connack.reasonCode !== 0) return;
    connection.acceptedMs = this.#world.nowMs;
    this.accepted.push(connection);
    const expected = this.#expectPresent(connection);
    const isPresent = this.version === 3 ? expected !== "no" : connack.sessionPresent;
    if (this.version !== 3 && expected !== "maybe" && isPresent !== (expected === "yes")) {
      this.#world.report.broken(
        "session-present",
        `${this.clientId}: Session Present ${isPresent ? 1 : 0}, expected ${expected === "yes" ? 1 : 0}`,
      );
    }
    if (this.version === 3 && expected === "maybe" && session !== undefined) this.#mayBeAnother(session);
    const { connect } = connection;
    this.#unanswered.length = 0;
    this.#resume(isPresent && session !== undefined ? session : undefined, connect);
  }

  #resume(existing: SessionModel | undefined, connect: Connect): void {
    const expiryInterval = expiryOf(connect);
    if (existing === undefined) {
      if (this.session !== undefined) this.session.endedMs = this.#world.nowMs;
      this.session = this.#begin(expiryInterval);
      for (const message of this.#outgoing.values())
        message.closedMs = Math.min(message.closedMs, this.#world.nowMs);
      this.#outgoing.clear();
    } else {
      this.#cameBack(existing);
      existing.expiryFrom = existing.expiryUntil = expiryInterval;
      existing.isDoubtful = false;
    }
    const receiveMaximum = connect.properties.receiveMaximum ?? 65_535;
    this.session?.flight.connect(existing !== undefined, receiveMaximum);
    // It became slow before the answer came, when there was no session yet, or another one.
    if (this.session !== undefined && this.connection?.link.isSlow === true) this.session.isSlow = true;
  }

  /** A session that was to end with DISCONNECT is there again: it missed what came until the crash that forgot it. */
  #cameBack(session: SessionModel): void {
    const { disconnect, disconnectedMs = 0, link } = this.#lastEnded ?? {};
    if (disconnect?.properties.sessionExpiryInterval === undefined || link === undefined) return;
    session.subscriptions.missed(disconnectedMs, this.#world.latestEndMs(link));
  }

  /** Whether a DISCONNECT certainly ended the session. */
  #hasEndedSession(): boolean {
    const { disconnect, isDisconnectFirst, link } = this.#lastEnded ?? {};
    return (
      disconnect?.properties.sessionExpiryInterval === 0 &&
      isDisconnectFirst === true &&
      this.#unanswered.length === 0 &&
      link?.endedMs !== undefined &&
      !link.wasCut &&
      (!this.#world.holdsBack || link.endedMs <= (this.connection?.sentMs ?? 0)) &&
      !this.#world.mayBeForgotten(link.endedMs)
    );
  }

  #expectPresent(connection: ConnectionModel): "yes" | "no" | "maybe" {
    const { session } = this;
    if (connection.connect.cleanStart || session === undefined) return "no";
    if (session.isDoubtful) return "maybe";
    if (session.expiryUntil === 0 || this.#hasEndedSession()) return "no";
    const { earliestMs, latestMs } = this.#sessionEnd(session);
    if (this.#world.nowMs <= earliestMs) return "yes";
    return connection.sentMs > latestMs + TIME_SLACK_MS ? "no" : "maybe";
  }

  /** When the session is over because its connection ended. */
  #sessionEnd(session: SessionModel): { earliestMs: number; latestMs: number } {
    const before = this.#lastEnded;
    if (before === undefined) return { earliestMs: 0, latestMs: Infinity };
    const { fromMs, untilMs } = this.#endOf(before);
    const latestMs = Math.max(untilMs, ...this.#unanswered.map(({ link }) => this.#world.latestEndMs(link)));
    const { clock } = this.#world;
    const range = { fromMs, untilMs: latestMs };
    return {
      earliestMs: clock.due(range, expiryMs(session.expiryFrom)).fromMs,
      latestMs: clock.due(range, expiryMs(session.expiryUntil)).untilMs,
    };
  }

  /** When a connection ended at the broker. */
  #endOf({ link }: ConnectionModel): { fromMs: number; untilMs: number } {
    const fromMs = Math.min(link.causeMs, link.endedMs ?? Infinity) - TURN_MS;
    return { fromMs, untilMs: this.#world.latestEndMs(link) };
  }

  /** The client's side of the connection is gone. */
  closed(): void {
    const { connection } = this;
    if (connection === undefined) return;
    if (connection.acceptedMs === undefined) return;
    this.#lastEnded = connection;
    if (!this.hasSessionEnded) return;
    // What was under way is not sent again; it may still be on the wire.
    for (const message of this.#outgoing.values()) message.link = connection.link;
    this.#outgoing.clear();
  }

  /** Whether the client knows, without its connection, that it has no session any more. */
  get hasSessionEnded(): boolean {
    return this.connection?.acceptedMs !== undefined && this.session?.expiryUntil === 0;
  }

  // --- what the client sends -------------------------------------------------------------------------------------

  sent(packet: Packet): void {
    const { connection, session } = this;
    if (connection === undefined || session === undefined) return;
    switch (packet.type) {
      case PacketType.PUBACK:
      case PacketType.PUBCOMP:
        if (packet.reasonCode >= 0x80) this.refusals++;
        return session.flight.answered(packet.packetId);
      case PacketType.PUBREC:
        if (packet.reasonCode >= 0x80) this.refusals++;
        if (packet.reasonCode >= 0x80) session.flight.answered(packet.packetId);
        return;
      case PacketType.PUBREL:
        connection.pubcomps.push(packet.packetId);
        return;
      case PacketType.SUBSCRIBE:
        return this.#subscribing(session, packet);
      case PacketType.UNSUBSCRIBE:
        return this.#unsubscribing(session, packet);
      case PacketType.DISCONNECT:
        return this.#disconnecting(connection, session, packet);
      default:
    }
  }

  /** PUBLISH goes out. */
  published(publish: Publish, message: MessageModel): void {
    const { connection } = this;
    if (connection === undefined) return;
    if (message.retain && message.transmissions === 0) this.#world.retained.sent(message);
    message.sent(this.#world.nowMs);
    if (publish.qos === 0) {
      message.link = connection.link;
      connection.unhandled.push(message);
      return;
    }
    this.#outgoing.set(publish.packetId, message);
    (publish.qos === 1 ? connection.pubacks : connection.pubrecs).push(publish.packetId);
    connection.openSinceMs.set(publish.packetId, this.#world.nowMs);
  }

  #subscribing(session: SessionModel, { packetId, subscriptions, properties }: Subscribe): void {
    const identifier = properties.subscriptionIdentifier ?? 0;
    const grants = subscriptions.map((subscription) => {
      const qos = this.#world.rules.grants(subscription.topicFilter, subscription.qos);
      return session.subscriptions.subscribing({ ...subscription, qos, identifier }, this.#world.nowMs);
    });
    this.#subscribes.set(packetId, grants);
  }

  #unsubscribing(session: SessionModel, { packetId, topicFilters }: Unsubscribe): void {
    const presences = topicFilters.flatMap((filter) =>
      session.subscriptions.unsubscribing(filter, this.#world.nowMs),
    );
    this.#unsubscribes.set(packetId, presences);
  }

  #disconnecting(connection: ConnectionModel, session: SessionModel, disconnect: Disconnect): void {
    connection.disconnect = disconnect;
    connection.disconnectedMs = this.#world.nowMs;
    // A client of 3.x whose message a full disk refused is closed, and sees it only when what it was sent before is on disk.
    const isRefused = this.version < 5 && this.#world.stalledMs >= connection.sentMs;
    // Nor is what stands behind a message that is held, until that one is refused after all.
    const isHeld =
      this.version < 5 && this.#world.holdTimeoutMs !== Infinity && connection.openSinceMs.size > 0;
    const mayBeRefused = isRefused || isHeld;
    connection.isDisconnectFirst = connection.link.causeMs > this.#world.nowMs && !mayBeRefused;
    connection.link.cause();
    const { sessionExpiryInterval } = disconnect.properties;
    if (sessionExpiryInterval === undefined) return;
    session.expiryFrom = Math.min(session.expiryFrom, sessionExpiryInterval);
    session.expiryUntil = Math.max(session.expiryUntil, sessionExpiryInterval);
  }

  /**
   * Whether a message of a 3.x client may have been refused because it was held back for too long. 3.x has no answer that
   * says so: the connection is closed.
   */
  get wasHeldTooLong(): boolean {
    const [oldestMs = Infinity] = this.connection?.openSinceMs.values() ?? [];
    return this.version < 5 && this.#world.nowMs + TURN_MS >= oldestMs + this.#world.holdTimeoutMs;
  }

  // --- what the client gets --------------------------------------------------------------------------------------

  received(packet: Packet): void {
    switch (packet.type) {
      case PacketType.CONNACK:
        return this.#accepted(packet);
      case PacketType.PUBLISH:
        return this.#delivered(packet);
      case PacketType.PUBREL:
        return this.session?.flight.pubrel(packet.packetId);
      case PacketType.PUBACK:
      case PacketType.PUBREC:
      case PacketType.PUBCOMP:
        return this.#acknowledged(packet);
      case PacketType.SUBACK:
        return this.#subscribed(packet);
      case PacketType.UNSUBACK:
        return this.#unsubscribed(packet);
      default:
    }
  }

  #delivered(publish: Publish): void {
    const { session } = this;
    if (session === undefined) return;
    if (publish.topicAlias !== 0 && publish.topicName !== "")
      this.#aliases.set(publish.topicAlias, publish.topicName);
    if (publish.topicAlias > (this.connection?.connect.properties.topicAliasMaximum ?? 0))
      this.#world.report.broken("altered", `${this.clientId} got Topic Alias ${publish.topicAlias}`);
    const topicName = publish.topicName === "" ? this.#aliases.get(publish.topicAlias) : publish.topicName;
    const id = idOf(publish.payload);
    const isRepeated = publish.qos > 0 && session.flight.publish(publish, id);
    // It was on its way when the disk lost it: it is neither repeated nor released, and its identifier is free.
    if (this.#world.isDamaged(id)) session.flight.forget([id]);
    if (id === 0) return;
    const message = this.#world.message(id);
    if (message === undefined || message.topicName !== topicName || message.firstSentMs > this.#world.nowMs) {
      this.#world.report.broken(
        "not-subscribed",
        `${this.clientId} got m${id} on ${topicName}, which nobody sent there`,
      );
      return;
    }
    checkContent(
      { publish, message, version: this.version, isSlow: session.isSlow },
      this.clientId,
      this.#world,
    );
    if (isRepeated) return;
    if (message.isWill) this.#world.willCame(message);
    session.received(publish, message);
  }

  /** The broker acknowledged what was sent at this time: what its client sent before has been read. */
  #handled(sentMs: number, { unhandled }: ConnectionModel): void {
    while ((unhandled[0]?.firstSentMs ?? Infinity) < sentMs) {
      const message = unhandled.shift();
      if (message !== undefined) message.handledMs = this.#world.nowMs;
    }
  }

  #acknowledged(ack: Ack): void {
    const { connection } = this;
    if (connection === undefined) return;
    const { type, packetId, reasonCode } = ack;
    const { pubacks, pubrecs, pubcomps, openSinceMs } = connection;
    if (type !== PacketType.PUBCOMP) {
      this.#handled(openSinceMs.get(packetId) ?? -Infinity, connection);
      openSinceMs.delete(packetId);
    }
    const awaited = type === PacketType.PUBACK ? pubacks : type === PacketType.PUBREC ? pubrecs : pubcomps;
    const first = awaited.shift();
    if (first !== packetId) {
      this.#world.report.broken(
        "acknowledgement",
        `${this.clientId} got type ${type} for ${packetId}, awaited is ${first}`,
      );
    }
    const message = this.#outgoing.get(packetId);
    if (type === PacketType.PUBCOMP || message === undefined) return;
    // 3.x has no way to say that a message is refused: the acknowledgement says nothing of a forbidden one.
    if (reasonCode >= 0x80) message.wasRefused = true;
    else if (!message.isForbidden) message.acceptedMs ??= this.#world.nowMs;
    else if (this.version === 5)
      this.#world.report.broken("acknowledgement", `${message.text} is forbidden, and was acknowledged`);
    this.#outgoing.delete(packetId);
  }

  #subscribed({ packetId, reasonCodes }: Suback): void {
    const grants = this.#subscribes.get(packetId) ?? [];
    this.#subscribes.delete(packetId);
    for (const [place, grant] of grants.entries()) {
      const reasonCode = reasonCodes[place] ?? 0x80;
      this.session?.subscriptions.subscribed(grant, reasonCode < 0x80, this.#world.nowMs);
      if (reasonCode !== grant.options.qos) {
        this.#world.report.broken(
          "acknowledgement",
          `${this.clientId} was granted ${reasonCode} for ${grant.options.topicFilter}`,
        );
      }
    }
  }

  #unsubscribed({ packetId }: Unsuback): void {
    const presences = this.#unsubscribes.get(packetId) ?? [];
    this.#unsubscribes.delete(packetId);
    this.session?.subscriptions.unsubscribed(presences, this.#world.nowMs);
  }

  // --- wills -----------------------------------------------------------------------------------------------------

  /** When a connection's will is due, at the earliest and at the latest, if it is not cancelled. */
  willDue(connection: ConnectionModel, cleanStartMs: number): { fromMs: number; untilMs: number } {
    const { connect, will } = connection;
    const { clock } = this.#world;
    if (will === undefined) return { fromMs: Infinity, untilMs: Infinity };
    const ended = this.#endOf(connection);
    const { fromMs } = ended;
    const delay = connect.protocolVersion === 5 ? (connect.will?.willDelayInterval ?? 0) : 0;
    const expiry = expiryOf(connect);
    // A DISCONNECT may have changed the expiry.
    const least = Math.min(delay, expiry, connection.disconnect?.properties.sessionExpiryInterval ?? expiry);
    // It is due at the latest when the session ends, 5.0 [MQTT-3.1.2-8].
    return {
      fromMs: Math.min(clock.due(ended, least * 1000).fromMs, Math.max(fromMs, cleanStartMs)),
      untilMs: clock.due(ended, Math.min(delay, Math.max(expiry, least)) * 1000).untilMs,
    };
  }
}

function expiryMs(expiryInterval: number): number {
  return expiryInterval === NEVER ? Infinity : expiryInterval * 1000;
}

/** Seconds that the session outlives its connection, by CONNECT. */
export function expiryOf(connect: Connect): number {
  if (connect.protocolVersion === 5) return connect.properties.sessionExpiryInterval ?? 0;
  return connect.cleanStart ? 0 : NEVER;
}
