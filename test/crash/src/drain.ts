// Takes what waits for a session, and acknowledges it as a well-behaved client does.

import { type Packet, packetName, PacketType, type Publish } from "@heirloom/codec";
import type { WireClient } from "#interop/wire-client";

/** Takes `count` messages and completes their handshakes, then shows that nothing more is coming. */
export async function drain(client: WireClient, count: number): Promise<Publish[]> {
  const messages: Publish[] = [];
  let open = count;
  while (open > 0) {
    const packet = await client.next();
    if (packet.type === PacketType.PUBLISH) messages.push(packet);
    if (answer(client, packet)) open--;
  }
  for (const packet of await client.roundTrip()) {
    if (packet.type === PacketType.PUBLISH) messages.push(packet);
    answer(client, packet);
  }
  return messages;
}

/** Answers a packet. @returns whether that ended the delivery of a message. */
function answer(client: WireClient, packet: Packet): boolean {
  switch (packet.type) {
    case PacketType.PUBLISH:
      if (packet.qos === 1) client.ack(PacketType.PUBACK, packet.packetId);
      if (packet.qos === 2) client.ack(PacketType.PUBREC, packet.packetId);
      return packet.qos < 2;
    case PacketType.PUBREL:
      client.ack(PacketType.PUBCOMP, packet.packetId);
      return true;
    default:
      throw new Error(`seen ${packetName(packet.type)}, expected PUBLISH or PUBREL`);
  }
}

export function textOf(message: Publish): string {
  return Buffer.from(message.payload).toString();
}
