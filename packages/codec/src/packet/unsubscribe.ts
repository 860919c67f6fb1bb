// UNSUBSCRIBE - MQTT 5.0 section 3.10, 3.1.1 section 3.10.
//
//   A2 | remaining length | packet id | properties (5.0) | topic filter ...
import { ProtocolError, UsageError } from "../errors.ts";
import { readProperties, writeProperties } from "../properties.ts";
import type { Properties } from "../properties.ts";
import { PacketType } from "../protocol.ts";
import type { ProtocolVersion } from "../protocol.ts";
import type { Reader } from "../reader.ts";
import type { Writer } from "../writer.ts";
import { readTopicFilter } from "./subscribe.ts";

export type UnsubscribeProperties = Pick<Properties, "userProperties">;

export interface Unsubscribe {
  type: typeof PacketType.UNSUBSCRIBE;
  packetId: number;
  /** At least one. */
  topicFilters: string[];
  properties: UnsubscribeProperties;
}

/** Reads the body. */
export function readUnsubscribe(reader: Reader, version: ProtocolVersion): Unsubscribe {
  const packetId = reader.packetId();
  const properties = version === 5 ? readProperties(reader, PacketType.UNSUBSCRIBE) : {};
  const topicFilters: string[] = [];
  while (reader.position < reader.end) topicFilters.push(readTopicFilter(reader));
  // 5.0 [MQTT-3.10.3-2], 3.1.1 [MQTT-3.10.3-2]
  if (topicFilters.length === 0) throw new ProtocolError("UNSUBSCRIBE without a topic filter");
  return { type: PacketType.UNSUBSCRIBE, packetId, topicFilters, properties };
}

/** Writes the body. */
export function writeUnsubscribe(writer: Writer, unsubscribe: Unsubscribe, version: ProtocolVersion): void {
  writer.packetId(unsubscribe.packetId);
  if (version === 5) writeProperties(writer, unsubscribe.properties, PacketType.UNSUBSCRIBE);
  if (unsubscribe.topicFilters.length === 0) throw new UsageError("UNSUBSCRIBE without a topic filter");
  for (const topicFilter of unsubscribe.topicFilters) {
    if (topicFilter === "") throw new UsageError("a topic filter is empty");
    writer.string(topicFilter);
  }
}
