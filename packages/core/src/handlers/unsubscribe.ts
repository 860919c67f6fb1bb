// UNSUBSCRIBE: the filters are taken literally; what matched before is still delivered. MQTT 5.0 section 3.10.

import { PacketType, ReasonCode, type Unsubscribe } from "@heirloom/codec";
import type { Connection } from "../connection.ts";
import type { Parts } from "../parts.ts";
import { checkTopicFilter } from "../topics/index.ts";

export function handleUnsubscribe(parts: Parts, connection: Connection, unsubscribe: Unsubscribe): void {
  const { context, subscriptions } = parts;
  const { session, client } = connection;
  if (session === undefined) return;
  const reasonCodes: number[] = [];
  for (const topicFilter of unsubscribe.topicFilters) {
    const fault = checkTopicFilter(topicFilter);
    if (fault !== undefined) {
      // 5.0 [MQTT-4.7.1-1], 3.1.1 [MQTT-4.7.1-2]
      connection.fail(ReasonCode.TOPIC_FILTER_INVALID, `topic filter: ${fault}`);
      return;
    }
    const existed = subscriptions.unsubscribe(session, topicFilter);
    session.cancelReplay(topicFilter);
    reasonCodes.push(existed ? ReasonCode.SUCCESS : ReasonCode.NO_SUBSCRIPTION_EXISTED);
    if (existed && client !== undefined) context.observer.event("unsubscribed", { client, topicFilter });
  }
  if (session.isLasting) connection.waitFor(context.turn.batch());
  connection.sendWithReason(() => ({
    type: PacketType.UNSUBACK,
    packetId: unsubscribe.packetId,
    reasonCodes,
  }));
}
