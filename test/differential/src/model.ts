// Who is subscribed to what at each step, so that a difference can be explained. Knows nothing of any broker.

import type { QoS } from "@heirloom/codec";
import type { Step, SubscribeStep } from "./plan.ts";

export interface ModelSession {
  readonly subscriptions: ReadonlyMap<string, SubscribeStep>;
  readonly isOnline: boolean;
}

interface Entry {
  subscriptions: Map<string, SubscribeStep>;
  isOnline: boolean;
  isLasting: boolean;
}

/** All sessions of a conversation, moved forward step by step. */
export class Model {
  readonly #sessions = new Map<string, Entry>();

  session(client: string): ModelSession | undefined {
    return this.#sessions.get(client);
  }

  /** The subscriptions of a client that a topic matches. */
  matching(client: string, topicName: string): SubscribeStep[] {
    const subscriptions = this.#sessions.get(client)?.subscriptions ?? new Map<string, SubscribeStep>();
    return [...subscriptions.values()].filter(({ topicFilter }) => matches(topicFilter, topicName));
  }

  take(step: Step): void {
    const session = this.#sessions.get(step.client);
    switch (step.action) {
      case "connect": {
        const kept = step.cleanStart ? undefined : session?.subscriptions;
        const subscriptions = kept ?? new Map<string, SubscribeStep>();
        this.#sessions.set(step.client, { subscriptions, isOnline: true, isLasting: step.isLasting });
        return;
      }
      case "subscribe":
        session?.subscriptions.set(step.topicFilter, step);
        return;
      case "unsubscribe":
        session?.subscriptions.delete(step.topicFilter);
        return;
      case "publish":
        return;
      default:
        if (session === undefined) return;
        session.isOnline = false;
        if (!session.isLasting) this.#sessions.delete(step.client);
    }
  }
}

/** 3.1.1 and 5.0 section 4.7. */
export function matches(topicFilter: string, topicName: string): boolean {
  if (topicName.startsWith("$") && /^[+#]/.test(topicFilter)) return false;
  const names = topicName.split("/");
  const levels = topicFilter.split("/");
  for (const [index, level] of levels.entries()) {
    if (level === "#") return true;
    if (index >= names.length || (level !== "+" && level !== names[index])) return false;
  }
  return levels.length === names.length;
}

/** The QoS of a delivery. */
export function lower(a: QoS, b: QoS): QoS {
  return a < b ? a : b;
}
