// Packets as a reader of a transcript wants to see them.

import { type Packet, packetName, PacketType } from "@heirloom/codec";
import { idOf } from "./model/message.ts";

export function packetText(packet: Packet): string {
  const name = packetName(packet.type);
  switch (packet.type) {
    case PacketType.CONNECT: {
      const { protocolVersion, cleanStart, keepAlive, will, properties } = packet;
      const willText =
        will === undefined
          ? ""
          : ` will=m${idOf(will.payload)} on ${will.topicName} qos=${will.qos} delay=${will.willDelayInterval}`;
      return `${name} v${protocolVersion} clean-start=${cleanStart ? 1 : 0} keep-alive=${keepAlive} ${JSON.stringify(properties)}${willText}`;
    }
    case PacketType.CONNACK:
      return `${name} session-present=${packet.sessionPresent ? 1 : 0} reason-code=${hex(packet.reasonCode)}`;
    case PacketType.PUBLISH: {
      const { packetId, topicName, topicAlias, qos, dup, retain, payload } = packet;
      const idText = qos === 0 ? "" : ` ${packetId}`;
      return `${name}${idText} ${topicName === "" ? `alias ${topicAlias}` : topicName} qos=${qos} dup=${dup ? 1 : 0} retain=${retain ? 1 : 0} m${idOf(payload)}`;
    }
    case PacketType.PUBACK:
    case PacketType.PUBREC:
    case PacketType.PUBREL:
    case PacketType.PUBCOMP:
      return `${name} ${packet.packetId}${packet.reasonCode === 0 ? "" : ` reason-code=${hex(packet.reasonCode)}`}`;
    case PacketType.SUBSCRIBE:
      return `${name} ${packet.packetId} ${packet.subscriptions.map(subscriptionText).join(", ")}`;
    case PacketType.SUBACK:
    case PacketType.UNSUBACK:
      return `${name} ${packet.packetId} ${packet.reasonCodes.map(hex).join(" ")}`;
    case PacketType.UNSUBSCRIBE:
      return `${name} ${packet.packetId} ${packet.topicFilters.join(", ")}`;
    case PacketType.DISCONNECT:
      return `${name} reason-code=${hex(packet.reasonCode)} ${packet.properties.reasonString ?? ""}`;
    default:
      return name;
  }
}

function subscriptionText(subscription: {
  topicFilter: string;
  qos: number;
  noLocal: boolean;
  retainAsPublished: boolean;
  retainHandling: number;
}): string {
  const { topicFilter, qos, noLocal, retainAsPublished, retainHandling } = subscription;
  return `${topicFilter} qos=${qos}${noLocal ? " no-local" : ""}${retainAsPublished ? " as-published" : ""} retain-handling=${retainHandling}`;
}

function hex(byte: number): string {
  return `0x${byte.toString(16).padStart(2, "0")}`;
}
