// The subscriptions of one session, as far as its client can know: from when to when each possibly and certainly stood,
// with which options.

import type { QoS } from "@heirloom/codec";
import type { MessageModel } from "./message.ts";

export interface Options {
  readonly topicFilter: string;
  readonly qos: QoS;
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  readonly retainHandling: 0 | 1 | 2;
  readonly identifier: number;
}

/** One SUBSCRIBE for one filter. */
export interface Grant {
  readonly options: Options;
  readonly presence: Presence;
  readonly fromMs: number;
  /** Whether retained messages may be sent for it, by its Retain Handling. 5.0 [MQTT-3.3.1-9] to [MQTT-3.3.1-11]. */
  readonly mayReplay: boolean;
  /** When SUBACK came. */
  ackedMs: number;
  untilMs: number;
}

/** A filter from its first SUBSCRIBE to its UNSUBSCRIBE. */
export interface Presence {
  readonly topicFilter: string;
  /** `undefined` when it is not shared. */
  readonly shareName: string | undefined;
  /** Without `$share/name/`. */
  readonly plainFilter: string;
  readonly grants: Grant[];
  certainFromMs: number;
  certainUntilMs: number;
  possibleUntilMs: number;
}

export class Subscriptions {
  readonly presences: Presence[] = [];
  /** Times in which the broker may have had no session. */
  readonly #gaps: { readonly fromMs: number; readonly untilMs: number }[] = [];

  /** Nothing of this time is certain. */
  missed(fromMs: number, untilMs: number): void {
    this.#gaps.push({ fromMs, untilMs });
  }

  /** SUBSCRIBE was sent. */
  subscribing(options: Options, nowMs: number): Grant {
    let presence = this.presences.findLast(
      (other) => other.topicFilter === options.topicFilter && other.certainUntilMs === Infinity,
    );
    if (presence === undefined || presence.possibleUntilMs !== Infinity) {
      presence = presenceOf(options.topicFilter);
      this.presences.push(presence);
    }
    const { retainHandling } = options;
    const mayReplay = retainHandling === 0 || (retainHandling === 1 && presence.certainFromMs > nowMs);
    const grant = { options, presence, fromMs: nowMs, mayReplay, ackedMs: Infinity, untilMs: Infinity };
    presence.grants.push(grant);
    return grant;
  }

  /** SUBACK came for it. */
  subscribed(grant: Grant, isGranted: boolean, nowMs: number): void {
    const { presence } = grant;
    grant.ackedMs = nowMs;
    if (!isGranted) {
      grant.untilMs = nowMs;
      return;
    }
    presence.certainFromMs = Math.min(presence.certainFromMs, nowMs);
    for (const other of presence.grants) {
      if (other === grant) break;
      other.untilMs = Math.min(other.untilMs, nowMs);
    }
  }

  /** UNSUBSCRIBE was sent. */
  unsubscribing(topicFilter: string, nowMs: number): Presence[] {
    const ending = this.presences.filter((presence) => presence.topicFilter === topicFilter);
    for (const presence of ending) presence.certainUntilMs = Math.min(presence.certainUntilMs, nowMs);
    return ending;
  }

  /** UNSUBACK came. */
  unsubscribed(presences: readonly Presence[], nowMs: number): void {
    for (const presence of presences) presence.possibleUntilMs = Math.min(presence.possibleUntilMs, nowMs);
  }

  /** It is not known any more whether the session is the same: nothing is certain. */
  doubt(): void {
    for (const presence of this.presences) presence.certainFromMs = Infinity;
  }

  /** Every grant under which the message may have been accepted. */
  possibleFor(message: MessageModel): Grant[] {
    const found: Grant[] = [];
    for (const presence of this.presences) {
      if (!matches(presence.plainFilter, message.topicName)) continue;
      for (const grant of presence.grants) {
        const untilMs = Math.min(grant.untilMs, presence.possibleUntilMs);
        // What a group has not given to anyone yet goes to members that join later.
        const isEarly = grant.fromMs > message.lastMs && presence.shareName === undefined;
        if (!isEarly && untilMs >= message.firstSentMs) found.push(grant);
      }
    }
    return found;
  }

  /** The presences that certainly stood when the message was accepted, whenever that was. */
  certainFor(message: MessageModel): Presence[] {
    if (this.#gaps.some(({ fromMs, untilMs }) => fromMs <= message.lastMs && message.firstSentMs <= untilMs))
      return [];
    return this.presences.filter(
      (presence) =>
        presence.certainFromMs <= message.firstSentMs &&
        presence.certainUntilMs >= message.lastMs &&
        matches(presence.plainFilter, message.topicName),
    );
  }
}

/** The lowest QoS that a presence may have granted while the message may have been accepted. */
export function lowestQoS(presence: Presence, message: MessageModel): QoS {
  let lowest: QoS = 2;
  for (const { options, fromMs, untilMs } of presence.grants) {
    if (fromMs > message.lastMs || untilMs < message.firstSentMs) continue;
    if (options.qos < lowest) lowest = options.qos;
  }
  return lowest;
}

/** The Subscription Identifier that a presence certainly has while the message may be accepted and sent; 0 = none, or not known. */
export function certainIdentifier(presence: Presence, message: MessageModel): number {
  if (presence.certainUntilMs !== Infinity) return 0;
  const grants = presence.grants.filter(({ untilMs }) => untilMs >= message.firstSentMs);
  // At QoS 0 it keeps nothing of what waits for another subscription. When one of a higher QoS replaces it, 5.0 [MQTT-3.8.4-3],
  // what it matched is not known any more, and the new one, younger than the message, did not match it: as after UNSUBSCRIBE.
  const place = grants.findIndex(({ options, fromMs }) => options.qos === 0 && fromMs <= message.lastMs);
  if (place !== -1 && grants.slice(place).some(({ options }) => options.qos > 0)) return 0;
  const identifiers = new Set(grants.map(({ options }) => options.identifier));
  const [first = 0] = identifiers;
  return identifiers.size === 1 ? first : 0;
}

/** Whether the options leave this message out because its receiver published it. */
export function isLocal(options: Options, message: MessageModel, receiver: string): boolean {
  return options.noLocal && message.publisher === receiver;
}

function presenceOf(topicFilter: string): Presence {
  const shared = /^\$share\/([^/]+)\/(.+)$/.exec(topicFilter);
  return {
    topicFilter,
    shareName: shared?.[1],
    plainFilter: shared?.[2] ?? topicFilter,
    grants: [],
    certainFromMs: Infinity,
    certainUntilMs: Infinity,
    possibleUntilMs: Infinity,
  };
}

/** MQTT 5.0 section 4.7, for the topics of this simulation: none begins with "$". */
export function matches(topicFilter: string, topicName: string): boolean {
  const filterLevels = topicFilter.split("/");
  const nameLevels = topicName.split("/");
  for (const [place, level] of filterLevels.entries()) {
    if (level === "#") return true;
    if (place >= nameLevels.length || (level !== "+" && level !== nameLevels[place])) return false;
  }
  return filterLevels.length === nameLevels.length;
}
