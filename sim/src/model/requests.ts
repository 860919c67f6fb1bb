// SUBSCRIBE and UNSUBSCRIBE of one client, from the packet to its answer: SUBACK grants what was asked for, as the application
// allows. MQTT 5.0 sections 3.8 to 3.11.

import type { Suback, Subscribe, Unsuback, Unsubscribe } from "@heirloom/codec";
import type { SessionModel, Surroundings } from "./session.ts";
import type { Grant, Presence } from "./subscriptions.ts";

export class Requests {
  readonly #clientId: string;
  readonly #surroundings: Surroundings;
  readonly #subscribes = new Map<number, Grant[]>();
  readonly #unsubscribes = new Map<number, Presence[]>();

  constructor(clientId: string, surroundings: Surroundings) {
    this.#clientId = clientId;
    this.#surroundings = surroundings;
  }

  /** A new connection: what was not answered is not answered any more. */
  connecting(): void {
    this.#subscribes.clear();
    this.#unsubscribes.clear();
  }

  subscribing(session: SessionModel, { packetId, subscriptions, properties }: Subscribe): void {
    const { rules, nowMs } = this.#surroundings;
    const identifier = properties.subscriptionIdentifier ?? 0;
    const grants = subscriptions.map((subscription) => {
      const qos = rules.grants(subscription.topicFilter, subscription.qos);
      return session.subscriptions.subscribing({ ...subscription, qos, identifier }, nowMs);
    });
    this.#subscribes.set(packetId, grants);
  }

  subscribed(session: SessionModel | undefined, { packetId, reasonCodes }: Suback): void {
    const { report, nowMs } = this.#surroundings;
    const grants = this.#subscribes.get(packetId) ?? [];
    this.#subscribes.delete(packetId);
    for (const [place, grant] of grants.entries()) {
      const reasonCode = reasonCodes[place] ?? 0x80;
      session?.subscriptions.subscribed(grant, reasonCode < 0x80, nowMs);
      const { qos, topicFilter } = grant.options;
      if (reasonCode !== qos)
        report.broken("acknowledgement", `${this.#clientId} was granted ${reasonCode} for ${topicFilter}`);
    }
  }

  unsubscribing(session: SessionModel, { packetId, topicFilters }: Unsubscribe): void {
    const { nowMs } = this.#surroundings;
    const presences = topicFilters.flatMap((filter) => session.subscriptions.unsubscribing(filter, nowMs));
    this.#unsubscribes.set(packetId, presences);
  }

  unsubscribed(session: SessionModel | undefined, { packetId }: Unsuback): void {
    const presences = this.#unsubscribes.get(packetId) ?? [];
    this.#unsubscribes.delete(packetId);
    session?.subscriptions.unsubscribed(presences, this.#surroundings.nowMs);
  }
}
