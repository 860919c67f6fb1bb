// One session as its client knows it: what it subscribed to, what it got, and what of that was wrong.

import type { Publish, QoS } from "@heirloom/codec";
import type { Rules } from "../rules.ts";
import { Flight } from "./flight.ts";
import type { MessageModel } from "./message.ts";
import type { Report } from "./report.ts";
import type { RetainedModel } from "./retained.ts";
import {
  certainIdentifier,
  type Grant,
  isLocal,
  lowestQoS,
  matches,
  Subscriptions,
} from "./subscriptions.ts";

/** What a session got of one message. */
interface Receipt {
  /** Deliveries that were no repetitions, without those that came because of a SUBSCRIBE. */
  count: number;
  /** Deliveries of it as a retained message, because of a SUBSCRIBE. */
  replayCount: number;
  /** When it came last with RETAIN 1. */
  retainedMs: number;
}

/** What the world knows that bears on deliveries. */
export interface Surroundings {
  readonly nowMs: number;
  readonly report: Report;
  readonly retained: RetainedModel;
  /** Until when the disk could not take batches at once; deliveries waited for it. */
  readonly stalledMs: number;
  /** Whether the broker's limit of queues is so low that messages are discarded. */
  readonly isQueueLimited: boolean;
  /** Whether it refuses messages at a limit of queues instead. */
  readonly refusesAtLimit: boolean;
  readonly rules: Rules;
}

/** What a delivery may take, from the broker's decision to the client. */
const DELIVERY_SLACK_MS = 1_000;

export class SessionModel {
  readonly clientId: string;
  readonly isLasting: boolean;
  readonly subscriptions: Subscriptions = new Subscriptions();
  readonly flight: Flight;
  readonly startedMs: number;
  /** When it was over for certain; `Infinity` while it may exist. */
  endedMs: number = Infinity;
  /** Seconds, the least and the most that may hold. */
  expiryFrom: number;
  expiryUntil: number;
  /** Whether a CONNECT went out that may have replaced it. */
  isDoubtful = false;
  /** Whether that was so at any time. */
  wasDoubtful = false;
  /** Bytes of a payload that certainly fits into its client's Maximum Packet Size. */
  largestPayload: number = Infinity;
  /** Whether its client reads so slowly that times say nothing. */
  isSlow = false;
  readonly #surroundings: Surroundings;
  readonly #receipts = new Map<MessageModel, Receipt>();
  /** The newest message by publisher, topic and QoS. */
  readonly #newest = new Map<string, MessageModel>();

  constructor(clientId: string, expiryInterval: number, surroundings: Surroundings) {
    this.clientId = clientId;
    this.isLasting = expiryInterval > 0;
    this.expiryFrom = expiryInterval;
    this.expiryUntil = expiryInterval;
    this.#surroundings = surroundings;
    this.startedMs = surroundings.nowMs;
    this.flight = new Flight(surroundings.report, clientId);
  }

  /** A CONNECT that was not answered may have made another session of it. */
  doubt(): void {
    this.isDoubtful = this.wasDoubtful = true;
    this.subscriptions.doubt();
    this.flight.doubt();
  }

  /** A packet that may not have been read said how many seconds it outlives its connection. */
  mayExpireAfter(seconds: number): void {
    this.expiryFrom = Math.min(this.expiryFrom, seconds);
    this.expiryUntil = Math.max(this.expiryUntil, seconds);
  }

  /** Whether the message may be dropped when it is this session's turn to get it: too large, or a hook's decision. */
  leavesOut(message: MessageModel): boolean {
    return (
      message.size + message.forwarded.length > this.largestPayload ||
      this.#surroundings.rules.leavesOut(message.id, this.clientId)
    );
  }

  has(message: MessageModel): boolean {
    return this.#receipts.has(message);
  }

