// What is judged at the end of a run, when all clients are back and nothing moves any more: who has to have got what, and whether
// the broker's counts explain what is missing.

import type { DeliveryCounts } from "@heirloom/core";
import type { ClientModel } from "./client.ts";
import { SLACK_MS } from "./clock.ts";
import type { MessageModel } from "./message.ts";
import type { Model } from "./model.ts";
import type { SessionModel } from "./session.ts";
import { judgeShared } from "./shared.ts";

/** Wills, sessions and shared subscriptions. `countsOf`: what the broker says became of a client's messages. */
export function judge(model: Model, countsOf: (clientId: string) => DeliveryCounts): void {
  const { report, nowMs } = model;
  const clients = [...model.clients.values()];
  model.wills.judge(clients);
  for (const client of clients) {
    const { session } = client;
    if (session === undefined || client.connection?.acceptedMs === undefined) continue;
    judgeSession(model, client, session, countsOf(client.clientId));
  }
  if (!model.isQueueLimited) judgeShared(report, clients, [...model.messages], nowMs);
}

function judgeSession(
  model: Model,
  client: ClientModel,
  session: SessionModel,
  counts: DeliveryCounts,
): void {
  const { report } = model;
  judgeReasons(model, client, counts);
  judgeMissing(model, session, counts);
  const [open] = session.flight.open;
  if (open !== undefined) report.broken("stuck", `delivery ${open} to ${client.clientId} was not completed`);
}

/** Nothing is left out for a reason that there was not. */
function judgeReasons(
  model: Model,
  { clientId, maximumPacketSize, refusals }: ClientModel,
  counts: DeliveryCounts,
): void {
  const reasons = {
    discardedAtLimit: model.isQueueLimited,
    droppedTooLarge: maximumPacketSize !== Infinity,
    droppedRefused: refusals > 0 || model.rules.plan.deliver,
    droppedForbidden: false,
    damagedEntries: model.hasDamage,
    expired: [...model.messages].some(({ expiryInterval }) => expiryInterval !== -1),
  };
  for (const name of Object.keys(reasons) as (keyof typeof reasons)[])
    if (counts[name] > 0 && !reasons[name])
      model.report.broken("balance", `${clientId}: ${name} is ${counts[name]} without a reason`);
}

/** No more is missing than was counted as left out or damaged. */
function judgeMissing({ messages, report }: Model, session: SessionModel, counts: DeliveryCounts): void {
  const { clientId } = session;
  const leftOut = counts.droppedTooLarge + counts.droppedRefused + counts.discardedAtLimit;
  const absent = [...messages].filter((message) => session.isDue(message) && !session.has(message));
  const missing = absent.filter(({ isDamaged }) => !isDamaged);
  if (leftOut > 0 && missing.length > leftOut) {
    const what = `${missing.length} messages are missing for ${clientId}`;
    report.broken("balance", `${what}, ${leftOut} were counted as left out`);
  } else if (leftOut === 0) {
    for (const { text } of missing) report.broken("lost", `${text} never came to ${clientId}`);
  }
  const damaged = absent.length - missing.length;
  if (damaged > counts.damagedEntries + leftOut) {
    const what = `${damaged} damaged messages are missing for ${clientId}`;
    report.broken("balance", `${what}, ${counts.damagedEntries} were counted`);
  }
}

/** `session` subscribed to everything at this time and got what is retained: for each topic it has to be there if it must be. */
export function judgeRetained(
  { retained, report, nowMs }: Model,
  session: SessionModel,
  sinceMs: number,
): void {
  for (const topicName of retained.topicNames) {
    const messages = retained.messages(topicName);
    const isThere = messages.some((message) => session.hasRetained(message, sinceMs));
    const mayBeLeftOut = messages.some((message) => session.leavesOut(message));
    if (isThere || mayBeLeftOut || retained.mayBeNone(topicName, nowMs)) continue;
    report.broken("retained", `${session.clientId} got nothing that is retained for ${topicName}`);
  }
}

/**
 * Who was connected all the time while a message of QoS 0 came and went got it. Called when the broker says that it dropped
 * none at all.
 */
export function judgeQoS0(model: Model): void {
  // For a delivery hook it waits in its session, behind what is to be acknowledged first, and is gone with the connection.
  if (model.holdsBack || model.rules.plan.deliver) return;
  for (const message of model.messages) {
    const { handledMs } = message;
    if (handledMs === undefined || message.isEmpty || message.expiryInterval !== -1) continue;
    // A full disk refuses what is to be retained, of QoS 0 without a word.
    if (message.retain && model.stalledMs >= message.firstSentMs) continue;
    for (const client of model.clients.values()) {
      if (mustHaveQoS0(client, message, handledMs, model.stalledMs))
        model.report.broken("lost", `${message.text} never came to ${client.clientId}, which was there`);
    }
  }
}

function mustHaveQoS0(
  client: ClientModel,
  message: MessageModel,
  handledMs: number,
  stalledMs: number,
): boolean {
  // It may stand behind an answer that waits for the disk.
  const latestMs = stalledMs >= message.firstSentMs ? Math.max(handledMs, stalledMs) : handledMs;
  const isOnline = client.accepted.some(({ acceptedMs = Infinity, link }) => {
    const endMs = Math.min(link.causeMs, link.endedMs ?? Infinity);
    return acceptedMs < message.firstSentMs && endMs > latestMs + SLACK_MS;
  });
  const session = client.sessions.find(
    ({ startedMs, endedMs }) => startedMs < message.firstSentMs && endedMs > handledMs,
  );
  if (!isOnline || session === undefined || session.isSlow) return false;
  if (session.leavesOut(message) || session.has(message)) return false;
  return session.subscriptions
    .certainFor(message)
    .some(
      ({ shareName, grants }) => shareName === undefined && grants.every(({ options }) => !options.noLocal),
    );
}

/** The application's own session: it has everything that was accepted since it began. */
export function judgeLocal({ messages, report }: Model, session: SessionModel): void {
  for (const message of messages) {
    if (session.mustHave(message) && !session.has(message))
      report.broken("lost", `${message.text} never came to ${session.clientId}`);
  }
}

/** Whether a session is known from its beginning, in one life of the process: then its counters are those of its client. */
export function isWhole({ process }: Model, { startedMs, wasDoubtful }: SessionModel): boolean {
  return !wasDoubtful && process.deaths.every(({ atMs }) => atMs < startedMs);
}
