// What a broker tells about one session or shared group when it is asked: for pages and tools that show what waits where.

import type { DeliveryCounts } from "./delivery-counts.ts";
import type { Session } from "./sessions/session.ts";
import type { SharedGroup } from "./sessions/shared-group.ts";

export interface SessionInfo {
  readonly clientId: string;
  /** Who made it; `undefined` = nobody in particular. */
  readonly account: string | undefined;
  /** Whether it outlives its connection. */
  readonly isLasting: boolean;
  readonly isConnected: boolean;
  /** Seconds; 0xFFFFFFFF = never. */
  readonly expiryInterval: number;
  readonly subscriptions: number;
  /** Messages that wait to be sent. One that stands in the logs of several of its filters counts for each. */
  readonly waitingMessages: number;
  readonly waitingBytes: number;
  /** Deliveries of QoS 1 and 2 that were sent and are not completed. */
  readonly inFlight: number;
  /** Goes on counting. */
  readonly counts: Readonly<DeliveryCounts>;
}

export interface GroupInfo {
  readonly shareName: string;
  /** Without `$share/name/`. */
  readonly topicFilter: string;
  readonly members: number;
  /** Messages that wait for a member. */
  readonly waitingMessages: number;
  /** Goes on counting. What a member was given counts there. */
  readonly counts: Readonly<DeliveryCounts>;
}

export function sessionInfo(session: Session): SessionInfo {
  const { clientId, account, isLasting, expiryInterval, counts } = session;
  return {
    clientId,
    account,
    isLasting,
    isConnected: session.outlet !== undefined,
    expiryInterval,
    subscriptions: session.subscriptions.size,
    waitingMessages: session.waiting,
    waitingBytes: session.waitingBytes,
    inFlight: session.sender.inFlightCount,
    counts,
  };
}

export function groupInfo({ shareName, topicFilter, size, waiting, counts }: SharedGroup): GroupInfo {
  return { shareName, topicFilter, members: size, waitingMessages: waiting, counts };
}
