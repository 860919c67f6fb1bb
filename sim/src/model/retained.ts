// What may be retained for each topic at any time: the last message that was acknowledged, or any that was not since.
// MQTT 5.0 section 3.3.1.3.

import type { MessageModel } from "./message.ts";

export class RetainedModel {
  /** Whether a connection's output is so small that one of QoS 0 may be dropped behind another message. */
  mayDropQoS0 = false;
  readonly #byTopic = new Map<string, MessageModel[]>();

  /** A message with RETAIN 1 is sent for the first time. */
  sent(message: MessageModel): void {
    if (message.isForbidden) return;
    const messages = this.#byTopic.get(message.topicName);
    if (messages === undefined) this.#byTopic.set(message.topicName, [message]);
    else messages.push(message);
  }

  get topicNames(): string[] {
    return [...this.#byTopic.keys()];
  }

  /** Whether the message may have been the retained one of its topic at some time of the range. */
  mayHaveBeen(message: MessageModel, fromMs: number, untilMs: number): boolean {
    if (message.firstSentMs > untilMs) return false;
    // Another one that certainly came after it and was there before the range began.
    return !this.messages(message.topicName).some(
      (other) => other !== message && isAfter(other, message) && isAcceptedBy(other, fromMs),
    );
  }

  /** Whether it is possible that a topic has no retained message now. */
  mayBeNone(topicName: string, nowMs: number): boolean {
    const messages = this.messages(topicName);
    const kept = messages.filter(({ isEmpty }) => !isEmpty);
    if (!kept.some((message) => isAcceptedBy(message, nowMs) && message.expiresFromMs > nowMs)) return true;
    const candidates = messages.filter(
      (message) => this.mayHaveBeen(message, nowMs, nowMs) && !message.isRefusedOnly,
    );
    return candidates.some(
      ({ isEmpty, qos, expiresFromMs }) =>
        isEmpty || expiresFromMs <= nowMs || (qos === 0 && this.mayDropQoS0),
    );
  }

  /** All that were ever sent to a topic with RETAIN 1. */
  messages(topicName: string): readonly MessageModel[] {
    return this.#byTopic.get(topicName) ?? [];
  }
}

/** Whether it was accepted after the other one, however long both took. */
function isAfter(message: MessageModel, other: MessageModel): boolean {
  return (
    message.firstSentMs > other.lastMs || (message.publisher === other.publisher && isNext(message, other))
  );
}

/** One publisher's messages of one QoS are accepted in order, unless one was repeated. */
function isNext(message: MessageModel, other: MessageModel): boolean {
  return (
    message.id > other.id &&
    message.qos === other.qos &&
    other.transmissions === 1 &&
    !other.isWill &&
    !message.isWill
  );
}

function isAcceptedBy(message: MessageModel, timeMs: number): boolean {
  return message.acceptedMs !== undefined && message.acceptedMs <= timeMs;
}