  /** Whether it came with RETAIN 1 since this time. */
  hasRetained(message: MessageModel, sinceMs: number): boolean {
    return (this.#receipts.get(message)?.retainedMs ?? -Infinity) >= sinceMs;
  }

  /** How often it came, other than as a retained message for a SUBSCRIBE. */
  deliveries(message: MessageModel): number {
    return this.#receipts.get(message)?.count ?? 0;
  }

  /** PUBLISH came; it is no repetition. */
  received(publish: Publish, message: MessageModel): void {
    const { report } = this.#surroundings;
    const what = `${message.text} to ${this.clientId}`;
    const grants = this.#grantsFor(message);
    const isReplay =
      publish.retain && !grants.some(({ options }) => options.retainAsPublished && message.retain);
    const receipt = this.#receipts.get(message) ?? { count: 0, replayCount: 0, retainedMs: -Infinity };
    this.#receipts.set(message, receipt);
    if (publish.retain) receipt.retainedMs = this.#surroundings.nowMs;
    if (publish.retain && !message.retain) report.broken("retained", `${what} has RETAIN 1`);
    if (isReplay) this.#replayed(publish, message, receipt, what);
    else this.#delivered(publish, message, receipt, grants, what);
    this.#checkExpiry(publish, message, what);
    if (message.isForbidden || this.#surroundings.rules.leavesOut(message.id, this.clientId))
      report.broken("refused", `${what}, although a hook left it out`);
    if (message.wasRefused && message.transmissions === 1 && !message.isWill) {
      report.broken("refused", `${what}, although its publisher was told that it was refused`);
    }
  }

  #grantsFor(message: MessageModel): Grant[] {
    return this.subscriptions
      .possibleFor(message)
      .filter(({ options }) => !isLocal(options, message, this.clientId));
  }

  #delivered(
    publish: Publish,
    message: MessageModel,
    receipt: Receipt,
    grants: readonly Grant[],
    what: string,
  ): void {
    const { report } = this.#surroundings;
    receipt.count++;
    if (grants.length === 0) {
      report.broken("not-subscribed", what);
      return;
    }
    const shares = new Set(
      grants.map(({ presence }) => (presence.shareName === undefined ? undefined : presence.topicFilter)),
    );
    const replays = this.#replaysFor(message).length;
    const hasReplays = publish.retain && replays > 0;
    const most = message.mostAcceptances * shares.size + replays;
    // What a clean member of a shared subscription got at QoS 1 is given again when a crash forgets that it had it: at least
    // once. This may be the same client, on a connection of which nobody knows whether it began another session.
    const isGivenAgain = publish.qos === 1 && !shares.has(undefined) && this.wasDoubtful;
    if (receipt.count > most && !isGivenAgain) {
      report.broken(
        "twice",
        `${what}: delivery ${receipt.count}, it was sent ${message.transmissions} times`,
      );
    }
    if (!hasReplays) this.#checkQoS(publish.qos, message, grants, what);
    if (!hasReplays) this.#checkOptions(publish, message, grants, what);
    if (shares.size === 1 && shares.has(undefined) && !hasReplays)
      this.#checkOrder(publish, message, receipt, what);
  }

