// What became of the messages for one session or shared group. The broker's own counters of the same names are the sums.

import type { Counters } from "./counters.ts";

/** Why a message for a session was not delivered. */
export type Undelivered =
  | "expired"
  | "droppedTooLarge"
  | "droppedForbidden"
  | "droppedRefused"
  | "discardedAtLimit"
  | "discardedWithSession"
  | "damagedEntries";

/**
 * Counts since the process took the session up; what a restart found in flight counts as taken. All only rise. For a session
 *
 *   taken = in flight + delivered + expired + droppedTooLarge + droppedForbidden + droppedRefused + discardedAtLimit + damagedEntries
 *
 * and what was acknowledged for it is what was taken and what still waits.
 */
export class DeliveryCounts {
  /** Messages of QoS 1 and 2 that do not wait any more, and those of QoS 0 that were left out. */
  taken = 0;
  /** Deliveries of QoS 1 and 2 that the receiver completed. */
  delivered = 0;
  /** Messages that expired while they waited. */
  expired = 0;
  /** Messages larger than the receiver's Maximum Packet Size. */
  droppedTooLarge = 0;
  /** Messages whose topic the receiver may not see. */
  droppedForbidden = 0;
  /** Deliveries that a hook left out or the receiver refused. */
  droppedRefused = 0;
  /** Messages discarded at the queue's limit; one that stands in several logs may count for each. */
  discardedAtLimit = 0;
  /** Messages discarded because the session, or the last member of the group, ended. */
  discardedWithSession = 0;
  /** Messages that were found damaged or missing. */
  damagedEntries = 0;

  /** Counts messages that are not delivered, here and for the broker. */
  undelivered(counters: Counters, why: Undelivered, count = 1): void {
    this[why] += count;
    counters[why] += count;
  }

  /** Adds what another session or group counted that is over. */
  add(other: DeliveryCounts): void {
    this.taken += other.taken;
    this.delivered += other.delivered;
    this.expired += other.expired;
    this.droppedTooLarge += other.droppedTooLarge;
    this.droppedForbidden += other.droppedForbidden;
    this.droppedRefused += other.droppedRefused;
    this.discardedAtLimit += other.discardedAtLimit;
    this.discardedWithSession += other.discardedWithSession;
    this.damagedEntries += other.damagedEntries;
  }
}
