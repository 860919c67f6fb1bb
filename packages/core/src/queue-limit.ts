// The limit of lasting sessions' queues, over all cursors of one owner. What waits is summed now and then and not with each
// message, so that a publication never costs more because many sessions are offline. From each sum follows how far the logs
// may grow until the next one is needed: with room for 900 more and 3 cursors, no limit is reached before one of their logs has
// 300 more. So the limit holds over many filters, and of a hundred thousand readers hardly one is looked at.

import type { Cursor } from "./logs/cursor.ts";
import type { Limits } from "./limits.ts";

/**
 * Looks at all cursors of one owner: by the policy "discard-oldest" cuts what waits for them down to the limit, the longest
 * queue first, and says at which place of each log the next look is due.
 *
 * @returns whether the limit is reached.
 */
export function enforceQueueLimit(limits: Limits, cursors: Iterable<Cursor>): boolean {
  const waiting: Cursor[] = [];
  const growing: Cursor[] = [];
  let messages = 0;
  let bytes = 0;
  for (const cursor of cursors) {
    if (cursor.end === Infinity) growing.push(cursor);
    if (cursor.waiting === 0) continue;
    waiting.push(cursor);
    messages += cursor.waiting;
    bytes += cursor.waitingBytes;
  }
  const isCut = limits.queuePolicy === "discard-oldest";
  if (isCut && (messages > limits.queueMessages || bytes > limits.queueBytes)) {
    ({ messages, bytes } = cut(limits, waiting, messages, bytes));
  }
  const room = limits.queueMessages - messages;
  const roomBytes = limits.queueBytes - bytes;
  // A queue that was cut is within its limit until something comes; one that refuses at its limit is asked each time.
  const least = isCut ? 1 : 0;
  const more = Math.max(least, Math.ceil(room / growing.length));
  const moreBytes = Math.max(least, Math.ceil(roomBytes / growing.length));
  for (const cursor of growing) cursor.lookAgainAfter(more, moreBytes);
  return room <= 0 || roomBytes <= 0;
}

function cut(
  limits: Limits,
  cursors: Cursor[],
  messages: number,
  bytes: number,
): { messages: number; bytes: number } {
  cursors.sort((one, other) => other.waiting - one.waiting);
  for (const cursor of cursors) {
    while (cursor.waiting > 0) {
      const excess = Math.max(
        messages - limits.queueMessages,
        excessMessages(cursor, bytes - limits.queueBytes),
      );
      if (excess <= 0) return { messages, bytes };
      const count = Math.min(excess, cursor.waiting);
      const bytesBefore = cursor.waitingBytes;
      cursor.skip(count);
      messages -= count;
      bytes -= bytesBefore - cursor.waitingBytes;
      cursor.owner.discarded(cursor, count);
    }
  }
  return { messages, bytes };
}

/** About how many of a cursor's oldest messages take `bytes`. */
function excessMessages(cursor: Cursor, bytes: number): number {
  if (bytes <= 0) return 0;
  return Math.max(1, Math.ceil(bytes / Math.max(1, cursor.waitingBytes / cursor.waiting)));
}
