// One rule: who may, or may not, do what with which topics. How rules are evaluated together stands in `rules.ts`.

import type { QoS } from "@heirloom/codec";
import type { TopicPattern } from "./topic-pattern.ts";
import type { Who } from "./who.ts";

/** What a rule is about, as bits. */
export const Action = { PUBLISH: 1, SUBSCRIBE: 2, RECEIVE: 4 } as const;

export interface Rule {
  readonly effect: "allow" | "deny";
  /** Of {@link Action}. */
  readonly actions: number;
  readonly pattern: TopicPattern;
  /** Absent = everybody. */
  readonly who?: Who;
  /** Allow rules: the highest QoS of a PUBLISH or a subscription. Default 2. */
  readonly maximumQoS?: QoS;
  /** Allow rules: whether a PUBLISH may have RETAIN. Default true. */
  readonly retain?: boolean;
  /**
   * Allow rules: the names that a shared subscription may have. Deny rules: the names of the shared subscriptions that
   * they are about. Default: all, and plain subscriptions. Names may have "*" for any characters.
   */
  readonly shareNames?: readonly string[];
}
