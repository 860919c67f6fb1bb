// A conversation: what several clients do, one after the other. Legal at each step, and the same for the same seed.

import type { ProtocolVersion, QoS, RetainHandling } from "@heirloom/codec";
import { Random } from "./random.ts";

export interface ConnectStep {
  readonly action: "connect";
  readonly client: string;
  readonly version: ProtocolVersion;
  readonly cleanStart: boolean;
  /** Whether the session outlives the connection. */
  readonly isLasting: boolean;
  /** Whether it acknowledges what it gets; if not, all of it comes again on the next connection. */
  readonly acknowledges: boolean;
  readonly will: { readonly topicName: string; readonly qos: QoS; readonly payload: string } | undefined;
}

export interface SubscribeStep {
  readonly action: "subscribe";
  readonly client: string;
  readonly topicFilter: string;
  readonly qos: QoS;
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  readonly retainHandling: RetainHandling;
  /** 0 = none. */
  readonly subscriptionIdentifier: number;
}

export interface UnsubscribeStep {
  readonly action: "unsubscribe";
  readonly client: string;
  readonly topicFilter: string;
}

export interface PublishStep {
  readonly action: "publish";
  readonly client: string;
  readonly topicName: string;
  readonly qos: QoS;
  readonly retain: boolean;
  /** Unlike all others; empty to delete what is retained. */
  readonly payload: string;
}

export interface LeaveStep {
  /** With DISCONNECT, or without. */
  readonly action: "disconnect" | "drop";
  readonly client: string;
}

export type Step = ConnectStep | SubscribeStep | UnsubscribeStep | PublishStep | LeaveStep;

const CLIENTS = ["c0", "c1", "c2", "c3"] as const;
const TOPICS = ["a", "a/b", "a/b/c", "b", "b/c", "/a", "a//b", "$x/y", "ä/€"] as const;
const FILTERS = [
  ...["#", "a/#", "+/b", "a/+", "a/b", "+/+/c", "+", "/+", "a//b", "b/#", "$x/#", "+/+", "a/b/c", "ä/+"],
] as const;
const QOS: readonly QoS[] = [0, 1, 2];
const RETAIN_HANDLING: readonly RetainHandling[] = [0, 0, 1, 2];

/** Makes `count` steps. */
export function makePlan(seed: number, count: number): Step[] {
  const maker = new PlanMaker(new Random(seed));
  return Array.from({ length: count }, (_, index) => maker.next(index));
}

class PlanMaker {
  readonly #random: Random;
  readonly #versions: ReadonlyMap<string, ProtocolVersion>;
  readonly #connected = new Set<string>();

  constructor(random: Random) {
    this.#random = random;
    this.#versions = new Map(CLIENTS.map((client) => [client, random.oneIn(2) ? 5 : 4]));
  }

  next(index: number): Step {
    const random = this.#random;
    const client = random.pick(CLIENTS);
    if (!this.#connected.has(client)) return this.#connect(client, index);
    switch (random.below(13)) {
      case 12:
        // While it is connected: the new connection takes the session over.
        return this.#connect(client, index);
      case 0:
        this.#connected.delete(client);
        return { action: random.oneIn(2) ? "disconnect" : "drop", client };
      case 1:
        return { action: "unsubscribe", client, topicFilter: random.pick(FILTERS) };
      case 2:
      case 3:
      case 4:
        return this.#subscribe(client);
      default:
        return this.#publish(client, index);
    }
  }

  #connect(client: string, index: number): ConnectStep {
    const random = this.#random;
    this.#connected.add(client);
    const isLasting = !random.oneIn(3);
    return {
      action: "connect",
      client,
      version: this.#versions.get(client) ?? 5,
      // In 3.1.1 one flag says both.
      cleanStart: this.#versions.get(client) === 4 ? !isLasting : random.oneIn(4),
      isLasting,
      acknowledges: !random.oneIn(5),
      will: random.oneIn(2)
        ? { topicName: random.pick(TOPICS), qos: random.pick(QOS), payload: `will ${index}` }
        : undefined,
    };
  }

  #subscribe(client: string): SubscribeStep {
    const random = this.#random;
    const has5 = this.#versions.get(client) === 5;
    return {
      action: "subscribe",
      client,
      topicFilter: random.pick(FILTERS),
      qos: random.pick(QOS),
      noLocal: has5 && random.oneIn(4),
      retainAsPublished: has5 && random.oneIn(2),
      retainHandling: has5 ? random.pick(RETAIN_HANDLING) : 0,
      subscriptionIdentifier: has5 && random.oneIn(2) ? 1 + random.below(200) : 0,
    };
  }

  #publish(client: string, index: number): PublishStep {
    const random = this.#random;
    const retain = random.oneIn(3);
    return {
      action: "publish",
      client,
      topicName: random.pick(TOPICS),
      qos: random.pick(QOS),
      retain,
      payload: retain && random.oneIn(4) ? "" : `message ${index}`,
    };
  }
}

/** A step in words. */
export function stepWords(step: Step): string {
  const { action, client, ...rest } = step;
  return `${client} ${action} ${JSON.stringify(rest)}`;
}
