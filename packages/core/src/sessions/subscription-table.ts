// All subscriptions of all sessions, found by topic name. A match is what a publication needs, and no more: the sessions
// that are connected, the logs of filters with lasting sessions, the shared groups. Offline sessions cost nothing here.

import { utf8Length } from "@heirloom/codec";
import type { Context } from "../context.ts";
import { Cursor } from "../logs/cursor.ts";
import type { Log } from "../logs/log.ts";
import { FilterTree, isWildcardFilter, MatchCache, parseSharedFilter } from "../topics/index.ts";
import { LastingSession } from "./lasting-session.ts";
import { Recipient } from "./recipient.ts";
import type { Session } from "./session.ts";
import { SharedGroup } from "./shared-group.ts";
import type { Stretch, StretchGroup } from "./stretch.ts";
import type { Subscriber } from "./subscriber.ts";
import type { Subscription } from "../subscription.ts";

/** Most filters have none; an empty Map for each would take more memory than the rest of their entries. */
const NO_GROUPS: Map<string, never> = new Map<string, never>();

/** Everything that one topic filter leads to. */
interface FilterEntry {
  readonly topicFilter: string;
  /** Subscriptions of connected sessions, not shared. */
  readonly online: Set<Stretch>;
  groups: Map<string, SharedGroup>;
  log: Log | undefined;
  /** Subscriptions that stand, shared ones too, of connected and other sessions. */
  count: number;
}

/** What one topic name matches. Read only; shared by all publications on the topic until a subscription changes. */
export interface Match {
  readonly recipients: readonly Recipient[];
  readonly logs: readonly Log[];
  readonly groups: readonly SharedGroup[];
}

/** One for all topics that match nothing: a hundred thousand of them may be remembered. */
const NOBODY: Match = { recipients: [], logs: [], groups: [] };

/** What a SUBSCRIBE did for one filter. */
export interface Subscribed {
  /** Whether the session had a subscription with this filter before. 5.0 [MQTT-3.3.1-10]. */
  readonly existed: boolean;
  readonly isShared: boolean;
}

export class SubscriptionTable {
  readonly #context: Context;
  readonly #tree: FilterTree<FilterEntry>;
  readonly #groups = new Set<SharedGroup>();
  readonly #cache = new MatchCache<Match>({ resultBytes });

  /** `hashSeed`: 32 random bits, so that nobody can prepare filters that collide. */
  constructor(context: Context, hashSeed: number) {
    this.#context = context;
    this.#tree = new FilterTree(hashSeed);
  }

  /** What `topicName` matches now. */
  match(topicName: string): Match {
    const cached = this.#cache.get(topicName);
    if (cached !== undefined) return cached;
    const match = this.#match(topicName);
    this.#cache.set(topicName, match);
    return match;
  }

