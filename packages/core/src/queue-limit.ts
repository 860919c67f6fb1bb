// The limit of lasting sessions' queues, by the policy "discard-oldest": looked at now and then, and when a session is
// resumed, so that a publication never costs more because many sessions are offline.

import type { Cursor } from "./logs/cursor.ts";
import type { Limits } from "./limits.ts";

/** Cuts what waits for one reader, over all its cursors, down to the limit. The longest queue gives way first. */
export function enforceQueueLimit(limits: Limits, cursors: Iterable<Cursor>): void {
  if (limits.queuePolicy !== "discard-oldest") return;
  const waiting = [...cursors].filter((cursor) => cursor.waiting > 0);
  for (;;) {
    let messages = 0;
    let bytes = 0;
    let longest: Cursor | undefined;
    for (const cursor of waiting) {
      messages += cursor.waiting;
      bytes += cursor.waitingBytes;
      if (longest === undefined || cursor.waiting > longest.waiting) longest = cursor;
    }
    if (longest === undefined || longest.waiting === 0) return;
    const excess = Math.max(
      messages - limits.queueMessages,
      excessMessages(longest, bytes - limits.queueBytes),
    );
    if (excess <= 0) return;
    const count = Math.min(excess, longest.waiting);
    longest.skip(count);
    longest.owner.discarded(longest, count);
  }
}

/** About how many of a cursor's oldest messages take `bytes`. */
function excessMessages(cursor: Cursor, bytes: number): number {
  if (bytes <= 0) return 0;
  return Math.max(1, Math.ceil(bytes / Math.max(1, cursor.waitingBytes / cursor.waiting)));
}
