// What the codec's tests share: hex to bytes and back, and packets in a form that deepStrictEqual can compare.
import { PacketReader, Publish } from "@heirloom/codec";
import type { Packet, PacketReaderOptions } from "@heirloom/codec";

/** Bytes of a hex text; spaces and line breaks are for the reader. `"text"` in it stands for its characters. */
export function bytes(text: string): Uint8Array {
  const digits = text
    .replace(/"([^"]*)"/g, (_, characters: string) => Buffer.from(characters).toString("hex"))
    .replace(/\s+/g, "");
  return Uint8Array.from(Buffer.from(digits, "hex"));
}

/** The text's hex, in small letters and without spaces. */
export function hexOf(data: Uint8Array): string {
  return Buffer.from(data).toString("hex");
}

/** A PUBLISH by its meaning, without where its payload lies; other packets as they are. */
export function plain(packet: Packet | undefined): unknown {
  if (!(packet instanceof Publish)) return packet;
  const { type, topicName, qos, retain, dup, packetId, topicAlias, messageExpiryInterval } = packet;
  return {
    ...{ type, topicName, qos, retain, dup, packetId, topicAlias, messageExpiryInterval },
    subscriptionIdentifiers: [...packet.subscriptionIdentifiers],
    forwarded: hexOf(packet.forwarded),
    payload: hexOf(packet.payload),
  };
}

/** Feeds the chunks one after the other; returns the packets and the error that ended them. */
export function readAll(
  chunks: Iterable<Uint8Array>,
  options: PacketReaderOptions,
): { packets: unknown[]; error?: unknown } {
  const reader = new PacketReader(options);
  const packets: unknown[] = [];
  try {
    for (const chunk of chunks) {
      reader.push(chunk);
      for (let packet = reader.next(); packet !== undefined; packet = reader.next())
        packets.push(plain(packet));
    }
  } catch (error) {
    return { packets, error };
  }
  return { packets };
}

/** Cuts `data` into pieces of `size` bytes. */
export function slices(data: Uint8Array, size: number): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let start = 0; start < data.length; start += size) pieces.push(data.slice(start, start + size));
  return pieces;
}
