// SUBSCRIBE: each filter is checked, asked for and granted on its own; then SUBACK, then retained messages.
// MQTT 5.0 section 3.8, 3.1.1 section 3.8.

import { PacketType, type QoS, ReasonCode, type Subscribe, utf8Length } from "@heirloom/codec";
import type { Connection } from "../connection.ts";
import { topicFault } from "../control-characters.ts";
import type { Parts } from "../parts.ts";
import type { Refusal } from "../ports/hooks.ts";
import type { Session } from "../sessions/session.ts";
import type { Subscription } from "../subscription.ts";
import { checkTopicFilter, isWildcardFilter, parseSharedFilter } from "../topics/index.ts";

/** Bytes that a record of the store has for a filter; with a mount point, `$share/name/` and the filter may be more. */
const LONGEST_FILTER = 65_535;

/** 3.1.1 section 3.9.3: the one failure code there is. */
const FAILURE_3 = 0x80;

export function handleSubscribe(
  parts: Parts,
  connection: Connection,
  subscribe: Subscribe,
): Promise<void> | void {
  const { session } = connection;
  if (session === undefined) return;
  const subscriptionIdentifier = subscribe.properties.subscriptionIdentifier ?? 0;
  const wanted = subscribe.subscriptions.map((subscription) => ({ ...subscription, subscriptionIdentifier }));
  for (const subscription of wanted) {
    const parsed = parseSharedFilter(subscription.topicFilter);
    if (parsed !== undefined && parsed !== "invalid" && subscription.noLocal) {
      // 5.0 [MQTT-3.8.3-4]
      connection.fail(ReasonCode.PROTOCOL_ERROR, "No Local on a shared subscription");
      return;
    }
  }
  const { subscriptionsPerPacket } = parts.context.limits;
  const checked = wanted.map((subscription, place) =>
    place < subscriptionsPerPacket ? grant(parts, subscription) : ReasonCode.QUOTA_EXCEEDED,
  );
  if (connection.access === undefined && parts.context.hooks.subscribe === undefined) {
    finish(parts, connection, session, subscribe, checked);
    return;
  }
  return askForEach(parts, connection, session, subscribe, checked);
}

/** Asks the permissions and the application about each filter, one after the other. */
async function askForEach(
  parts: Parts,
  connection: Connection,
  session: Session,
  subscribe: Subscribe,
  checked: readonly Granted[],
): Promise<void> {
  const granted: Granted[] = [];
  for (const item of checked) {
    const permitted = typeof item === "number" ? item : await throughAccess(parts, connection, item);
    granted.push(typeof permitted === "number" ? permitted : await throughHook(parts, connection, permitted));
  }
  if (connection.state === "connected") finish(parts, connection, session, subscribe, granted);
}

async function throughAccess(
  parts: Parts,
  { access }: Connection,
  subscription: Subscription,
): Promise<Granted> {
  const shared = parseSharedFilter(subscription.topicFilter);
  const { topicFilter, shareName } =
    typeof shared === "object" ? shared : { topicFilter: subscription.topicFilter, shareName: undefined };
  const granted = answered(subscription, await access?.subscribe(topicFilter, subscription.qos, shareName));
  if (typeof granted === "number") parts.context.counters.subscribeForbidden++;
  return granted;
}

async function throughHook(
  parts: Parts,
  { client }: Connection,
  subscription: Subscription,
): Promise<Granted> {
  if (client === undefined) return subscription;
  return answered(subscription, await parts.context.hooks.subscribe?.(subscription, client));
}

function answered(
  subscription: Subscription,
  answer: Refusal | { readonly qos: QoS } | undefined | void,
): Granted {
  if (answer === undefined) return subscription;
  if ("reasonCode" in answer) return answer.reasonCode;
  return { ...subscription, qos: answer.qos < subscription.qos ? answer.qos : subscription.qos };
}

/** A subscription as granted, or the reason code of 5.0 that refuses it. */
type Granted = Subscription | number;

function grant(parts: Parts, subscription: Subscription): Granted {
  const { limits } = parts.context;
  const { topicFilter } = subscription;
  const shared = parseSharedFilter(topicFilter);
  if (shared === "invalid") return ReasonCode.TOPIC_FILTER_INVALID;
  const plainFilter = shared?.topicFilter ?? topicFilter;
  if (checkTopicFilter(plainFilter, limits.topicLevels) !== undefined) return ReasonCode.TOPIC_FILTER_INVALID;
  if (topicFault(topicFilter, limits) !== undefined) return ReasonCode.TOPIC_FILTER_INVALID;
  if (shared !== undefined && !limits.sharedSubscriptionAvailable)
    return ReasonCode.SHARED_SUBSCRIPTIONS_NOT_SUPPORTED;
  if (isWildcardFilter(plainFilter) && !limits.wildcardSubscriptionAvailable) {
    return ReasonCode.WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED;
  }
  if (subscription.subscriptionIdentifier !== 0 && !limits.subscriptionIdentifiersAvailable) {
    return ReasonCode.SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED;
  }
  if (topicFilter.length > limits.topicLength || utf8Length(topicFilter) > LONGEST_FILTER)
    return ReasonCode.QUOTA_EXCEEDED;
  const qos: QoS = subscription.qos < limits.maximumQoS ? subscription.qos : limits.maximumQoS;
  return { ...subscription, qos };
}

function finish(
  parts: Parts,
  connection: Connection,
  session: Session,
  subscribe: Subscribe,
  granted: readonly Granted[],
): void {
  const { context, retained, subscriptions } = parts;
  const isMalformed = granted.some((item) => item === ReasonCode.TOPIC_FILTER_INVALID);
  if (connection.version !== 5 && isMalformed) {
    // 3.1.1 [MQTT-4.7.1-2], [MQTT-4.7.1-3]: a filter that breaks the rules is a protocol violation.
    connection.fail(ReasonCode.TOPIC_FILTER_INVALID, "a topic filter that breaks the rules");
    return;
  }
  const reasonCodes: number[] = [];
  for (const item of granted) {
    if (typeof item === "number") {
      reasonCodes.push(connection.version === 5 ? item : FAILURE_3);
      continue;
    }
    // Looked at one by one: the filters of one packet count too.
    if (!subscriptions.hasRoom(session, item.topicFilter)) {
      context.counters.refusedSubscriptions++;
      reasonCodes.push(connection.version === 5 ? ReasonCode.QUOTA_EXCEEDED : FAILURE_3);
      continue;
    }
    const { existed, isShared } = subscriptions.subscribe(session, item);
    reasonCodes.push(item.qos);
    const wantsRetained = item.retainHandling === 0 || (item.retainHandling === 1 && !existed);
    if (wantsRetained && !isShared) session.replay(retained.replay(item.topicFilter, item));
    if (connection.client !== undefined) {
      context.observer.event("subscribed", {
        client: connection.client,
        topicFilter: item.topicFilter,
        qos: item.qos,
      });
    }
  }
  if (session.isLasting) connection.waitFor(context.turn.batch());
  connection.sendWithReason(() => ({ type: PacketType.SUBACK, packetId: subscribe.packetId, reasonCodes }));
}
