// Judges what a broker holds in memory, at any time of a run: what its gauges say stays within what its limits say.

import type { Broker } from "@heirloom/core";
import type { Report } from "./model/report.ts";

/** The largest message of a run, with its packet. A turn may add one of them beyond a bound before it is looked at. */
const LARGEST_MESSAGE = 71_000;
/** What the answers to the packets of one read may take: it is the bound for who sends and does not read. */
const ANSWERS = 40_000;
/** Deadlines of one connection and of one session: CONNECT and keep alive; expiry and will. */
const DEADLINES_EACH = 2;

/** Judged at the end of each turn. `clients`: each may have a connection that is ending. `unsyncedBytes`: blocks on their way to the disk, which have to stay in memory whatever the limit is. */
export function judgeMemory(broker: Broker, clients: number, unsyncedBytes: number, report: Report): void {
  const { counters, limits } = broker;
  const tooMuch = (what: string, seen: number, most: number): void => {
    if (seen > most) report.broken("memory", `${what}: ${seen}, expected at most ${most}`);
  };
  tooMuch("logCacheBytes", counters.logCacheBytes, limits.logCacheBytes + unsyncedBytes);
  const outputOfOne = 2 * limits.outputBytes + limits.maximumPacketSize + LARGEST_MESSAGE + ANSWERS;
  tooMuch("outputBytes", counters.outputBytes, (counters.connectionsOpen + clients) * outputOfOne);
  tooMuch("retained", counters.retained, limits.retainedMessages);
  const each = DEADLINES_EACH * (counters.connectionsOpen + counters.sessions);
  const deadlines = each + counters.retained + counters.held + 1;
  tooMuch("deadlines", counters.deadlines, deadlines);
}

/** What waits in memory for clean sessions. Dearer than the gauges, so it is asked less often. */
export function judgeQueues(broker: Broker, report: Report): void {
  const { cleanQueueMessages, cleanQueueBytes } = broker.limits;
  for (const { clientId, isLasting, waitingMessages, waitingBytes } of broker.sessions()) {
    if (isLasting || (waitingMessages <= cleanQueueMessages && waitingBytes <= cleanQueueBytes)) continue;
    report.broken(
      "memory",
      `${waitingMessages} messages (${waitingBytes} bytes) wait for clean session ${clientId}`,
    );
  }
}
