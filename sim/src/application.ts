// The application that embeds the broker: it publishes, and subscribes to everything as long as a process lives. The model judges it
// like a client whose messages are accepted when `publish` resolves, and whose session ends with the process.

import { createPublish } from "@heirloom/codec";
import type { Broker, LocalSubscription, Message } from "@heirloom/core";
import { judgeLocal } from "./model/judgement.ts";
import { idOf, type MessageModel } from "./model/message.ts";
import type { Model } from "./model/model.ts";
import { SessionModel } from "./model/session.ts";
import type { PublishPlan } from "./plan.ts";
import { APPLICATION } from "./rules.ts";
import type { Random } from "./random.ts";
import type { Schedule } from "./schedule.ts";

export class Application {
  readonly #schedule: Schedule;
  readonly #random: Random;
  readonly #model: Model;
  #broker: Broker | undefined;
  #subscription: LocalSubscription | undefined;
  #session: SessionModel | undefined;
  /** Messages whose `publish` has not resolved. */
  readonly #pending = new Set<MessageModel>();

  constructor(schedule: Schedule, random: Random, model: Model) {
    this.#schedule = schedule;
    this.#random = random;
    this.#model = model;
  }

  /** The process is up. With `subscribes` the application subscribes to everything. */
  started(broker: Broker, subscribes: boolean): void {
    this.#broker = broker;
    if (!subscribes) return;
    const { nowMs } = this.#model;
    const options = {
      topicFilter: "#",
      qos: 2,
      noLocal: false,
      retainAsPublished: false,
      retainHandling: 2,
    } as const;
    this.#session = new SessionModel(APPLICATION, 0, this.#model);
    const { subscriptions } = this.#session;
    const grant = subscriptions.subscribing({ ...options, identifier: 0 }, nowMs);
    // A will that fell due while no process ran is published with the start, before anybody can subscribe.
    subscriptions.subscribed(grant, true, nowMs + 1);
    this.#subscription = broker.subscribe(
      { ...options, subscriptionIdentifier: 0 },
      (message, { qos, retain }) =>
        this.#received(broker, message, qos === 2 ? 2 : qos === 1 ? 1 : 0, retain),
      (error) => this.#failed(error),
    );
  }

  /** Its subscription ended: it may have been too far behind. */
  #failed(error: unknown): void {
    if (this.#model.limits.cleanQueueMessages === undefined)
      this.#model.report.broken("threw", `the application was told: ${String(error)}`);
    this.#subscription = this.#session = undefined;
  }

  ended(): void {
    this.#broker = this.#subscription = this.#session = undefined;
    for (const message of this.#pending) message.closedMs = this.#model.nowMs;
    this.#pending.clear();
  }

  /** Ends the subscription, so that nothing of it is left. */
  leave(): void {
    this.#subscription?.unsubscribe();
  }

  publish({ size, ...plan }: PublishPlan): void {
    const broker = this.#broker;
    if (broker === undefined) return;
    const message = this.#model.newMessage({
      ...plan,
      size,
      expiryInterval: -1,
      publisher: APPLICATION,
      isWill: false,
      hasProperties: true,
    });
    const { topicName, qos, retain, payload, forwarded } = message;
    if (retain) this.#model.retained.sent(message);
    message.sent(this.#model.nowMs);
    this.#pending.add(message);
    broker.publish({ topicName, qos, retain, payload, forwarded }).then(
      (reasonCode) => this.#answered(broker, message, reasonCode),
      () => undefined,
    );
  }

  #answered(broker: Broker, message: MessageModel, reasonCode: number): void {
    if (this.#broker !== broker) return;
    this.#pending.delete(message);
    if (reasonCode >= 0x80) message.wasRefused = true;
    else message.acceptedMs = this.#model.nowMs;
  }

  #received(broker: Broker, message: Message, qos: 0 | 1 | 2, retain: boolean): void | Promise<void> {
    if (this.#broker !== broker || message.payloadLength === 0) return;
    const { topicName, payload } = message;
    const known = this.#model.message(idOf(payload));
    if (known?.topicName !== topicName) {
      this.#model.report.broken("not-subscribed", `${APPLICATION} got what nobody sent to ${topicName}`);
      return;
    }
    if (known.isWill) this.#model.willCame(known);
    this.#session?.received(
      createPublish({ topicName, payload, qos, retain, packetId: 1, dup: false }),
      known,
    );
    if (!this.#random.chance(0.1)) return;
    // It takes its time for this one; the acknowledgement waits.
    return new Promise((resolve) => this.#schedule.after(this.#random.below(100), () => resolve()));
  }

  /** It was there since the process started, so it has everything that was accepted since. */
  judge(): void {
    if (this.#session !== undefined) judgeLocal(this.#model, this.#session);
  }
}
