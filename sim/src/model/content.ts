// What a delivery carries: the publisher's payload and properties, and what is left of its expiry. MQTT 5.0 section 3.3.2.3.

import type { Publish } from "@heirloom/codec";
import type { ClockModel } from "./clock.ts";
import type { MessageModel } from "./message.ts";
import type { Report } from "./report.ts";

export interface Content {
  readonly publish: Publish;
  readonly message: MessageModel;
  /** The receiver's. */
  readonly version: 3 | 4 | 5;
  /** Whether the receiver reads so slowly that times say nothing. */
  readonly isSlow: boolean;
}

/** What bears on when a delivery was written. */
export interface Circumstances {
  readonly nowMs: number;
  readonly stalledMs: number;
  readonly holdsBack: boolean;
  readonly clock: ClockModel;
  readonly report: Report;
}

/** What a delivery may take from the broker's reckoning of its expiry to its client. */
const SLACK_MS = 5_000;

export function checkContent(content: Content, receiver: string, circumstances: Circumstances): void {
  const { publish, message, version } = content;
  const { report } = circumstances;
  const what = `${message.text} to ${receiver}`;
  if (!isSame(publish.payload, message.payload)) report.broken("altered", `${what}: another payload`);
  if (version < 5) return;
  if (!isSame(publish.forwarded, message.forwarded)) report.broken("altered", `${what}: other properties`);
  const seconds = publish.messageExpiryInterval;
  const { least, most } = expiryLeft(content, circumstances);
  if (seconds < least || seconds > most)
    report.broken("altered", `${what}: expires in ${seconds} s, expected ${least} to ${most}`);
}

/** 5.0 [MQTT-3.3.2-6], in seconds. -1 = it does not expire. */
function expiryLeft(
  { publish, message, isSlow }: Content,
  { nowMs, stalledMs, holdsBack, clock }: Circumstances,
): { least: number; most: number } {
  const { expiryInterval, expiresFromMs, expiresUntilMs } = message;
  if (expiryInterval === -1) return { least: -1, most: -1 };
  const least = Math.max(1, Math.floor((expiresFromMs - nowMs) / 1000));
  // When it was written is not known of what waits for the disk, a hook, or its reader.
  const isLate = publish.dup || isSlow || holdsBack || stalledMs + SLACK_MS >= nowMs;
  const mostMs = isLate ? Infinity : expiresUntilMs - nowMs + SLACK_MS;
  // A wall clock that was set back during a restart makes broker time go on from a little earlier.
  const longest = clock.hasRestarted ? Infinity : expiryInterval;
  return { least, most: Math.max(1, Math.min(longest, Math.ceil(mostMs / 1000))) };
}

function isSame(seen: Uint8Array, expected: Uint8Array): boolean {
  return seen.length === expected.length && seen.every((byte, place) => byte === expected[place]);
}
