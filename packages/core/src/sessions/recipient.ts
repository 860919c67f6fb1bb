// One session that a topic matches, with what its matching subscriptions add up to: one copy at the highest granted QoS,
// with all subscription identifiers. MQTT 5.0 section 3.3.4, [MQTT-3.3.4-2] to [MQTT-3.3.4-5].

import type { QoS } from "@heirloom/codec";
import { NO_IDENTIFIERS } from "../logs/entry.ts";
import type { Stretch } from "./stretch.ts";
import type { Subscriber } from "./subscriber.ts";

export class Recipient {
  readonly session: Subscriber;
  readonly stretches: Stretch[] = [];
  qos: QoS = 0;
  retainAsPublished = false;
  #identifiers: number[] | undefined;
  /** Whether one of the subscriptions leaves out the client's own messages. */
  hasNoLocal = false;

  constructor(session: Subscriber) {
    this.session = session;
  }

  add(stretch: Stretch): void {
    const { qos, retainAsPublished, noLocal, subscriptionIdentifier } = stretch.subscription;
    this.stretches.push(stretch);
    if (qos > this.qos) this.qos = qos;
    if (retainAsPublished) this.retainAsPublished = true;
    if (noLocal) this.hasNoLocal = true;
    if (subscriptionIdentifier !== 0) (this.#identifiers ??= []).push(subscriptionIdentifier);
  }

  get identifiers(): readonly number[] {
    return this.#identifiers ?? NO_IDENTIFIERS;
  }

  /** The same session with only the subscriptions that want its own messages, or `undefined` when none does. */
  local(): Recipient | undefined {
    const recipient = new Recipient(this.session);
    for (const stretch of this.stretches) if (!stretch.subscription.noLocal) recipient.add(stretch);
    return recipient.stretches.length === 0 ? undefined : recipient;
  }
}
