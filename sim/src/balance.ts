// Judges the counters of a broker: those of each session balance, and the broker's own are the sums. Asked at any time of a run.

import { type Broker, DeliveryCounts } from "@heirloom/core";
import type { Report } from "./model/report.ts";

/** Counters that the broker has for all sessions and groups together. */
const SUMS = [
  "delivered",
  "expired",
  "droppedTooLarge",
  "droppedForbidden",
  "droppedRefused",
  "discardedAtLimit",
  "discardedWithSession",
  "damagedEntries",
] as const;

/** Each session: what was taken from its queue was delivered, or is in flight, or is counted under a reason. */
export function judgeBalance(broker: Broker, report: Report): void {
  const sums = new DeliveryCounts();
  sums.add(broker.endedCounts);
  for (const { clientId, inFlight, counts } of broker.sessions()) {
    sums.add(counts);
    const explained =
      inFlight +
      counts.delivered +
      counts.expired +
      counts.droppedTooLarge +
      counts.droppedForbidden +
      counts.droppedRefused +
      counts.discardedAtLimit +
      counts.damagedEntries;
    if (counts.taken === explained) continue;
    report.broken(
      "balance",
      `${clientId}: ${counts.taken} taken, ${explained} explained by ${JSON.stringify(counts)}`,
    );
  }
  for (const { counts } of broker.sharedGroups()) sums.add(counts);
  for (const name of SUMS) {
    if (broker.counters[name] === sums[name]) continue;
    report.broken("balance", `counter ${name} is ${broker.counters[name]}, its sum ${sums[name]}`);
  }
}
