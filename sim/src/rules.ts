// What the application around the broker decides in a run: which messages it refuses, which filters it grants less, what it leaves
// out for whom. Pure functions of a run's plan, so that the hooks and the model decide alike without knowing each other.

import type { QoS } from "@heirloom/codec";
import type { Hooks, Message } from "@heirloom/core";
import type { Life } from "./life.ts";
import { idOf } from "./model/message.ts";
import type { Random } from "./random.ts";
import type { Schedule } from "./schedule.ts";

/** Which hooks the application has. */
export interface RulesPlan {
  readonly publish: boolean;
  readonly subscribe: boolean;
  readonly deliver: boolean;
}

/** 5.0: Not authorized. */
const NOT_AUTHORIZED = 0x87;
/** Who is not part of the story gets everything. */
const VERIFIER = "verifier";
/** The application's own name among the receivers; the broker numbers its subscriptions. */
export const APPLICATION = "application";

function nameOf(clientId: string): string {
  return clientId.startsWith("$") ? APPLICATION : clientId;
}

export class Rules {
  readonly plan: RulesPlan;

  constructor(plan: RulesPlan = { publish: false, subscribe: false, deliver: false }) {
    this.plan = plan;
  }

  /** Whether nobody may get the message. */
  forbids(id: number): boolean {
    return this.plan.publish && id % 7 === 3;
  }

  /** The QoS that is granted. */
  grants(topicFilter: string, qos: QoS): QoS {
    return this.plan.subscribe && topicFilter.endsWith("#") && qos === 2 ? 1 : qos;
  }

  /** Whether this client is not to get the message. */
  leavesOut(id: number, clientId: string): boolean {
    return (
      this.plan.deliver && clientId !== VERIFIER && (id + clientId.length + clientId.charCodeAt(1)) % 5 === 0
    );
  }

  /** The hooks of one life of the process. Some take their time, by the numbers of `random`. */
  hooks(life: Life, schedule: Schedule, random: Random): Hooks {
    const later = <T>(answer: T): T | Promise<T> => {
      if (!random.chance(0.3)) return answer;
      return new Promise((resolve) => {
        schedule.after(random.below(400) / 8, () => {
          if (!life.isDead) resolve(answer);
        });
      });
    };
    const { publish, subscribe, deliver } = this.plan;
    return {
      ...(publish ? { publish: (message) => later(this.#published(message)) } : {}),
      ...(subscribe
        ? { subscribe: ({ topicFilter, qos }) => later({ qos: this.grants(topicFilter, qos) }) }
        : {}),
      ...(deliver
        ? {
            deliver: (message, _qos, { clientId }) =>
              later(!this.leavesOut(idOf(message.payload), nameOf(clientId))),
          }
        : {}),
    };
  }

  /** Refuses, takes the message as it is, or takes another one with the same meaning. */
  #published(message: Message): { reasonCode: number } | Message | undefined {
    const id = idOf(message.payload);
    if (this.forbids(id)) return { reasonCode: NOT_AUTHORIZED };
    return id % 7 === 4 ? message.copy() : undefined;
  }
}
