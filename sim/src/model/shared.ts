// What the members of a shared subscription got together: each message one of them, none lost while a member with a lasting
// session stayed. MQTT 5.0 section 4.8.2.

import type { ClientModel } from "./client.ts";
import type { MessageModel } from "./message.ts";
import type { Report } from "./report.ts";
import type { SessionModel } from "./session.ts";
import type { Presence } from "./subscriptions.ts";

interface Member {
  readonly session: SessionModel;
  readonly presence: Presence;
  /** Whether it is the session that its client has at the end. */
  readonly isCurrent: boolean;
}

/** Judges all shared subscriptions. Called when everybody is back and everything was delivered. */
export function judgeShared(
  report: Report,
  clients: Iterable<ClientModel>,
  messages: readonly MessageModel[],
  nowMs: number,
): void {
  for (const members of groupsOf(clients).values()) {
    const hasEnded = members.some(({ isCurrent }) => !isCurrent);
    const hasQoS0 = members.some(({ presence }) => presence.grants.some(({ options }) => options.qos === 0));
    for (const message of messages) {
      if (message.qos === 0 || message.isEmpty || message.isDamaged) continue;
      if (!hasEnded) judgeOnce(report, members, message);
      // What a member had at QoS 2 ends with its session, 5.0 [MQTT-4.8.2-5].
      const isLeftOut = members.some(({ session }) => session.leavesOut(message));
      if (!hasQoS0 && !isLeftOut && (message.qos === 1 || !hasEnded))
        judgeLost(report, members, message, nowMs);
    }
  }
}

function groupsOf(clients: Iterable<ClientModel>): Map<string, Member[]> {
  const groups = new Map<string, Member[]>();
  for (const client of clients) {
    for (const session of client.sessions) {
      for (const presence of session.subscriptions.presences) {
        if (presence.shareName === undefined) continue;
        const members = groups.get(presence.topicFilter) ?? [];
        groups.set(presence.topicFilter, members);
        members.push({
          session,
          presence,
          isCurrent: client.session === session && session.isLasting && !session.wasDoubtful,
        });
      }
    }
  }
  return groups;
}

/** A member that gets the message through nothing but this group. */
function isOnlyShared({ session, presence }: Member, message: MessageModel): boolean {
  const grants = session.subscriptions.possibleFor(message);
  return grants.length > 0 && grants.every((grant) => grant.presence.topicFilter === presence.topicFilter);
}

function judgeOnce(report: Report, members: readonly Member[], message: MessageModel): void {
  // One that is retained may also have come for a SUBSCRIBE of their own.
  if (message.mostAcceptances !== 1 || message.retain) return;
  const sessions = new Set(
    members.filter((member) => isOnlyShared(member, message)).map(({ session }) => session),
  );
  const receivers = [...sessions].filter((session) => session.deliveries(message) > 0);
  if (receivers.length < 2) return;
  const names = receivers.map(({ clientId }) => clientId).join(" and ");
  report.broken("twice", `${message.text} came to ${names} through one shared subscription`);
}

function judgeLost(report: Report, members: readonly Member[], message: MessageModel, nowMs: number): void {
  if (message.acceptedMs === undefined || message.expiresFromMs <= nowMs) return;
  const stays = members.find(
    ({ session, presence, isCurrent }) =>
      isCurrent &&
      presence.certainUntilMs === Infinity &&
      session.subscriptions.certainFor(message).includes(presence),
  );
  if (stays === undefined || members.some(({ session }) => session.has(message))) return;
  report.broken("lost", `${message.text} came to nobody through ${stays.presence.topicFilter}`);
}
