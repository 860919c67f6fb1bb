// RETAIN and Subscription Identifiers of a delivery that is read from a log: what all subscriptions that want the message add up
// to, now, or when it was sent before. MQTT 5.0 sections 3.3.1.3, 3.3.4.

import type { Cursor } from "../logs/cursor.ts";
import { type Entry, NO_IDENTIFIERS } from "../logs/entry.ts";
import { topicMatchesFilter } from "../topics/index.ts";
import { INBOX, type Place } from "./place.ts";
import type { Stretch } from "./stretch.ts";

export interface DeliveryOptions {
  readonly retain: boolean;
  readonly identifiers: readonly number[];
}

/** What a session is subscribed to. */
export interface Subscribed {
  readonly clientId: string;
  /** By topic filter. */
  readonly subscriptions: ReadonlyMap<string, Stretch>;
  /** By number, also those that ended and are still being read. */
  readonly stretches: ReadonlyMap<number, Stretch>;
}

/** Whether the client published it itself and this subscription does not want such messages, 5.0 [MQTT-3.8.3-3]. */
export function isOwn({ clientId }: Subscribed, cursor: Cursor, entry: Entry): boolean {
  return cursor.subscription.noLocal && entry.message.publisherId === clientId;
}

/** The options of a delivery that these cursors want; `first` is the one that it is sent from. */
export function optionsOf(
  subscribed: Subscribed,
  entry: Entry,
  first: Cursor,
  wanting: readonly Cursor[],
): DeliveryOptions {
  const { message } = entry;
  if (first.cursorId === INBOX) return { retain: message.retain, identifiers: entry.identifiers };
  const retain = message.retain && wanting.some((cursor) => cursor.subscription.retainAsPublished);
  let identifiers = NO_IDENTIFIERS;
  for (const { subscription } of wanting) {
    const { subscriptionIdentifier } = subscription;
    if (subscriptionIdentifier !== 0) identifiers = [...identifiers, subscriptionIdentifier];
  }
  return { retain, identifiers: [...identifiers, ...identifiersAtQoS0(subscribed, message.topicName)] };
}

/** Subscriptions with QoS 0 have no cursor, but their identifiers belong to every copy, 5.0 [MQTT-3.3.4-4]. */
function identifiersAtQoS0({ subscriptions }: Subscribed, topicName: string): readonly number[] {
  let identifiers = NO_IDENTIFIERS;
  for (const { cursor, group, subscription } of subscriptions.values()) {
    const { subscriptionIdentifier, topicFilter } = subscription;
    if (cursor !== undefined || group !== undefined || subscriptionIdentifier === 0) continue;
    if (topicMatchesFilter(topicName, topicFilter)) identifiers = [...identifiers, subscriptionIdentifier];
  }
  return identifiers;
}

/** The options of a delivery that was sent before: those of all stretches in which its message stood. */
export function optionsAgain(subscribed: Subscribed, entry: Entry, place: Place): DeliveryOptions {
  const first = place?.cursor;
  if (first === undefined || place === undefined) return { retain: false, identifiers: NO_IDENTIFIERS };
  const { stretches } = subscribed;
  if (place.group !== undefined) {
    const subscription = stretches.get(place.stretchId)?.subscription;
    const identifier = subscription?.subscriptionIdentifier ?? 0;
    return {
      retain: entry.message.retain && subscription?.retainAsPublished === true,
      identifiers: identifier === 0 ? NO_IDENTIFIERS : [identifier],
    };
  }
  const wanting: Cursor[] = [];
  for (const { cursor } of stretches.values()) {
    if (cursor === undefined || !cursor.covers(entry.sequence) || isOwn(subscribed, cursor, entry)) continue;
    if (topicMatchesFilter(entry.message.topicName, cursor.log.topicFilter)) wanting.push(cursor);
  }
  return optionsOf(subscribed, entry, first, wanting);
}
