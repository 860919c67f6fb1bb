// One client as the model sees it. Fed with the packets that the client sends and gets, it gives each to the part that knows what
// is expected there; it knows nothing of the broker's inside.

import { type Connect, type Disconnect, type Packet, PacketType, type Publish } from "@heirloom/codec";
import type { Link } from "../network.ts";
import type { ConnectionModel } from "./connection.ts";
import { Deliveries } from "./deliveries.ts";
import type { MessageModel } from "./message.ts";
import { Publications } from "./publications.ts";
import { Requests } from "./requests.ts";
import type { SessionModel } from "./session.ts";
import { SessionHistory } from "./session-history.ts";
import type { Identity, World } from "./world.ts";

export class ClientModel implements Identity {
  readonly clientId: string;
  readonly version: 3 | 4 | 5;
  readonly maximumPacketSize: number;
  connection: ConnectionModel | undefined;
  /** All that were accepted. */
  readonly accepted: ConnectionModel[] = [];
  /** How many deliveries it refused. */
  refusals = 0;
  readonly #world: World;
  readonly #publications: Publications;
  readonly #requests: Requests;
  readonly #deliveries: Deliveries;
  readonly #history: SessionHistory;

  constructor({ clientId, version, maximumPacketSize }: Identity, world: World) {
    this.clientId = clientId;
    this.version = version;
    this.maximumPacketSize = maximumPacketSize;
    this.#world = world;
    this.#publications = new Publications(this, world);
    this.#requests = new Requests(clientId, world);
    this.#deliveries = new Deliveries(this, world);
    this.#history = new SessionHistory(this, world, this.#publications);
  }

  get session(): SessionModel | undefined {
    return this.#history.current;
  }

  /** All that it had, for the rules at the end. */
  get sessions(): readonly SessionModel[] {
    return this.#history.all;
  }

  /** Whether the client knows, without its connection, that it has no session any more. */
  get hasSessionEnded(): boolean {
    return this.connection?.acceptedMs !== undefined && this.session?.expiryUntil === 0;
  }

  /** Whether a message of a 3.x client may have been refused because it was held back for too long. */
  get wasHeldTooLong(): boolean {
    return this.#publications.wasHeldTooLong;
  }

  // --- connections -----------------------------------------------------------------------------------------------

  connecting(link: Link, connect: Connect): ConnectionModel {
    const before = this.connection;
    if (before !== undefined && before.acceptedMs === undefined) this.#history.connectionUnanswered(before);
    // A connection that is still open is taken over.
    if (before !== undefined && before.link.endedMs === undefined) before.link.cause();
    const connection: ConnectionModel = {
      link,
      connect,
      sentMs: this.#world.nowMs,
      acceptedMs: undefined,
      disconnect: undefined,
      disconnectedMs: Infinity,
      isDisconnectFirst: false,
    };
    this.connection = connection;
    this.#publications.connecting();
    this.#requests.connecting();
    this.#deliveries.connecting(connect.properties.topicAliasMaximum ?? 0);
    return connection;
  }

  #disconnecting(connection: ConnectionModel, session: SessionModel, disconnect: Disconnect): void {
    const { nowMs, stalledMs } = this.#world;
    connection.disconnect = disconnect;
    connection.disconnectedMs = nowMs;
    // A client of 3.x whose message a full disk refused is closed, and sees it only when what it was sent before is on disk.
    const isRefused = this.version < 5 && stalledMs >= connection.sentMs;
    // Nor is what stands behind a message that is held, until that one is refused after all.
    const mayBeRefused = isRefused || this.#publications.mayBeHeld;
    connection.isDisconnectFirst = connection.link.causeMs > nowMs && !mayBeRefused;
    connection.link.cause();
    const { sessionExpiryInterval } = disconnect.properties;
    if (sessionExpiryInterval !== undefined) session.mayExpireAfter(sessionExpiryInterval);
  }

  /** The client's side of the connection is gone. */
  closed(): void {
    const { connection } = this;
    if (connection?.acceptedMs === undefined) return;
    this.#history.connectionEnded(connection);
    if (this.hasSessionEnded) this.#publications.sessionEnded(connection.link);
  }

  // --- what the client sends -------------------------------------------------------------------------------------

  sent(packet: Packet): void {
    const { connection, session } = this;
    if (connection === undefined || session === undefined) return;
    switch (packet.type) {
      case PacketType.PUBACK:
      case PacketType.PUBREC:
      case PacketType.PUBCOMP: {
        const isError = packet.reasonCode >= 0x80;
        if (isError) this.refusals++;
        if (isError || packet.type !== PacketType.PUBREC) session.flight.answered(packet.packetId);
        return;
      }
      case PacketType.PUBREL:
        return this.#publications.released(packet.packetId);
      case PacketType.SUBSCRIBE:
        return this.#requests.subscribing(session, packet);
      case PacketType.UNSUBSCRIBE:
        return this.#requests.unsubscribing(session, packet);
      case PacketType.DISCONNECT:
        return this.#disconnecting(connection, session, packet);
      default:
    }
  }

  /** PUBLISH goes out. */
  published(publish: Publish, message: MessageModel): void {
    const { connection } = this;
    if (connection !== undefined) this.#publications.published(publish, message, connection.link);
  }

  // --- what the client gets --------------------------------------------------------------------------------------

  received(packet: Packet): void {
    const { connection, session } = this;
    if (connection === undefined) return;
    switch (packet.type) {
      case PacketType.CONNACK:
        if (packet.reasonCode !== 0) return;
        connection.acceptedMs = this.#world.nowMs;
        this.accepted.push(connection);
        return this.#history.connectionAccepted(connection, packet);
      case PacketType.PUBLISH:
        if (session !== undefined) this.#deliveries.received(packet, session);
        return;
      case PacketType.PUBREL:
        return session?.flight.pubrel(packet.packetId);
      case PacketType.PUBACK:
      case PacketType.PUBREC:
      case PacketType.PUBCOMP:
        return this.#publications.acknowledged(packet);
      case PacketType.SUBACK:
        return this.#requests.subscribed(session, packet);
      case PacketType.UNSUBACK:
        return this.#requests.unsubscribed(session, packet);
      default:
    }
  }
}