  #checkQoS(qos: QoS, message: MessageModel, grants: readonly Grant[], what: string): void {
    const allowed = new Set(grants.map(({ options }) => Math.min(options.qos, message.qos)));
    const certain = this.subscriptions
      .certainFor(message)
      .filter(
        ({ shareName, grants: own }) =>
          shareName === undefined && !own.some(({ options }) => isLocal(options, message, this.clientId)),
      );
    const isShared = grants.some(({ presence }) => presence.shareName !== undefined);
    // A queue's limit may cut what one of several subscriptions holds and leave the rest; so may a damaged block.
    const isUncertain = isShared || this.#surroundings.isQueueLimited || message.isDamaged;
    const least = isUncertain
      ? 0
      : Math.max(0, ...certain.map((presence) => Math.min(lowestQoS(presence, message), message.qos)));
    if (allowed.has(qos) && qos >= least) return;
    this.#surroundings.report.broken(
      "qos",
      `${what} came at QoS ${qos}; granted ${[...allowed].join(" or ")}, at least ${least}`,
    );
  }

  /**
   * Subscriptions of QoS 0 that stand now. They have no queue, so a message that waited in that of another one may carry their
   * identifiers although it is older than they are.
   */
  #grantsAtQoS0(message: MessageModel): Grant[] {
    const { nowMs } = this.#surroundings;
    return this.subscriptions.presences
      .filter(
        ({ shareName, plainFilter }) => shareName === undefined && matches(plainFilter, message.topicName),
      )
      .flatMap(({ possibleUntilMs, grants }) => (possibleUntilMs < nowMs ? [] : grants))
      .filter(({ options, untilMs }) => options.qos === 0 && untilMs >= nowMs);
  }

  /** RETAIN by Retain As Published, 5.0 [MQTT-3.3.1-12] and [MQTT-3.3.1-13]; Subscription Identifiers, [MQTT-3.3.4-3] to [MQTT-3.3.4-5]. */
  #checkOptions(publish: Publish, message: MessageModel, grants: readonly Grant[], what: string): void {
    const { report, isQueueLimited } = this.#surroundings;
    const isAsPublished = grants.every(({ options }) => options.retainAsPublished);
    if (message.retain && !publish.retain && isAsPublished) report.broken("retained", `${what} has RETAIN 0`);
    const possible = new Set(
      [...grants, ...this.#grantsAtQoS0(message)].map(({ options }) => options.identifier),
    );
    const seen = publish.subscriptionIdentifiers;
    for (const identifier of seen) {
      if (identifier === 0 || !possible.has(identifier))
        report.broken("identifiers", `${what} has ${identifier}, possible are ${[...possible].join(", ")}`);
    }
    const isShared = grants.some(({ presence }) => presence.shareName !== undefined);
    // What was cut from one of several queues, or damaged in one of several logs, comes through the others.
    if (isShared || isQueueLimited || message.isDamaged) return;
    for (const presence of this.subscriptions.certainFor(message)) {
      const identifier = certainIdentifier(presence, message);
      if (presence.grants.some(({ options }) => isLocal(options, message, this.clientId))) continue;
      if (identifier !== 0 && !seen.includes(identifier))
        report.broken(
          "identifiers",
          `${what} lacks ${identifier} of ${presence.topicFilter}, it has ${seen.join(", ")}`,
        );
    }
  }

  #checkOrder(publish: Publish, message: MessageModel, receipt: Receipt, what: string): void {
    if (receipt.count > 1 || message.isWill) return;
    const key = `${message.publisher} ${message.topicName} ${message.qos} ${publish.qos}`;
    const newest = this.#newest.get(key);
    if (newest === undefined || newest.id < message.id) {
      this.#newest.set(key, message);
    } else if (message.mostAcceptances === 1 && !this.#mayHaveBeenRefusedFirst(message)) {
      this.#surroundings.report.broken("order", `${what} came after m${newest.id}`);
    }
  }

  /** Whether it may have been refused, and taken when it was sent again behind others: its publisher may not know. */
  #mayHaveBeenRefusedFirst(message: MessageModel): boolean {
    const { refusesAtLimit, stalledMs } = this.#surroundings;
    return message.transmissions > 1 && (refusesAtLimit || stalledMs >= message.firstSentMs);
  }

  #replayed(publish: Publish, message: MessageModel, receipt: Receipt, what: string): void {
    const { report, retained, nowMs } = this.#surroundings;
    receipt.replayCount++;
    const subscribes = this.#replaysFor(message);
    if (subscribes.length === 0) {
      report.broken("not-subscribed", `${what} as retained message`);
      return;
    }
    if (receipt.replayCount > subscribes.length) report.broken("twice", `${what} as retained message`);
    if (!subscribes.some(({ options }) => Math.min(options.qos, message.qos) === publish.qos)) {
      report.broken("qos", `${what} as retained message came at QoS ${publish.qos}`);
    }
    const [identifier = 0, ...others] = publish.subscriptionIdentifiers;
    if (others.length > 0 || !subscribes.some(({ options }) => options.identifier === identifier))
      report.broken("identifiers", `${what} as retained message has ${identifier}`);
    const sinceMs = Math.min(...subscribes.map(({ fromMs }) => fromMs));
    if (!retained.mayHaveBeen(message, sinceMs, nowMs)) {
      report.broken("retained", `${what} as retained message, which it was not at that time`);
    }
  }

  #replaysFor(message: MessageModel): Grant[] {
    if (!message.retain) return [];
    return (
      this.subscriptions.presences
        .filter(
          ({ shareName, plainFilter }) => shareName === undefined && matches(plainFilter, message.topicName),
        )
        .flatMap(({ grants }) => grants)
        // What is published once the subscription stands comes as it is published, not once more as retained message.
        .filter(({ mayReplay, ackedMs }) => mayReplay && message.firstSentMs <= ackedMs)
    );
  }

  #checkExpiry(publish: Publish, message: MessageModel, what: string): void {
    const { nowMs, stalledMs, report } = this.#surroundings;
    if (publish.dup || this.isSlow || message.acceptedMs === undefined) return;
    const latestMs = Math.max(message.expiresUntilMs, stalledMs) + DELIVERY_SLACK_MS;
    if (message.expiresUntilMs !== Infinity && nowMs > latestMs) {
      report.broken("expired", `${what}, ${Math.round(nowMs - message.expiresUntilMs)} ms after it expired`);
    }
  }

  /** Whether the session has to have got the message by now, if it was online all the time since. */
  mustHave(message: MessageModel): boolean {
    return !message.isDamaged && this.isDue(message);
  }

  /** The same if no disk had damaged it. */
  isDue(message: MessageModel): boolean {
    if (message.qos === 0 || message.isEmpty || message.acceptedMs === undefined) return false;
    if (this.leavesOut(message) || message.expiresFromMs <= this.#surroundings.nowMs) return false;
    return this.subscriptions
      .certainFor(message)
      .some(
        (presence) =>
          presence.shareName === undefined &&
          lowestQoS(presence, message) > 0 &&
          !presence.grants.some(({ options }) => isLocal(options, message, this.clientId)),
      );
  }
}
