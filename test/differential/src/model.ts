// What the standard says about a live message: who is subscribed to what, and so what the one copy looks like that a
// client is to get. Knows nothing of any broker.

import type { ProtocolVersion, QoS } from "@heirloom/codec";
import type { PublishStep, Step, SubscribeStep } from "./plan.ts";

/** A subscription, and the one with the same filter that it has replaced. */
export interface ModelSubscription extends SubscribeStep {
  readonly replaced: SubscribeStep | undefined;
}

interface Session {
  readonly version: ProtocolVersion;
  readonly isLasting: boolean;
  readonly subscriptions: Map<string, ModelSubscription>;
}

/** All sessions of a conversation, moved forward step by step. */
export class Model {
  readonly #sessions = new Map<string, Session>();
  /** Whether the last step was an UNSUBSCRIBE of a filter that was there. */
  hadSubscription = false;

  /** The subscriptions of a client that the topic matches and that take messages of this publisher. */
  matching(client: string, { client: publisher, topicName }: PublishStep): ModelSubscription[] {
    const subscriptions = this.#sessions.get(client)?.subscriptions.values() ?? [];
    return [...subscriptions].filter(
      // 5.0 [MQTT-3.8.3-3]
      ({ topicFilter, noLocal }) => matches(topicFilter, topicName) && !(noLocal && client === publisher),
    );
  }

  take(step: Step): void {
    const session = this.#sessions.get(step.client);
    const subscriptions = session?.subscriptions ?? new Map<string, ModelSubscription>();
    switch (step.action) {
      case "connect": {
        const { version, isLasting, cleanStart } = step;
        const kept = cleanStart ? new Map<string, ModelSubscription>() : subscriptions;
        this.#sessions.set(step.client, { version, isLasting, subscriptions: kept });
        return;
      }
      case "subscribe":
        subscriptions.set(step.topicFilter, { ...step, replaced: subscriptions.get(step.topicFilter) });
        return;
      case "unsubscribe":
        this.hadSubscription = subscriptions.delete(step.topicFilter);
        return;
      case "publish":
        return;
      default:
        if (session?.isLasting === false) this.#sessions.delete(step.client);
    }
  }
}

/** What one copy of a message looks like that goes out because of these subscriptions, but for its DUP flag. */
export function copyFor(step: PublishStep, subscriptions: readonly SubscribeStep[]): string {
  const { topicName, payload, retain } = step;
  // 3.1.1 [MQTT-3.3.5-1], 5.0 [MQTT-3.3.4-2]
  const granted = Math.max(...subscriptions.map(({ qos }) => qos));
  const qos: QoS = granted >= step.qos ? step.qos : granted === 1 ? 1 : 0;
  // 5.0 [MQTT-3.3.1-12], [MQTT-3.3.1-13]
  const isRetain = retain && subscriptions.some(({ retainAsPublished }) => retainAsPublished);
  // 5.0 [MQTT-3.3.4-3], [MQTT-3.3.4-4]
  const identifiers = subscriptions
    .map(({ subscriptionIdentifier }) => subscriptionIdentifier)
    .filter((identifier) => identifier !== 0)
    .sort((a, b) => a - b);
  return [
    `PUBLISH ${topicName} "${payload}" qos=${qos} retain=${String(isRetain)} dup=false`,
    ...(identifiers.length === 0 ? [] : [`ids=${identifiers.join(",")}`]),
  ].join(" ");
}

/** 3.1.1 and 5.0 section 4.7. */
export function matches(topicFilter: string, topicName: string): boolean {
  // [MQTT-4.7.2-1]
  if (topicName.startsWith("$") && /^[+#]/.test(topicFilter)) return false;
  const names = topicName.split("/");
  const levels = topicFilter.split("/");
  for (const [index, level] of levels.entries()) {
    if (level === "#") return true;
    if (index >= names.length || (level !== "+" && level !== names[index])) return false;
  }
  return levels.length === names.length;
}
