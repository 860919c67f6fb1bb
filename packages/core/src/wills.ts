// Wills: what is published for a client that goes without saying so. When one is due is decided here, in one table.
// MQTT 5.0 sections 3.1.2.5, 3.1.3.2, 3.14.4; 3.1.1 section 3.1.2.5.

import type { Will as ConnectWill } from "@heirloom/codec";
import { Message, MESSAGE_BYTES } from "./message.ts";

export interface Will {
  /** Owns its bytes. Its `expiresAtMs` is not set: the interval counts from publication. */
  readonly message: Message;
  /** Seconds. 5.0 section 3.1.3.2.2. */
  readonly delayInterval: number;
  /** Seconds, -1 = none. */
  readonly messageExpiryInterval: number;
}

export function willOf(will: ConnectWill, publisherId: string): Will {
  const { topicName, payload, qos, retain, forwarded, willDelayInterval, messageExpiryInterval } = will;
  return {
    message: Message.of({ topicName, payload, qos, retain, forwarded, publisherId }).own(),
    delayInterval: willDelayInterval,
    messageExpiryInterval,
  };
}

/** About how many bytes of memory it takes while it waits: `heldBytes` of its message. */
export function willHeldBytes({ topicName, payload, forwarded }: ConnectWill): number {
  return topicName.length + payload.length + forwarded.length + MESSAGE_BYTES;
}

/** The message to publish for a will that is due at `nowMs`. */
export function willMessage(will: Will, publisherId: string, nowMs: number): Message {
  const { topicName, payload, qos, retain, forwarded } = will.message;
  const expiresAtMs =
    will.messageExpiryInterval === -1 ? Infinity : nowMs + will.messageExpiryInterval * 1000;
  return Message.of({ topicName, payload, qos, retain, forwarded, expiresAtMs, publisherId });
}

/** How a connection ended, as far as its will is concerned. */
export type ConnectionEnd =
  /** DISCONNECT with reason code 0x00 (any DISCONNECT of 3.x). */
  | "normal"
  /** I/O error, keep alive, protocol error, close without DISCONNECT, DISCONNECT with another code, takeover. */
  | "abnormal";

/**
 * Milliseconds until the will is published after its connection ended, or `undefined` when it is dropped.
 *
 * The will is published when its delay is over or when the session ends, whichever is first, 5.0 [MQTT-3.1.2-8]; a new
 * connection for the session before that cancels it, [MQTT-3.1.3-9].
 */
export function willDelayMs(
  will: Will,
  end: ConnectionEnd,
  sessionExpiryInterval: number,
): number | undefined {
  if (end === "normal") return undefined;
  return Math.min(will.delayInterval, sessionExpiryInterval) * 1000;
}
