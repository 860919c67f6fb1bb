// All sessions of a broker: made, resumed, taken over, ended; and what becomes of their wills.
// MQTT 5.0 sections 3.1.2.4, 3.1.2.5, 3.1.4, 4.1; 3.1.1 sections 3.1.2.4, 3.1.2.5.

import type { Context } from "../context.ts";
import { RateLimit } from "../rate-limit.ts";
import { type ConnectionEnd, type Will, willDelayMs } from "../wills.ts";
import { CleanSession } from "./clean-session.ts";
import { LastingSession } from "./lasting-session.ts";
import type { Session, SessionDue } from "./session.ts";
import type { SubscriptionTable } from "./subscription-table.ts";

/** A Session Expiry Interval that never ends. 5.0 section 3.1.2.11.2. */
export const NEVER_EXPIRES = 0xffff_ffff;

/** Why a session ended. */
export type SessionEnd = "expired" | "clean-start" | "closed" | "account-removed";

/** Client identifiers whose takeovers are remembered; beyond them all are forgotten. */
const REMEMBERED_TAKEOVERS = 10_000;
/** A client that lost its network may come back several times at once: as often as in this many seconds. */
const TAKEOVER_BURST_SECONDS = 10;

export class SessionTable {
  readonly #context: Context;
  readonly #subscriptions: SubscriptionTable;
  readonly #publishWill: (will: Will, session: Session) => void;
  readonly #sessions = new Map<string, Session>();
  readonly #due: SessionDue = {
    expired: (session) => this.#expired(session),
    willDue: (session) => this.#willDue(session),
  };
  /** How often sessions were taken over lately, by client identifier. */
  readonly #takeovers = new Map<string, RateLimit>();
  #lastSessionId = 0;
  #endedBatch = 0;

  constructor(
    context: Context,
    subscriptions: SubscriptionTable,
    publishWill: (will: Will, session: Session) => void,
  ) {
    this.#context = context;
    this.#subscriptions = subscriptions;
    this.#publishWill = publishWill;
  }

  get size(): number {
    return this.#sessions.size;
  }

  /**
   * The batch that deletes the lasting session that ended last. Until it is on disk, a crash would bring that session
   * back, so nobody may be told before that it is gone.
   */
  get endedBatch(): number {
    return this.#endedBatch;
  }

  get(clientId: string): Session | undefined {
    return this.#sessions.get(clientId);
  }

  all(): IterableIterator<Session> {
    return this.#sessions.values();
  }

  /** Whether the account may have the session of this client identifier: it has none yet, or it is the account's own. */
  mayOpen(clientId: string, account: string | undefined): boolean {
    if (this.#context.limits.sessionOwner === "anyone") return true;
    const owner = this.#sessions.get(clientId)?.account;
    return owner === undefined || owner === account;
  }

  /** Whether connections drive each other out of this session too often. Called for each that is about to. */
  isFlapping(clientId: string): boolean {
    const { limits, turn } = this.#context;
    if (limits.takeoversPerMinute === 0) return false;
    let rate = this.#takeovers.get(clientId);
    if (rate === undefined) {
      if (this.#takeovers.size >= REMEMBERED_TAKEOVERS) this.#takeovers.clear();
      const perSecond = limits.takeoversPerMinute / 60;
      rate = new RateLimit(perSecond, turn.nowMs, Math.max(1, perSecond * TAKEOVER_BURST_SECONDS));
      this.#takeovers.set(clientId, rate);
    }
    return rate.take(1, turn.nowMs) > 0;
  }

  /** Whether one more session would be over a limit, in all or of this account. */
  isFull(clientId: string, account: string | undefined): boolean {
    const { limits, accounts } = this.#context;
    const existing = this.#sessions.get(clientId);
    if (existing === undefined && this.#sessions.size >= limits.sessions) return true;
    const isOwn = existing !== undefined && existing.account === account;
    return !isOwn && accounts.sessions(account) >= limits.sessionsPerAccount;
  }

  /**
   * The session for a CONNECT: the one that exists, or a new one. The connection that held it is gone by now.
   *
   * @returns whether it existed: Session Present.
   */
  open(
    clientId: string,
    account: string | undefined,
    cleanStart: boolean,
    expiryInterval: number,
  ): { session: Session; present: boolean } {
    const { accounts } = this.#context;
    const existing = this.#sessions.get(clientId);
    if (existing?.isLasting === true && existing.expiry.atMs <= this.#context.turn.nowMs) {
      // 5.0 [MQTT-4.1.0-2]: it is over, even if its turn to be ended has not come yet.
      this.#expired(existing);
    } else if (existing !== undefined && !cleanStart && existing.isLasting) {
      this.#context.deadlines.clear(existing.expiry);
      // A will whose time came while the process was down or stood still is published, even if its turn has not come yet.
      if (existing.willDelay.atMs <= this.#context.turn.nowMs) this.#willDue(existing);
      this.#context.deadlines.clear(existing.willDelay);
      // 5.0 [MQTT-3.1.3-9]: the client is back in time.
      existing.will = undefined;
      existing.expiryInterval = expiryInterval;
      accounts.countSession(existing.account, -1);
      existing.account = account;
      accounts.countSession(account, 1);
      return { session: existing, present: true };
    } else if (existing !== undefined) {
      this.end(existing, "clean-start");
    }
    return { session: this.#create(clientId, account, expiryInterval), present: false };
  }

  #create(clientId: string, account: string | undefined, expiryInterval: number): Session {
    const session =
      expiryInterval === 0
        ? new CleanSession(this.#context, clientId, this.#due)
        : new LastingSession(this.#context, clientId, ++this.#lastSessionId, this.#due);
    session.account = account;
    session.expiryInterval = expiryInterval;
    this.#add(session);
    return session;
  }

  /** A lasting session from before a restart. */
  restore(clientId: string, account: string | undefined, sessionId: number): LastingSession {
    this.#lastSessionId = Math.max(this.#lastSessionId, sessionId);
    const session = new LastingSession(this.#context, clientId, sessionId, this.#due);
    session.account = account;
    this.#add(session);
    return session;
  }

  /** Session numbers up to this one were given before; records of ended sessions may still carry them. */
  restoreLastSessionId(sessionId: number): void {
    this.#lastSessionId = Math.max(this.#lastSessionId, sessionId);
  }

  #add(session: Session): void {
    this.#sessions.set(session.clientId, session);
    this.#context.accounts.countSession(session.account, 1);
    this.#context.counters.sessions = this.#sessions.size;
  }

  /** The connection that held the session is gone. Decides on will and expiry. */
  disconnected(session: Session, end: ConnectionEnd, isRunning = true): void {
    this.#subscriptions.disconnected(session);
    session.disconnect();
    const { nowMs } = this.#context.turn;
    const delayMs =
      session.will === undefined ? undefined : willDelayMs(session.will, end, session.expiryInterval);
    // 5.0 section 3.1.2.5: a server that shuts down may defer wills to its next start.
    const isDeferred = !isRunning && session.isLasting && session.expiryInterval > 0;
    if (delayMs === undefined) session.will = undefined;
    else if (isDeferred) this.#context.deadlines.set(session.willDelay, nowMs + delayMs);
    else if (delayMs === 0) this.#willDue(session);
    else this.#context.deadlines.set(session.willDelay, nowMs + delayMs);
    if (!session.isLasting || session.expiryInterval === 0) {
      this.end(session, "closed");
      return;
    }
    if (session.expiryInterval !== NEVER_EXPIRES) {
      this.#context.deadlines.set(session.expiry, nowMs + session.expiryInterval * 1000);
    }
    if (session instanceof LastingSession) session.state.recordChanged();
  }

  /** Ends a session: publishes a will that is still due, and forgets everything. */
  end(session: Session, reason: SessionEnd): void {
    const { counters, deadlines, observer } = this.#context;
    // 5.0 [MQTT-3.1.2-8]: at the latest when the session ends.
    this.#willDue(session);
    if (session.isLasting) deadlines.clear(session.expiry);
    this.#sessions.delete(session.clientId);
    this.#context.accounts.countSession(session.account, -1);
    counters.sessions = this.#sessions.size;
    let discarded = ownInFlight(session);
    if (session instanceof LastingSession) discarded += session.backlog.waiting;
    session.counts.undelivered(counters, "discardedWithSession", discarded);
    this.#subscriptions.ended(session);
    // What was in flight went back to shared groups first, then what waited behind it.
    if (session instanceof CleanSession) session.endQueue();
    this.#context.ended.add(session.counts);
    // What a read that is under way still finds counts there.
    session.counts = this.#context.ended;
    if (session instanceof LastingSession) {
      session.end();
      this.#endedBatch = this.#context.turn.batch();
      observer.event("sessionEnded", { clientId: session.clientId, reason, discarded });
    }
  }

  #expired(session: Session): void {
    this.#context.counters.sessionsExpired++;
    this.end(session, "expired");
  }

  #willDue(session: Session): void {
    const { will } = session;
    if (will === undefined) return;
    this.#context.deadlines.clear(session.willDelay);
    // One batch has the session without it and what becomes of it: its message, or a record of its own while somebody takes
    // time to answer. So no crash loses it, and none stores it twice. What was sent before that batch is on disk, at QoS 0 or
    // to clean sessions, comes again after a crash.
    session.will = undefined;
    if (session instanceof LastingSession) session.state.recordChanged();
    this.#publishWill(will, session);
  }
}

/** Deliveries in flight that end with the session; a shared group decides itself on those that came from it. */
function ownInFlight(session: Session): number {
  let count = 0;
  for (const { ref } of session.sender.inFlight()) if (ref?.group === undefined) count++;
  return count;
}
