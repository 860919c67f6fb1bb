// Brings one message to everyone whom its topic matches: to the logs of lasting sessions, to sessions that are connected,
// to shared groups. MQTT 5.0 section 3.3.4, 3.1.1 section 3.3.5.

import type { QoS } from "@heirloom/codec";
import type { Context } from "./context.ts";
import { NO_IDENTIFIERS } from "./logs/entry.ts";
import type { Message } from "./message.ts";
import type { Recipient } from "./sessions/recipient.ts";
import type { Match, SubscriptionTable } from "./sessions/subscription-table.ts";

export class FanOut {
  readonly #context: Context;
  readonly #subscriptions: SubscriptionTable;

  constructor(context: Context, subscriptions: SubscriptionTable) {
    this.#context = context;
    this.#subscriptions = subscriptions;
  }

  /** What the topic matches now. */
  match(topicName: string): Match {
    return this.#subscriptions.match(topicName);
  }

  /**
   * Hands the message on. With a `batch`, nobody is sent anything before that batch is on disk; 0 = at once, where
   * the receiver's own session does not demand otherwise.
   */
  publish(message: Message, match: Match, batch: number): void {
    if (message.qos > 0 && match.logs.length > 0) {
      const sequence = this.#context.logs.takeSequence();
      for (const log of match.logs) log.append(message, sequence, NO_IDENTIFIERS);
    }
    for (const recipient of match.recipients) {
      if (batch !== 0) recipient.session.outlet?.waitFor(batch);
      if (recipient.hasNoLocal && recipient.session.clientId === message.publisherId) {
        this.#offerLocal(message, recipient);
      } else {
        offer(message, recipient, recipient);
      }
    }
    for (const group of match.groups) group.offer(message, batch);
  }

  /** The publisher itself subscribes, with No Local: 5.0 [MQTT-3.8.3-3]. */
  #offerLocal(message: Message, recipient: Recipient): void {
    const local = recipient.local();
    if (local !== undefined && lower(message.qos, local.qos) > 0) {
      offer(message, local, recipient);
      return;
    }
    recipient.session.passOver(recipient.stretches);
    if (local !== undefined) offer(message, local, recipient);
  }
}

/** `wanted` says which QoS, flags and identifiers; `all` has every subscription that matched. */
function offer(message: Message, wanted: Recipient, all: Recipient): void {
  const qos = lower(message.qos, wanted.qos);
  const retain = wanted.retainAsPublished && message.retain;
  if (qos === 0) wanted.session.offerQoS0(message, retain, wanted.identifiers);
  else wanted.session.offer(message, qos, retain, wanted.identifiers, all.stretches);
}

function lower(published: QoS, granted: QoS): QoS {
  return published < granted ? published : granted;
}
