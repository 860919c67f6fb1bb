// Retained messages: one per topic, in memory and on disk, given to new subscribers a few at a time.
// MQTT 5.0 sections 3.3.1.3 and 3.8.4; 3.1.1 sections 3.3.1.3 and 3.8.4.

import { Writer } from "@heirloom/codec";
import type { Context } from "./context.ts";
import { Deadline } from "./deadlines.ts";
import { readEntry, writeEntry } from "./logs/entry.ts";
import { Message } from "./message.ts";
import type { StoreBatch } from "./ports/store.ts";
import type { Replay, Session } from "./sessions/session.ts";
import type { Subscription } from "./subscription.ts";
import { type NameMatcher, NameTree } from "./topics/index.ts";
import type { Stored } from "./turn.ts";

export class RetainedMessages implements Stored {
  unsaved = false;
  readonly #context: Context;
  readonly #tree = new NameTree<Message>();
  /** Only messages with an expiry have one. */
  readonly #expiries = new Map<string, Deadline>();
  #changed = new Set<string>();

  constructor(context: Context) {
    this.#context = context;
  }

  get size(): number {
    return this.#tree.size;
  }

  /** Whether one more topic would be over the limit. */
  isFull(topicName: string): boolean {
    return this.#tree.size >= this.#context.limits.retainedMessages && this.#tree.get(topicName) === undefined;
  }

  get(topicName: string): Message | undefined {
    return this.#tree.get(topicName);
  }

  /** Takes a message with RETAIN 1: keeps it, or deletes what the topic has when its payload is empty. */
  set(message: Message): void {
    const { topicName } = message;
    if (message.payloadLength === 0) {
      if (this.#tree.get(topicName) !== undefined) this.#delete(topicName);
      return;
    }
    // A copy of its own: the original goes on its way with the bytes it came in.
    this.#keep(message.copy());
    this.#change(topicName);
  }

  #keep(message: Message): void {
    const { topicName, expiresAtMs } = message;
    this.#tree.set(topicName, message);
    this.#context.counters.retained = this.#tree.size;
    this.#clearExpiry(topicName);
    if (expiresAtMs === Infinity) return;
    const deadline = new Deadline(() => this.#expired(topicName));
    this.#expiries.set(topicName, deadline);
    this.#context.deadlines.set(deadline, expiresAtMs);
  }

  #delete(topicName: string): void {
    this.#tree.delete(topicName);
    this.#context.counters.retained = this.#tree.size;
    this.#clearExpiry(topicName);
    this.#change(topicName);
  }

  #expired(topicName: string): void {
    this.#expiries.delete(topicName);
    this.#context.counters.retainedExpired++;
    this.#delete(topicName);
  }

  #clearExpiry(topicName: string): void {
    const deadline = this.#expiries.get(topicName);
    if (deadline === undefined) return;
    this.#context.deadlines.clear(deadline);
    this.#expiries.delete(topicName);
  }

  #change(topicName: string): void {
    this.#changed.add(topicName);
    this.#context.turn.save(this);
  }

  save(batch: StoreBatch): void {
    for (const topicName of this.#changed) {
      const message = this.#tree.get(topicName);
      if (message === undefined) batch.delete("retained", topicName);
      else batch.put("retained", topicName, writeRetained(message));
    }
    this.#changed = new Set();
  }

  /** Takes up a message after a restart. */
  restore(value: Uint8Array): void {
    this.#keep(readEntry(value, 0).message.copy());
  }

  /** Gives what matches a new subscription to its session, in steps. */
  replay(topicFilter: string, subscription: Subscription): Replay {
    return new RetainedReplay(this.#context, this.#tree.matcher(topicFilter), subscription);
  }
}

/** The stored form of a retained message is that of an entry of a log. */
function writeRetained(message: Message): Uint8Array {
  const writer = new Writer();
  writeEntry(writer, message, 0, [], true);
  return writer.take();
}

/** Messages that one step gives at most, so that a wildcard over a million topics does not stop the broker. */
const STEP_MESSAGES = 256;

class RetainedReplay implements Replay {
  readonly topicFilter: string;
  readonly #context: Context;
  readonly #matcher: NameMatcher<Message>;
  readonly #subscription: Subscription;
  readonly #identifiers: readonly number[];
  #held: Message | undefined;

  constructor(context: Context, matcher: NameMatcher<Message>, subscription: Subscription) {
    this.#context = context;
    this.#matcher = matcher;
    this.#subscription = subscription;
    this.topicFilter = subscription.topicFilter;
    const { subscriptionIdentifier } = subscription;
    this.#identifiers = subscriptionIdentifier === 0 ? [] : [subscriptionIdentifier];
  }

  step(session: Session): "done" | "more" | "wait" {
    for (let count = 0; count < STEP_MESSAGES; count++) {
      if (session.outlet === undefined || session.outlet.isFull) return "wait";
      const message = this.#held ?? this.#matcher.next();
      this.#held = undefined;
      if (message === undefined) return "done";
      if (message.expiresAtMs <= this.#context.turn.nowMs) continue;
      const qos = message.qos < this.#subscription.qos ? message.qos : this.#subscription.qos;
      if (qos === 0) {
        session.offerQoS0(message, true, this.#identifiers);
      } else if (!session.offerRetained(message, qos, this.#identifiers)) {
        this.#held = message;
        return "wait";
      }
    }
    return "more";
  }
}
