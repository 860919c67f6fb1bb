// Packets as a person would note them down, one line each: what tests and transcripts compare.

import { decodeUtf8, type Packet, packetName, PacketType, type Publish, Writer } from "@heirloom/codec";

/** The bytes of a text in UTF-8. */
export function utf8(text: string): Uint8Array {
  const writer = new Writer();
  writer.string(text);
  return writer.take().slice(2);
}

/**
 * One packet in words, e.g. `PUBLISH 1 a/b qos=1 dup=0 "x"` or `SUBACK 1 0x00 0x80`. Reason codes that say success and
 * nothing else are left out of acknowledgements.
 */
export function packetWords(packet: Packet): string {
  switch (packet.type) {
    case PacketType.PUBLISH:
      return publishWords(packet);
    case PacketType.CONNACK:
      return words("CONNACK", hex(packet.reasonCode), `present=${packet.sessionPresent ? 1 : 0}`, [
        ["expiry", packet.properties.sessionExpiryInterval],
        ["assigned", packet.properties.assignedClientIdentifier],
        ["keep-alive", packet.properties.serverKeepAlive],
        ["receive-maximum", packet.properties.receiveMaximum],
        ["method", packet.properties.authenticationMethod],
        ["server", packet.properties.serverReference],
      ]);
    case PacketType.PUBACK:
    case PacketType.PUBREC:
    case PacketType.PUBREL:
    case PacketType.PUBCOMP:
      return words(
        packetName(packet.type),
        String(packet.packetId),
        packet.reasonCode === 0 ? "" : hex(packet.reasonCode),
      );
    case PacketType.SUBACK:
    case PacketType.UNSUBACK:
      return words(packetName(packet.type), String(packet.packetId), ...packet.reasonCodes.map(hex));
    case PacketType.DISCONNECT:
    case PacketType.AUTH:
      return words(packetName(packet.type), hex(packet.reasonCode));
    default:
      return packetName(packet.type);
  }
}

function publishWords(publish: Publish): string {
  const { topicName, qos, packetId, source, payloadStart, payloadEnd } = publish;
  const isLong = payloadEnd - payloadStart > 40;
  const payload = isLong
    ? `(${payloadEnd - payloadStart} bytes)`
    : decodeUtf8(source, payloadStart, payloadEnd);
  return words(
    "PUBLISH",
    qos === 0 ? "" : String(packetId),
    topicName === "" ? "(no topic)" : topicName,
    `qos=${qos}`,
    qos === 0 ? "" : `dup=${publish.dup ? 1 : 0}`,
    publish.retain ? "retain=1" : "",
    JSON.stringify(payload),
    [
      ["expiry", publish.messageExpiryInterval === -1 ? undefined : publish.messageExpiryInterval],
      ["alias", publish.topicAlias === 0 ? undefined : publish.topicAlias],
      [
        "ids",
        publish.subscriptionIdentifiers.length === 0 ? undefined : publish.subscriptionIdentifiers.join(","),
      ],
    ],
  );
}

type Named = readonly (readonly [name: string, value: string | number | undefined])[];

function words(...parts: readonly (string | Named)[]): string {
  const texts: string[] = [];
  for (const part of parts) {
    if (typeof part === "string") {
      if (part !== "") texts.push(part);
    } else {
      for (const [name, value] of part) if (value !== undefined) texts.push(`${name}=${value}`);
    }
  }
  return texts.join(" ");
}

function hex(code: number): string {
  return `0x${code.toString(16).padStart(2, "0").toUpperCase()}`;
}
