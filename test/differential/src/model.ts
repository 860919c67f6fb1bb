// What the standard says about a live message: who is subscribed to what, and so what the one copy looks like that a
// client is to get. Knows nothing of any broker.

import type { ProtocolVersion, QoS } from "@heirloom/codec";
import type { ConnectStep, PublishStep, Step, SubscribeStep } from "./plan.ts";

/** A subscription, and the first one with the same filter, which may have been replaced since. */
export interface ModelSubscription extends SubscribeStep {
  readonly first: SubscribeStep;
}

/** What one client is to get of one message. */
export interface Delivery {
  readonly step: PublishStep;
  readonly version: ProtocolVersion;
  readonly isOnline: boolean;
  /** The subscriptions that the topic matches and that take messages of this publisher. */
  readonly matching: readonly ModelSubscription[];
  /** The same if each filter still had No Local and Retain As Published of its first subscription. */
  readonly stale: readonly ModelSubscription[];
}

interface Session {
  readonly version: ProtocolVersion;
  readonly isLasting: boolean;
  readonly isOnline: boolean;
  readonly will: ConnectStep["will"];
  readonly subscriptions: Map<string, ModelSubscription>;
}

/** All sessions of a conversation, moved forward step by step. */
export class Model {
  readonly #sessions = new Map<string, Session>();
  readonly #deliveries = new Map<string, Delivery>();
  /** Whether the last step was an UNSUBSCRIBE of a filter that was there. */
  hadSubscription = false;

  /** The delivery of a message to a client. Payloads are unlike each other, but for the empty one: then it is the last. */
  delivery(client: string, payload: string): Delivery | undefined {
    return this.#deliveries.get(`${client} ${payload}`);
  }

  take(step: Step): void {
    const session = this.#sessions.get(step.client);
    const subscriptions = session?.subscriptions ?? new Map<string, ModelSubscription>();
    switch (step.action) {
      case "connect":
        // The earlier connection of this client, if there is one, is closed by the broker.
        if (session?.isOnline === true) this.#end(step.client, session, true);
        this.#connect(step);
        return;
      case "subscribe":
        subscriptions.set(step.topicFilter, {
          ...step,
          first: subscriptions.get(step.topicFilter)?.first ?? step,
        });
        return;
      case "unsubscribe":
        this.hadSubscription = subscriptions.delete(step.topicFilter);
        return;
      case "publish":
        this.#publish(step);
        return;
      default:
        if (session !== undefined) this.#end(step.client, session, step.action === "drop");
    }
  }

  #connect({ client, version, isLasting, cleanStart, will }: ConnectStep): void {
    const kept = cleanStart ? undefined : this.#sessions.get(client)?.subscriptions;
    const subscriptions = kept ?? new Map<string, ModelSubscription>();
    this.#sessions.set(client, { version, isLasting, isOnline: true, will, subscriptions });
  }

  /** A connection ends. A session that does not outlast it has no subscriptions any more. */
  #end(client: string, session: Session, publishesWill: boolean): void {
    const subscriptions = session.isLasting ? session.subscriptions : new Map<string, ModelSubscription>();
    this.#sessions.set(client, { ...session, isOnline: false, will: undefined, subscriptions });
    if (publishesWill && session.will !== undefined) this.#publish(willStep(client, session.will));
  }

  #publish(step: PublishStep): void {
    for (const [client, { version, isOnline, subscriptions }] of this.#sessions) {
      const all = [...subscriptions.values()].filter(({ topicFilter }) =>
        matches(topicFilter, step.topicName),
      );
      // 5.0 [MQTT-3.8.3-3]
      const takes = ({ noLocal }: SubscribeStep): boolean => !(noLocal && client === step.client);
      const stale = all.map((subscription) => {
        const { noLocal, retainAsPublished } = subscription.first;
        return { ...subscription, noLocal, retainAsPublished };
      });
      this.#deliveries.set(`${client} ${step.payload}`, {
        ...{ step, version, isOnline },
        ...{ matching: all.filter(takes), stale: stale.filter(takes) },
      });
    }
  }
}

/** 5.0 [MQTT-3.1.2-14] and 3.1.1 section 3.1.2.5: a will is published as any message is. */
function willStep(client: string, will: NonNullable<ConnectStep["will"]>): PublishStep {
  return { action: "publish", client, retain: false, ...will };
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