  #match(topicName: string): Match {
    const bySession = new Map<Subscriber, Recipient>();
    const logs: Log[] = [];
    const groups: SharedGroup[] = [];
    this.#tree.match(topicName, (entry) => {
      if (entry.log?.isWanted === true) logs.push(entry.log);
      for (const group of entry.groups.values()) groups.push(group);
      for (const stretch of entry.online) {
        let recipient = bySession.get(stretch.session);
        if (recipient === undefined) {
          recipient = new Recipient(stretch.session);
          bySession.set(stretch.session, recipient);
        }
        recipient.add(stretch);
      }
    });
    const isNobody = bySession.size === 0 && logs.length === 0 && groups.length === 0;
    return isNobody ? NOBODY : { recipients: [...bySession.values()], logs, groups };
  }

  /** Whether the session may subscribe to one filter more, or has it already. */
  hasRoom(session: Session, topicFilter: string): boolean {
    const { limits, counters } = this.#context;
    const { subscriptionsPerSession, subscriptionBytesPerSession } = limits;
    // What is replaced is read to its end: who has not read so much gets no more of it to read.
    if (session.endedStretches() >= subscriptionsPerSession) return false;
    if (session.subscriptions.has(topicFilter)) return true;
    if (session.subscriptions.size >= subscriptionsPerSession) return false;
    if (counters.subscriptions >= limits.subscriptions) return false;
    return session.subscriptionBytes + utf8Length(topicFilter) <= subscriptionBytesPerSession;
  }

  /** Makes or replaces a subscription. The filter is valid. 5.0 [MQTT-3.8.4-3]. */
  subscribe(session: Session, subscription: Subscription): Subscribed {
    const { topicFilter } = subscription;
    const shared = parseSharedFilter(topicFilter);
    if (shared === "invalid") throw new RangeError("not a valid shared subscription");
    const before = session.subscriptions.get(topicFilter);
    if (before !== undefined && isSame(before.subscription, subscription)) {
      return { existed: true, isShared: shared !== undefined };
    }
    if (before !== undefined) this.#end(session, before, true);
    this.#begin(session, subscription, shared);
    return { existed: before !== undefined, isShared: shared !== undefined };
  }

  /** Ends a subscription. Returns false when there was none. What matched until now is still delivered. */
  unsubscribe(session: Session, topicFilter: string): boolean {
    const stretch = session.subscriptions.get(topicFilter);
    if (stretch === undefined) return false;
    this.#end(session, stretch);
    return true;
  }

  /** A connection took the session up: publications reach it from now on. */
  connected(session: Session): void {
    for (const stretch of session.subscriptions.values()) {
      if (stretch.group !== undefined) continue;
      const { topicFilter } = stretch.subscription;
      this.#entry(topicFilter).online.add(stretch);
      this.#matchesChanged(topicFilter);
    }
  }

  /** The session has no connection any more. */
  disconnected(session: Session): void {
    for (const stretch of session.subscriptions.values()) {
      if (stretch.group !== undefined) continue;
      const { topicFilter } = stretch.subscription;
      this.#entry(topicFilter).online.delete(stretch);
      this.#matchesChanged(topicFilter);
    }
  }

  /** The session is over: everything it subscribed to ends, and what it had in flight goes back to shared groups. */
  ended(session: Session): void {
    for (const delivery of session.sender.inFlight()) delivery.ref?.group?.ended(delivery.ref, delivery.qos);
    session.sender.clear();
    for (const stretch of [...session.subscriptions.values()]) this.#end(session, stretch);
  }

  // --- restart ---------------------------------------------------------------------------------------------------

  /** Takes up a subscription that stands. */
  restore(session: Session, stretch: Stretch): void {
    const { subscription } = stretch;
    session.subscriptions.set(subscription.topicFilter, stretch);
    session.subscriptionBytes += utf8Length(subscription.topicFilter);
    const shared = parseSharedFilter(subscription.topicFilter);
    const entry = this.#entry(typeof shared === "object" ? shared.topicFilter : subscription.topicFilter);
    entry.count++;
    this.#context.counters.subscriptions++;
    if (stretch.cursor !== undefined) entry.log = stretch.cursor.log;
    if (stretch.group === undefined) return;
    this.#groupOf(stretch.group).add(stretch);
    session.joinGroup(stretch.group);
  }

  /** The group of a shared filter; made when there is none. */
  group(shareName: string, topicFilter: string): SharedGroup {
    const entry = this.#entry(topicFilter);
    let group = entry.groups.get(shareName);
    if (group === undefined) {
      group = new SharedGroup(this.#context, shareName, topicFilter);
      if (entry.groups === NO_GROUPS) entry.groups = new Map();
      entry.groups.set(shareName, group);
      this.#groups.add(group);
    }
    return group;
  }

  /** All shared groups. */
  groups(): IterableIterator<SharedGroup> {
    return this.#groups.values();
  }

  #groupOf({ shareName, topicFilter }: StretchGroup): SharedGroup {
    return this.group(shareName, topicFilter);
  }

  /** Sees to it that a group with a lasting member has its cursor: its record may have been damaged. */
  keepFor(group: SharedGroup): void {
    if (group.cursor !== undefined || !group.hasLastingMember) return;
    group.openCursor(this.#log(this.#entry(group.topicFilter)), this.#context.logs.nextSequence);
    this.#matchesChanged(group.topicFilter);
  }

  /** The log of a filter, after a restart. */
  restoreLog(topicFilter: string, log: Log): void {
    this.#entry(topicFilter).log = log;
  }

  // --- inside ----------------------------------------------------------------------------------------------------

  #begin(
    session: Session,
    subscription: Subscription,
    shared: { shareName: string; topicFilter: string } | undefined,
  ): void {
    const entry = this.#entry(shared?.topicFilter ?? subscription.topicFilter);
    const group = shared === undefined ? undefined : this.group(shared.shareName, shared.topicFilter);
    const stretch = this.#makeStretch(session, subscription, entry, group);
    session.subscriptions.set(subscription.topicFilter, stretch);
    session.subscriptionBytes += utf8Length(subscription.topicFilter);
    entry.count++;
    this.#context.counters.subscriptions++;
    if (group === undefined) {
      if (session.outlet !== undefined) entry.online.add(stretch);
    } else {
      group.add(stretch);
      session.joinGroup(group);
      if (session.isLasting && subscription.qos > 0)
        group.openCursor(this.#log(entry), this.#context.logs.nextSequence);
    }
    if (session instanceof LastingSession) {
      session.addStretch(stretch);
      session.state.stretchChanged(stretch.stretchId);
    }
    this.#matchesChanged(entry.topicFilter);
  }

  #makeStretch(
    session: Session,
    subscription: Subscription,
    entry: FilterEntry,
    group: SharedGroup | undefined,
  ): Stretch {
    if (!(session instanceof LastingSession)) {
      return { stretchId: 1, session, subscription, cursor: undefined, group };
    }
    const stretchId = session.nextStretchId();
    if (group !== undefined || subscription.qos === 0) {
      return { stretchId, session, subscription, cursor: undefined, group };
    }
    const log = this.#log(entry);
    const { nextSequence } = this.#context.logs;
    const cursor = new Cursor(
      stretchId,
      session,
      log,
      subscription,
      log.endIndex,
      log.totalBytes,
      nextSequence,
    );
    if (subscription.noLocal) this.#context.logs.keepsPublisher = true;
    return { stretchId, session, subscription, cursor, group };
  }

  /** `isReplaced`: another stretch for the same filter follows at once, so that a group does not run out of members. */
  #end(session: Session, stretch: Stretch, isReplaced = false): void {
    const { subscription, group } = stretch;
    const topicFilter = group?.topicFilter ?? subscription.topicFilter;
    const entry = this.#entry(topicFilter);
    session.subscriptions.delete(subscription.topicFilter);
    session.subscriptionBytes -= utf8Length(subscription.topicFilter);
    entry.online.delete(stretch);
    entry.count--;
    this.#context.counters.subscriptions--;
    if (session instanceof LastingSession) session.endStretch(stretch, this.#context.logs.nextSequence);
    if (group !== undefined) {
      const members = this.#groupOf(group);
      members.remove(stretch);
      session.leaveGroup(group);
      if (!isReplaced) this.dissolveIfEmpty(members);
    }
    this.#removeIfUnused(entry);
    this.#matchesChanged(entry.topicFilter);
  }

  /** A group without members and with nothing in flight is gone, with what it had queued. */
  dissolveIfEmpty(group: SharedGroup): void {
    if (group.size > 0) return;
    const entry = this.#tree.get(group.topicFilter);
    if (entry === undefined || entry.groups.get(group.shareName) !== group) return;
    entry.groups.delete(group.shareName);
    this.#groups.delete(group);
    group.dissolve();
    this.#removeIfUnused(entry);
    this.#matchesChanged(entry.topicFilter);
  }

  #log(entry: FilterEntry): Log {
    entry.log ??= this.#context.logs.create(entry.topicFilter);
    return entry.log;
  }

  /** A log was dropped because its last cursor went. */
  logDropped(log: Log): void {
    const entry = this.#tree.get(log.topicFilter);
    if (entry?.log !== log) return;
    entry.log = undefined;
    this.#removeIfUnused(entry);
    this.#matchesChanged(entry.topicFilter);
  }

  /** Forgets the matches that the filter is part of. Clients that come and go with topics of their own cost others nothing. */
  #matchesChanged(topicFilter: string): void {
    if (isWildcardFilter(topicFilter)) this.#cache.clear();
    else this.#cache.delete(topicFilter);
  }

  #entry(topicFilter: string): FilterEntry {
    let entry = this.#tree.get(topicFilter);
    if (entry === undefined) {
      entry = { topicFilter, online: new Set(), groups: NO_GROUPS, log: undefined, count: 0 };
      this.#tree.set(topicFilter, entry);
    }
    return entry;
  }

  #removeIfUnused(entry: FilterEntry): void {
    if (entry.count === 0 && entry.log === undefined && entry.groups.size === 0)
      this.#tree.delete(entry.topicFilter);
  }
}

/** About how much memory a cached match takes. */
function resultBytes({ recipients, logs, groups }: Match): number {
  let bytes = 64 + recipients.length * 120 + (logs.length + groups.length) * 8;
  for (const { stretches, identifiers } of recipients) bytes += (stretches.length + identifiers.length) * 8;
  return bytes;
}

function isSame(a: Subscription, b: Subscription): boolean {
  return (
    a.qos === b.qos &&
    a.noLocal === b.noLocal &&
    a.retainAsPublished === b.retainAsPublished &&
    a.subscriptionIdentifier === b.subscriptionIdentifier
  );
}
