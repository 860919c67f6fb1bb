// The sessions that one client had: which one a CONNECT finds, what Session Present has to say, and when a session is over.
// MQTT 5.0 sections 3.1.2.4, 3.2.2.1.1 and 4.1.

import type { Connack } from "@heirloom/codec";
import { type Range, SLACK_MS } from "./clock.ts";
import { type ConnectionModel, endAtBroker, expiryMs, expiryOf } from "./connection.ts";
import type { Publications } from "./publications.ts";
import { SessionModel } from "./session.ts";
import type { Identity, World } from "./world.ts";

/** What a PUBLISH takes beside its payload at most, in this simulation. */
const PACKET_BYTES = 60;

export class SessionHistory {
  /** The session that the client has, as far as it knows. */
  current: SessionModel | undefined;
  readonly all: SessionModel[] = [];
  readonly #client: Identity;
  readonly #world: World;
  readonly #publications: Publications;
  /** The connection before the present one that was accepted. */
  #lastEnded: ConnectionModel | undefined;
  /** Connections since then whose CONNECT was not answered. */
  readonly #unanswered: ConnectionModel[] = [];

  constructor(client: Identity, world: World, publications: Publications) {
    this.#client = client;
    this.#world = world;
    this.#publications = publications;
  }

  /** The client's side of an accepted connection is gone. */
  connectionEnded(connection: ConnectionModel): void {
    this.#lastEnded = connection;
  }

  /** A CONNECT that was never answered: it may have reached the broker. */
  connectionUnanswered(connection: ConnectionModel): void {
    const { current } = this;
    const expiryInterval = expiryOf(connection.connect);
    if (current === undefined) {
      // There may be a session now that its client knows nothing of.
      this.#begin(expiryInterval).doubt();
      return;
    }
    // Whether it was taken up or replaced is known only where it certainly existed.
    if (this.#expectPresent(connection) !== "yes") this.#mayBeAnother(current);
    this.#unanswered.push(connection);
    current.mayExpireAfter(expiryInterval);
  }

  /** CONNACK came, and says whether there was a session; in 3.1 it does not. */
  connectionAccepted(connection: ConnectionModel, { sessionPresent }: Connack): void {
    const { current } = this;
    const { clientId, version } = this.#client;
    const expected = this.#expectPresent(connection);
    const isPresent = version === 3 ? expected !== "no" : sessionPresent;
    if (version !== 3 && expected !== "maybe" && isPresent !== (expected === "yes")) {
      const what = `${clientId}: Session Present ${isPresent ? 1 : 0}, expected ${expected === "yes" ? 1 : 0}`;
      this.#world.report.broken("session-present", what);
    }
    if (version === 3 && expected === "maybe" && current !== undefined) this.#mayBeAnother(current);
    this.#unanswered.length = 0;
    const { connect, link } = connection;
    const session =
      isPresent && current !== undefined
        ? this.#resume(current, expiryOf(connect))
        : this.#replace(current, expiryOf(connect));
    session.flight.connect(session === current, connect.properties.receiveMaximum ?? 65_535);
    // It became slow before the answer came, when there was no session yet, or another one.
    if (link.isSlow) session.isSlow = true;
  }

  #begin(expiryInterval: number): SessionModel {
    const { clientId, maximumPacketSize } = this.#client;
    const session = new SessionModel(clientId, expiryInterval, this.#world);
    session.largestPayload = maximumPacketSize - PACKET_BYTES;
    this.all.push(session);
    this.current = session;
    return session;
  }

  #mayBeAnother(session: SessionModel): void {
    session.doubt();
    this.#publications.doubt();
  }

  #replace(before: SessionModel | undefined, expiryInterval: number): SessionModel {
    if (before !== undefined) before.endedMs = this.#world.nowMs;
    this.#publications.sessionReplaced();
    return this.#begin(expiryInterval);
  }

  #resume(session: SessionModel, expiryInterval: number): SessionModel {
    this.#cameBack(session);
    session.expiryFrom = session.expiryUntil = expiryInterval;
    session.isDoubtful = false;
    return session;
  }

  /** A session that was to end with DISCONNECT is there again: it missed what came until the crash that forgot it. */
  #cameBack(session: SessionModel): void {
    const { disconnect, disconnectedMs = 0, link } = this.#lastEnded ?? {};
    if (disconnect?.properties.sessionExpiryInterval === undefined || link === undefined) return;
    session.subscriptions.missed(disconnectedMs, this.#world.process.latestEndMs(link));
  }

  #expectPresent(connection: ConnectionModel): "yes" | "no" | "maybe" {
    const { current } = this;
    if (connection.connect.cleanStart || current === undefined) return "no";
    if (current.isDoubtful) return "maybe";
    if (current.expiryUntil === 0 || this.#hasDisconnectEndedIt(connection)) return "no";
    const { fromMs, untilMs } = this.#endOf(current);
    if (this.#world.nowMs <= fromMs) return "yes";
    return connection.sentMs > untilMs + SLACK_MS ? "no" : "maybe";
  }

  /** Whether a DISCONNECT certainly ended the session before this connection began. */
  #hasDisconnectEndedIt({ sentMs }: ConnectionModel): boolean {
    const { holdsBack, process } = this.#world;
    const { disconnect, isDisconnectFirst, link } = this.#lastEnded ?? {};
    return (
      disconnect?.properties.sessionExpiryInterval === 0 &&
      isDisconnectFirst === true &&
      this.#unanswered.length === 0 &&
      link?.endedMs !== undefined &&
      !link.wasCut &&
      (!holdsBack || link.endedMs <= sentMs) &&
      !process.mayHaveForgotten(link.endedMs)
    );
  }

  /** When the session is over because its connection ended. */
  #endOf({ expiryFrom, expiryUntil }: SessionModel): Range {
    if (this.#lastEnded === undefined) return { fromMs: 0, untilMs: Infinity };
    const { clock, process } = this.#world;
    const { fromMs, untilMs } = endAtBroker(this.#lastEnded, process);
    const latestMs = Math.max(untilMs, ...this.#unanswered.map(({ link }) => process.latestEndMs(link)));
    const range = { fromMs, untilMs: latestMs };
    return {
      fromMs: clock.due(range, expiryMs(expiryFrom)).fromMs,
      untilMs: clock.due(range, expiryMs(expiryUntil)).untilMs,
    };
  }
}
