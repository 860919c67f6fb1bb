// Ends subscriptions that the rules do not allow any more: of all connections when the rules change, some in each turn, and of a
// session that is taken up. What waits for them is left out when its turn comes: each delivery is asked about too.

import type { QoS } from "@heirloom/codec";
import { NO_ANSWER, type ClientAccess } from "./access.ts";
import type { Connection } from "./connection.ts";
import type { Parts } from "./parts.ts";
import type { Refusal } from "./ports/hooks.ts";
import type { Session } from "./sessions/session.ts";
import { parseSharedFilter } from "./topics/index.ts";

/** Subscriptions that one turn checks after the rules changed, at least those of one connection. */
const CHECKS_PER_TURN = 1_000;

/** The check of all connections that follows a change of the rules. */
export class SubscriptionCheck {
  readonly #parts: Parts;
  readonly #connections: Iterable<Connection>;
  /** Connections whose subscriptions have not been checked since the rules changed. */
  #unchecked = new Set<Connection>();

  constructor(parts: Parts, connections: Iterable<Connection>) {
    this.#parts = parts;
    this.#connections = connections;
  }

  /** The rules changed: from now on answers of old are not believed. A check that is under way begins anew. */
  begin(): void {
    const { rules, world } = this.#parts.context;
    if (rules === undefined) return;
    rules.version++;
    this.#unchecked = new Set(this.#connections);
    world.requestTurn();
  }

  /** A turn ends: some more are checked. */
  goOn(): void {
    if (this.#unchecked.size === 0) return;
    let subscriptions = 0;
    for (const connection of this.#unchecked) {
      this.#unchecked.delete(connection);
      if (connection.state === "connected") checkSubscriptions(this.#parts, connection);
      subscriptions += 1 + (connection.session?.subscriptions.size ?? 0);
      if (subscriptions >= CHECKS_PER_TURN) break;
    }
    if (this.#unchecked.size > 0) this.#parts.context.world.requestTurn();
  }
}

/**
 * Asks about the subscriptions of a session that a client is about to take up. Permissions that take their time have to
 * know them before the first delivery, or what waits in the session would be left out.
 *
 * @returns whether all were answered, with yes or no. If not, the client has to come again: its session must neither
 *   lose what it waits for nor be sent what it may not see.
 */
export function askAboutSubscriptions(session: Session, access: ClientAccess): boolean | Promise<boolean> {
  let slow: Promise<unknown>[] | undefined;
  for (const { subscription } of session.subscriptions.values()) {
    const answer = ask(access, subscription.topicFilter, subscription.qos);
    if (answer === NO_ANSWER) return false;
    if (answer instanceof Promise) (slow ??= []).push(answer);
  }
  return slow === undefined || Promise.all(slow).then((answers) => !answers.includes(NO_ANSWER));
}

/** Asks for each subscription of a connected session, and ends those that are refused. */
export function checkSubscriptions(parts: Parts, connection: Connection): void {
  const { session, access } = connection;
  if (session === undefined || access === undefined) return;
  for (const { subscription } of [...session.subscriptions.values()]) {
    const { topicFilter } = subscription;
    const answer = ask(access, topicFilter, subscription.qos);
    if (!(answer instanceof Promise)) {
      if (isRefused(answer)) end(parts, connection, session, topicFilter);
      continue;
    }
    void answer.then((later) => {
      if (isRefused(later) && session.outlet === connection) end(parts, connection, session, topicFilter);
    });
  }
}

function isRefused(answer: Refusal | { readonly qos: QoS } | undefined): boolean {
  return answer !== undefined && "reasonCode" in answer && answer !== NO_ANSWER;
}

function ask(
  access: ClientAccess,
  topicFilter: string,
  qos: 0 | 1 | 2,
): ReturnType<ClientAccess["subscribe"]> {
  const shared = parseSharedFilter(topicFilter);
  if (typeof shared !== "object") return access.subscribe(topicFilter, qos, undefined);
  return access.subscribe(shared.topicFilter, qos, shared.shareName);
}

function end(parts: Parts, connection: Connection, session: Session, topicFilter: string): void {
  const { subscriptions, context } = parts;
  if (!subscriptions.unsubscribe(session, topicFilter)) return;
  session.cancelReplay(topicFilter);
  context.counters.subscribeForbidden++;
  const { client } = connection;
  if (client !== undefined) context.observer.event("unsubscribed", { client, topicFilter });
  context.world.requestTurn();
}
