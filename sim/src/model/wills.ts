// The wills of all clients: each is published once when it is due, and not at all after a normal DISCONNECT.
// MQTT 5.0 sections 3.1.2.5 and 3.1.3.2.2.

import type { Will } from "@heirloom/codec";
import type { ClientModel } from "./client.ts";
import { type Range, SLACK_MS } from "./clock.ts";
import { type ConnectionModel, endAtBroker, expiryOf } from "./connection.ts";
import type { MessageModel } from "./message.ts";
import type { World } from "./world.ts";

/** A will, with the connection that it belongs to. */
interface WillModel {
  readonly client: ClientModel;
  readonly connection: ConnectionModel;
  readonly message: MessageModel;
  /** When the client's next CONNECT went out. */
  nextConnectMs: number;
  /** When the client's next CONNECT with Clean Start 1 went out. */
  nextCleanStartMs: number;
  /** When it came while its connection still seemed to be open. */
  cameMs: number;
}

export class Wills {
  readonly #world: World;
  readonly #wills: WillModel[] = [];

  constructor(world: World) {
    this.#world = world;
  }

  /** A client's CONNECT goes out, on this connection. Returns the will's message, if it has one. */
  connecting(client: ClientModel, connection: ConnectionModel): MessageModel | undefined {
    const { connect } = connection;
    const { nowMs } = this.#world;
    for (const will of this.#wills) {
      if (will.client !== client) continue;
      will.nextConnectMs = Math.min(will.nextConnectMs, nowMs);
      if (connect.cleanStart) will.nextCleanStartMs = Math.min(will.nextCleanStartMs, nowMs);
    }
    if (connect.will === undefined) return undefined;
    const message = this.#newMessage(client, connect.will);
    const never = { nextConnectMs: Infinity, nextCleanStartMs: Infinity, cameMs: Infinity };
    this.#wills.push({ client, connection, message, ...never });
    return message;
  }

  #newMessage(client: ClientModel, { topicName, qos, retain }: Will): MessageModel {
    const message = this.#world.newMessage({
      hasProperties: client.version === 5,
      publisher: client.clientId,
      topicName,
      qos,
      retain,
      isEmpty: false,
      expiryInterval: -1,
      size: 0,
      isWill: true,
    });
    // It may be published from now on, once.
    message.sent(this.#world.nowMs);
    if (retain) this.#world.retained.sent(message);
    return message;
  }

  /** A will arrives somewhere. It cannot come before it is due; without a reason that clients know, the broker has to have one. */
  came(message: MessageModel): void {
    const { nowMs } = this.#world;
    const will = this.#wills.find((candidate) => candidate.message === message);
    if (will === undefined) return;
    const { fromMs } = this.#due(will);
    if (fromMs === Infinity) will.cameMs = Math.min(will.cameMs, nowMs);
    else if (nowMs < fromMs) this.#cameEarly(message, fromMs - nowMs);
  }

  #cameEarly({ text }: MessageModel, ms: number): void {
    this.#world.report.broken("will", `${text} came ${Math.round(ms)} ms before it was due`);
  }

  /** When it is due, at the earliest and at the latest, if it is not cancelled. */
  #due({ connection, nextCleanStartMs }: WillModel): Range {
    const { clock, process } = this.#world;
    const { connect, disconnect } = connection;
    const ended = endAtBroker(connection, process);
    const delay = connect.protocolVersion === 5 ? (connect.will?.willDelayInterval ?? 0) : 0;
    const expiry = expiryOf(connect);
    // A DISCONNECT may have changed the expiry.
    const least = Math.min(delay, expiry, disconnect?.properties.sessionExpiryInterval ?? expiry);
    // It is due at the latest when the session ends, 5.0 [MQTT-3.1.2-8].
    return {
      fromMs: Math.min(clock.due(ended, least * 1000).fromMs, Math.max(ended.fromMs, nextCleanStartMs)),
      untilMs: clock.due(ended, Math.min(delay, Math.max(expiry, least)) * 1000).untilMs,
    };
  }

  // --- the end ---------------------------------------------------------------------------------------------------

  /** Wills that were certainly due count as accepted; those that never were must not have come. */
  judge(clients: readonly ClientModel[]): void {
    const { stalledMs, report } = this.#world;
    for (const will of this.#wills) {
      const { connection, message, cameMs } = will;
      const { fromMs, untilMs } = this.#due(will);
      const isSeen = clients.some(({ sessions }) => sessions.some((session) => session.has(message)));
      if (isSeen && this.#isDropped(will)) report.broken("will", `${message.text} after a normal DISCONNECT`);
      // A broker that ends a connection publishes the will first.
      if (cameMs + SLACK_MS < (connection.link.endedMs ?? Infinity) && stalledMs < cameMs)
        this.#cameEarly(message, fromMs - cameMs);
      const latestMs = untilMs + SLACK_MS < will.nextConnectMs ? untilMs : cleanStartMs(will);
      message.firstSentMs = fromMs;
      if (this.#mustBe(connection, fromMs, latestMs)) message.acceptedMs = latestMs + SLACK_MS;
    }
  }

  /** Whether the client's normal DISCONNECT reached the broker. */
  #isDropped({ connection, nextConnectMs }: WillModel): boolean {
    const { disconnect, isDisconnectFirst, link } = connection;
    const { holdsBack, process } = this.#world;
    const endedMs = link.endedMs ?? Infinity;
    // One that was not read yet when the client took itself over was never read.
    if (holdsBack && endedMs > nextConnectMs) return false;
    // DISCONNECT is not acknowledged: a crash before it is on disk forgets it.
    const isRead = isDisconnectFirst && !link.wasCut && !process.mayHaveForgotten(endedMs);
    return disconnect?.reasonCode === 0 && isRead;
  }

  /** Whether a will that is due in this time was certainly published. */
  #mustBe(connection: ConnectionModel, fromMs: number, latestMs: number): boolean {
    const { nowMs, stalledMs, limits, rules } = this.#world;
    return (
      connection.acceptedMs !== undefined &&
      connection.disconnect === undefined &&
      latestMs + SLACK_MS < nowMs &&
      // A full disk refuses wills like any message.
      stalledMs < fromMs &&
      // By the policy "refuse" a full queue refuses wills too.
      limits.queuePolicy !== "refuse" &&
      // A hook may refuse it, or take so long that a crash comes before its answer.
      !rules.plan.publish &&
      this.#isDurable(connection, fromMs, latestMs)
    );
  }

  /**
   * The will of a clean session that is connected, or published in the moment before, goes with a crash. A client that was
   * frozen learns of the crash only later.
   */
  #isDurable({ connect, acceptedMs = Infinity }: ConnectionModel, dueMs: number, latestMs: number): boolean {
    if (expiryOf(connect) > 0) return true;
    return !this.#world.process.deaths.some(
      ({ atMs, durableSinceMs }) =>
        (atMs >= dueMs - SLACK_MS && durableSinceMs <= dueMs + SLACK_MS) ||
        (atMs >= acceptedMs && atMs <= latestMs + SLACK_MS),
    );
  }
}

/**
 * When the session of a will was certainly over because the client's next CONNECT had Clean Start 1: the will is published
 * then at the latest, 5.0 [MQTT-3.1.2-8].
 */
function cleanStartMs({ client, nextConnectMs, nextCleanStartMs }: WillModel): number {
  if (nextCleanStartMs !== nextConnectMs) return Infinity;
  return client.accepted.find(({ sentMs }) => sentMs === nextConnectMs)?.acceptedMs ?? Infinity;
}
