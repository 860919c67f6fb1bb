// A listener's mount point: its clients have a part of all topics to themselves, and their own names for what is in it. The
// prefix is put before every name that comes from them, and taken from every name that goes to them; in between, sessions,
// logs, permissions and hooks only know whole names.

import {
  type Packet,
  PacketType,
  readForwardedProperties,
  utf8Length,
  writeForwardedProperties,
} from "@heirloom/codec";
import type { Listener } from "./limits.ts";
import { Message, NO_BYTES } from "./message.ts";
import { parseSharedFilter } from "./topics/index.ts";

/** Bytes of a text in a packet, MQTT 5.0 section 1.5.4. */
const LONGEST_TEXT = 65_535;

const mounts = new WeakMap<Listener, Mount>();

/** The mount point of a listener, the same for all its connections; `undefined` when it has none. */
export function mountOf(listener: Listener): Mount | undefined {
  const { mountPoint } = listener;
  if (mountPoint === undefined || mountPoint === "") return undefined;
  let mount = mounts.get(listener);
  if (mount === undefined) {
    mount = new Mount(mountPoint);
    mounts.set(listener, mount);
  }
  return mount;
}

export class Mount {
  readonly #prefix: string;
  /** The message that went out last, with whole names and with the client's: it may go to many. */
  #whole: Message | undefined;
  #seen: Message | undefined;

  /** @param prefix ends with "/", so that no mount point reaches into another one. */
  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /**
   * Makes the names in a packet of a client whole ones. Names that are none stay so, for the handler to refuse.
   *
   * @returns what is wrong, or `undefined`.
   */
  enter(packet: Packet): string | undefined {
    switch (packet.type) {
      case PacketType.CONNECT:
        return packet.will === undefined ? undefined : this.#enterMessage(packet.will);
      case PacketType.PUBLISH:
        // The bytes that came in name the topic as the client does: nobody else can be sent them.
        packet.frameStart = -1;
        return this.#enterMessage(packet);
      case PacketType.SUBSCRIBE:
        for (const subscription of packet.subscriptions) {
          subscription.topicFilter = this.#wholeFilter(subscription.topicFilter);
        }
        return undefined;
      case PacketType.UNSUBSCRIBE:
        packet.topicFilters = packet.topicFilters.map((topicFilter) => this.#wholeFilter(topicFilter));
        return undefined;
      default:
        return undefined;
    }
  }

  /** Whether a topic is in the clients' part. `a/#` also matches `a`, which is not. */
  has(topicName: string): boolean {
    return topicName.length > this.#prefix.length && topicName.startsWith(this.#prefix);
  }

  /** A message as the clients see it. Its topic is one of theirs, see {@link has}. */
  leave(whole: Message): Message {
    // A message that was kept has other bytes than before.
    if (whole === this.#whole && this.#seen?.source === whole.source) return this.#seen;
    const seen = new Message(
      whole.topicName.slice(this.#prefix.length),
      whole.qos,
      whole.retain,
      whole.source,
      whole.payloadStart,
      whole.payloadEnd,
      this.#seenProperties(whole.forwarded),
      whole.expiresAtMs,
      whole.publisherId,
    );
    this.#whole = whole;
    this.#seen = seen;
    return seen;
  }

  #enterMessage(message: { topicName: string; forwarded: Uint8Array }): string | undefined {
    // Empty beside a topic alias, which stands for a whole name already; otherwise it is refused as it is.
    if (message.topicName !== "") message.topicName = this.#prefix + message.topicName;
    if (message.forwarded.length === 0) return undefined;
    const properties = readForwardedProperties(message.forwarded);
    const { responseTopic } = properties;
    if (responseTopic === undefined) return undefined;
    const wholeTopic = this.#prefix + responseTopic;
    if (utf8Length(wholeTopic) > LONGEST_TEXT) return "the response topic is too long for the mount point";
    message.forwarded = writeForwardedProperties({ ...properties, responseTopic: wholeTopic });
    return undefined;
  }

  #wholeFilter(topicFilter: string): string {
    const shared = parseSharedFilter(topicFilter);
    if (shared === "invalid" || topicFilter === "") return topicFilter;
    if (shared === undefined) return this.#prefix + topicFilter;
    return `$share/${shared.shareName}/${this.#prefix}${shared.topicFilter}`;
  }

  /** A response topic that is not in the clients' part is left out: they cannot reach it, and need not know it. */
  #seenProperties(forwarded: Uint8Array): Uint8Array {
    if (forwarded.length === 0) return NO_BYTES;
    const { responseTopic, ...others } = readForwardedProperties(forwarded);
    if (responseTopic === undefined) return forwarded;
    if (!this.has(responseTopic)) return writeForwardedProperties(others);
    return writeForwardedProperties({ ...others, responseTopic: responseTopic.slice(this.#prefix.length) });
  }
}
