// What a client says, read by the codec beside the broker: how many of which packets, and where they stop being packets.

import {
  type Connect,
  type Packet,
  PacketError,
  PacketReader,
  PacketType,
  type ProtocolVersion,
  UnsupportedProtocolError,
} from "@heirloom/codec";

export class ClientStream {
  /** The first packet, if it is one. */
  connect: Connect | undefined;
  /** Why the rest is no packets. */
  error: PacketError | undefined;
  readonly #reader: PacketReader = new PacketReader({ side: "server" });
  readonly #counts = new Map<number, number>();
  readonly #publishCounts: [number, number, number] = [0, 0, 0];

  /** The version by which a CONNECT is refused that cannot be read. */
  get refusedVersion(): ProtocolVersion {
    return this.error instanceof UnsupportedProtocolError ? 4 : 5;
  }

  send(bytes: Uint8Array): void {
    if (this.error !== undefined) return;
    this.#reader.push(bytes);
    try {
      for (let packet = this.#reader.next(); packet !== undefined; packet = this.#reader.next()) {
        this.#note(packet);
      }
    } catch (error) {
      if (!(error instanceof PacketError)) throw error;
      this.error = error;
    }
  }

  /** Packets of a type. */
  count(type: number): number {
    return this.#counts.get(type) ?? 0;
  }

  publishCount(qos: 0 | 1 | 2): number {
    return this.#publishCounts[qos];
  }

  #note(packet: Packet): void {
    this.#counts.set(packet.type, this.count(packet.type) + 1);
    if (packet.type === PacketType.CONNECT) this.connect ??= packet;
    else if (packet.type === PacketType.PUBLISH) this.#publishCounts[packet.qos]++;
  }
}
