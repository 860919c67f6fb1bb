// The judge of a run: what the contract promises, checked against what clients sent, were told, and got.
// Written apart from the broker's code: it sees only packets, connections and the ends of the process.

import type { Connect, QoS } from "@heirloom/codec";
import type { DeliveryCounts, Limits } from "@heirloom/core";
import { APPLICATION, type Rules } from "../rules.ts";
import type { Link } from "../network.ts";
import { ClientModel, type ConnectionModel } from "./client.ts";
import { ClockModel } from "./clock.ts";
import { type MessageInit, MessageModel } from "./message.ts";
import type { Report } from "./report.ts";
import { RetainedModel } from "./retained.ts";
import { judgeShared } from "./shared.ts";
import type { SessionModel, Surroundings } from "./session.ts";

/** One end of the process. */
interface Death {
  readonly atMs: number;
  readonly durableSinceMs: number;
  startedMs: number;
}

/** A will, with the connection that it belongs to. */
interface WillModel {
  readonly client: ClientModel;
  readonly connection: ConnectionModel;
  readonly message: MessageModel;
  /** When the client's next CONNECT went out. */
  nextConnectMs: number;
  /** When the client's next CONNECT with Clean Start 1 went out. */
  nextCleanStartMs: number;
  /** When it came while its connection still seemed to be open. */
  cameMs: number;
}

const SLACK_MS = 1_000;
/** The default of `holdTimeout`. */
const HOLD_TIMEOUT_MS = 60_000;

export class Model implements Surroundings {
  readonly report: Report;
  readonly retained: RetainedModel = new RetainedModel();
  readonly clients: Map<string, ClientModel> = new Map();
  readonly clock: ClockModel = new ClockModel();
  readonly limits: Partial<Limits>;
  readonly rules: Rules;
  readonly isQueueLimited: boolean;
  readonly refusesAtLimit: boolean;
  stalledMs: number = -Infinity;
  readonly #now: () => number;
  readonly #messages = new Map<number, MessageModel>();
  readonly #deaths: Death[] = [];
  readonly #wills: WillModel[] = [];
  #lastId = 0;
  /** The disk lost a message with an empty payload. Which one, nobody can tell: so any may be missing. */
  #isEmptyDamaged = false;
  /** The disk lost something at any time. */
  #isDamaged = false;

  constructor(now: () => number, report: Report, limits: Partial<Limits>, rules: Rules) {
    this.#now = now;
    this.report = report;
    const { queueMessages, queueBytes, queuePolicy = "discard-oldest" } = limits;
    this.limits = limits;
    this.retained.mayDropQoS0 = limits.outputBytes !== undefined;
    this.rules = rules;
    this.isQueueLimited = queuePolicy === "discard-oldest" && (queueMessages ?? queueBytes) !== undefined;
    this.refusesAtLimit = queuePolicy !== "discard-oldest";
  }

  get nowMs(): number {
    return this.#now();
  }

  /** Whether the broker may leave packets unread for a while, as a hook or a full queue holds them back. */
  get holdsBack(): boolean {
    const { publish, subscribe } = this.rules.plan;
    return publish || subscribe || this.limits.queuePolicy === "hold";
  }

  get holdTimeoutMs(): number {
    const { queuePolicy, holdTimeoutMs = HOLD_TIMEOUT_MS } = this.limits;
    return queuePolicy === "hold" ? holdTimeoutMs : Infinity;
  }

  get messages(): IterableIterator<MessageModel> {
    return this.#messages.values();
  }

  client(clientId: string, version: 3 | 4 | 5): ClientModel {
    const known = this.clients.get(clientId);
    if (known !== undefined) return known;
    const client = new ClientModel(clientId, version, this);
    this.clients.set(clientId, client);
    return client;
  }

  /** A message that its publisher will send; its number goes into the payload. */
  newMessage(init: Omit<MessageInit, "id" | "isForbidden">): MessageModel {
    const id = ++this.#lastId;
    // Hooks are for clients: the application asks nobody.
    const isForbidden = !init.isEmpty && init.publisher !== APPLICATION && this.rules.forbids(id);
    const message = new MessageModel({ ...init, id, isForbidden }, this.clock);
    this.#messages.set(message.id, message);
    return message;
  }

  /** The disk lost these, and says so. Nobody has to get them; a delivery that was under way is not gone on with. */
  damaged(ids: readonly number[]): void {
    this.#isDamaged ||= ids.length > 0;
    for (const id of ids) {
      const message = this.#messages.get(id);
      if (message !== undefined) message.isDamaged = true;
      else this.#isEmptyDamaged = true;
    }
    for (const client of this.clients.values())
      for (const session of client.sessions) session.flight.forget(ids);
  }

  isDamaged(id: number): boolean {
    return id === 0 ? this.#isEmptyDamaged : this.#messages.get(id)?.isDamaged === true;
  }

  message(id: number): MessageModel | undefined {
    return this.#messages.get(id);
  }

  // --- the process -----------------------------------------------------------------------------------------------

  processEnded(durableSinceMs: number): void {
    this.#deaths.push({ atMs: this.nowMs, durableSinceMs, startedMs: Infinity });
  }

  /** It is up again after a start at `sinceMs`, with a wall clock that was `aheadMs` ahead. */
  processStarted(sinceMs: number, aheadMs: number): void {
    const death = this.#deaths.at(-1);
    if (death === undefined) return;
    death.startedMs = Math.min(death.startedMs, this.nowMs);
    this.clock.started(sinceMs, aheadMs, death.atMs, death.durableSinceMs);
  }

  /** Whether what the broker did at `timeMs`, and nobody was told, may have been forgotten in a crash. */
  mayBeForgotten(timeMs: number): boolean {
    return this.#deaths.some(
      ({ atMs, durableSinceMs }) => atMs >= timeMs && durableSinceMs <= timeMs + SLACK_MS,
    );
  }

  /**
   * When the broker thinks at the latest that a connection ended: a restart that finds it still open on disk counts
   * from the restart.
   */
  latestEndMs(link: Link): number {
    const { endedMs } = link;
    if (endedMs === undefined) return Infinity;
    let latestMs = endedMs;
    for (const { atMs, durableSinceMs, startedMs } of this.#deaths) {
      if (atMs >= endedMs && durableSinceMs <= latestMs) latestMs = startedMs;
    }
    return latestMs;
  }

  // --- wills -----------------------------------------------------------------------------------------------------

  connecting(client: ClientModel, link: Link, connect: Connect): MessageModel | undefined {
    for (const will of this.#wills) if (will.client === client) this.#connectsAgain(will, connect);
    const message = connect.will === undefined ? undefined : this.#willMessage(client, connect.will);
    client.connecting(link, connect, message);
    if (message !== undefined && client.connection !== undefined) {
      const { connection } = client;
      this.#wills.push({
        client,
        connection,
        message,
        nextConnectMs: Infinity,
        nextCleanStartMs: Infinity,
        cameMs: Infinity,
      });
    }
    return message;
  }

  #connectsAgain(will: WillModel, { cleanStart }: Connect): void {
    will.nextConnectMs = Math.min(will.nextConnectMs, this.nowMs);
    if (cleanStart) will.nextCleanStartMs = Math.min(will.nextCleanStartMs, this.nowMs);
  }

  #willMessage(
    client: ClientModel,
    will: { topicName: string; qos: QoS; retain: boolean; payload: Uint8Array },
  ): MessageModel {
    const { topicName, qos, retain } = will;
    const message = this.newMessage({
      hasProperties: client.version === 5,
      publisher: client.clientId,
      topicName,
      qos,
      retain,
      isEmpty: false,
      expiryInterval: -1,
      size: 0,
      isWill: true,
    });
    // It may be published from now on, once.
    message.transmissions = 1;
    message.firstSentMs = this.nowMs;
    if (retain) this.retained.sent(message);
    return message;
  }

  // --- the end ---------------------------------------------------------------------------------------------------

  /** All clients are back and nothing moves any more. `countsOf`: what the broker says became of a client's messages. */
  judge(countsOf: (clientId: string) => DeliveryCounts): void {
    this.#judgeWills();
    for (const client of this.clients.values()) {
      const { session } = client;
      if (session === undefined || client.connection?.acceptedMs === undefined) continue;
      this.#judgeSession(client, session, countsOf(client.clientId));
    }
    if (!this.isQueueLimited)
      judgeShared(this.report, this.clients.values(), [...this.#messages.values()], this.nowMs);
  }

  /** `session` subscribed to everything at this time and got what is retained: for each topic it has to be there if it must be. */
  judgeRetained(session: SessionModel, sinceMs: number): void {
    for (const topicName of this.retained.topicNames) {
      const messages = this.retained.messages(topicName);
      const isThere = messages.some((message) => session.hasRetained(message, sinceMs));
      const mayBeLeftOut = messages.some((message) => session.leavesOut(message));
      if (isThere || mayBeLeftOut || this.retained.mayBeNone(topicName, this.nowMs)) continue;
      this.report.broken("retained", `${session.clientId} got nothing that is retained for ${topicName}`);
    }
  }

  /**
   * Who was connected all the time while a message of QoS 0 came and went got it. Called when the broker says that it dropped
   * none at all.
   */
  judgeQoS0(): void {
    // For a delivery hook it waits in its session, behind what is to be acknowledged first, and is gone with the connection.
    if (this.holdsBack || this.rules.plan.deliver) return;
    for (const message of this.#messages.values()) {
      const { handledMs } = message;
      if (handledMs === undefined || message.isEmpty || message.expiryInterval !== -1) continue;
      // A full disk refuses what is to be retained, of QoS 0 without a word.
      if (message.retain && this.stalledMs >= message.firstSentMs) continue;
      for (const client of this.clients.values()) this.#judgeQoS0(client, message, handledMs);
    }
  }

  #judgeQoS0(client: ClientModel, message: MessageModel, handledMs: number): void {
    const isOnline = client.accepted.some(({ acceptedMs = Infinity, link }) => {
      const endMs = Math.min(link.causeMs, link.endedMs ?? Infinity);
      // It may stand behind an answer that waits for the disk.
      const sentMs = this.stalledMs >= message.firstSentMs ? Math.max(handledMs, this.stalledMs) : handledMs;
      return acceptedMs < message.firstSentMs && endMs > sentMs + SLACK_MS;
    });
    const session = client.sessions.find(
      ({ startedMs, endedMs }) => startedMs < message.firstSentMs && endedMs > handledMs,
    );
    if (!isOnline || session === undefined || session.isSlow || session.leavesOut(message)) return;
    const isWanted = session.subscriptions
      .certainFor(message)
      .some(
        ({ shareName, grants }) => shareName === undefined && grants.every(({ options }) => !options.noLocal),
      );
    if (isWanted && !session.has(message))
      this.report.broken("lost", `${message.text} never came to ${client.clientId}, which was there`);
  }

  /** The application's own session: it has everything that was accepted since it began. */
  judgeLocal(session: SessionModel): void {
    for (const message of this.#messages.values()) {
      if (session.mustHave(message) && !session.has(message))
        this.report.broken("lost", `${message.text} never came to ${session.clientId}`);
    }
  }

  #judgeSession(client: ClientModel, session: SessionModel, counts: DeliveryCounts): void {
    this.#judgeReasons(client, counts);
    const leftOut = counts.droppedTooLarge + counts.droppedRefused + counts.discardedAtLimit;
    const missing = [...this.#messages.values()].filter(
      (message) => session.mustHave(message) && !session.has(message),
    );
    if (leftOut > 0 && missing.length > leftOut) {
      const what = `${missing.length} messages are missing for ${client.clientId}`;
      this.report.broken("balance", `${what}, ${leftOut} were counted as left out`);
    } else if (leftOut === 0) {
      for (const { text } of missing) this.report.broken("lost", `${text} never came to ${client.clientId}`);
    }
    const damaged = [...this.#messages.values()].filter(
      (message) => message.isDamaged && session.isDue(message) && !session.has(message),
    ).length;
    if (damaged > counts.damagedEntries + leftOut) {
      const what = `${damaged} damaged messages are missing for ${client.clientId}`;
      this.report.broken("balance", `${what}, ${counts.damagedEntries} were counted`);
    }
    const [open] = session.flight.open;
    if (open !== undefined)
      this.report.broken("stuck", `delivery ${open} to ${client.clientId} was not completed`);
  }

  /** Nothing is left out for a reason that there was not. */
  #judgeReasons({ clientId, maximumPacketSize, refusals }: ClientModel, counts: DeliveryCounts): void {
    const reasons = {
      discardedAtLimit: this.isQueueLimited,
      droppedTooLarge: maximumPacketSize !== Infinity,
      droppedRefused: refusals > 0 || this.rules.plan.deliver,
      droppedForbidden: false,
      damagedEntries: this.#isDamaged,
      expired: [...this.#messages.values()].some(({ expiryInterval }) => expiryInterval !== -1),
    };
    for (const name of Object.keys(reasons) as (keyof typeof reasons)[])
      if (counts[name] > 0 && !reasons[name])
        this.report.broken("balance", `${clientId}: ${name} is ${counts[name]} without a reason`);
  }

  /** Whether a session is known from its beginning, in one life of the process: then its counters are those of its client. */
  isWhole({ startedMs, wasDoubtful }: SessionModel): boolean {
    return !wasDoubtful && (this.#deaths.at(-1)?.atMs ?? -Infinity) < startedMs;
  }

  /** Wills that were certainly due count as accepted; those that never were must not have come. */
  #judgeWills(): void {
    for (const will of this.#wills) {
      const { client, connection, message, nextConnectMs } = will;
      const { fromMs, untilMs } = client.willDue(connection, will.nextCleanStartMs);
      const isSeen = [...this.clients.values()].some(({ sessions }) =>
        sessions.some((session) => session.has(message)),
      );
      if (isSeen && this.#isDropped(connection, nextConnectMs))
        this.report.broken("will", `${message.text} after a normal DISCONNECT`);
      // A broker that ends a connection publishes the will first.
      if (will.cameMs + SLACK_MS < (connection.link.endedMs ?? Infinity) && this.stalledMs < will.cameMs) {
        this.#cameEarly(message, fromMs - will.cameMs);
      }
      const latestMs = untilMs + SLACK_MS < nextConnectMs ? untilMs : this.#cleanStartMs(will);
      const mustBe =
        connection.acceptedMs !== undefined &&
        connection.disconnect === undefined &&
        latestMs + SLACK_MS < this.nowMs &&
        // A full disk refuses wills like any message.
        this.stalledMs < fromMs &&
        // By the policy "refuse" a full queue refuses wills too.
        this.limits.queuePolicy !== "refuse" &&
        // A hook may refuse it, or take so long that a crash comes before its answer.
        !this.rules.plan.publish &&
        this.#isDurable(connection, fromMs, latestMs);
      message.firstSentMs = fromMs;
      if (mustBe) message.acceptedMs = latestMs + SLACK_MS;
    }
  }

  /**
   * When the session of a will was certainly over because the client's next CONNECT had Clean Start 1: the will is published
   * then at the latest, 5.0 [MQTT-3.1.2-8].
   */
  #cleanStartMs({ client, nextConnectMs, nextCleanStartMs }: WillModel): number {
    if (nextCleanStartMs !== nextConnectMs) return Infinity;
    return client.accepted.find(({ sentMs }) => sentMs === nextConnectMs)?.acceptedMs ?? Infinity;
  }

  /** Whether the client's normal DISCONNECT reached the broker. */
  #isDropped({ disconnect, isDisconnectFirst, link }: ConnectionModel, nextConnectMs: number): boolean {
    // One that was not read yet when the client took itself over was never read.
    if (this.holdsBack && (link.endedMs ?? Infinity) > nextConnectMs) return false;
    return (
      disconnect?.reasonCode === 0 &&
      isDisconnectFirst &&
      !link.wasCut &&
      // DISCONNECT is not acknowledged: a crash before it is on disk forgets it.
      !this.mayBeForgotten(link.endedMs ?? Infinity)
    );
  }

  /**
   * The will of a clean session that is connected, or published in the moment before, goes with a crash. A client that was
   * frozen learns of the crash only later.
   */
  #isDurable({ connect, acceptedMs = Infinity }: ConnectionModel, dueMs: number, latestMs: number): boolean {
    const isLasting =
      connect.protocolVersion === 5
        ? (connect.properties.sessionExpiryInterval ?? 0) > 0
        : !connect.cleanStart;
    return (
      isLasting ||
      !this.#deaths.some(
        ({ atMs, durableSinceMs }) =>
          (atMs >= dueMs - SLACK_MS && durableSinceMs <= dueMs + SLACK_MS) ||
          (atMs >= acceptedMs && atMs <= latestMs + SLACK_MS),
      )
    );
  }

  /** A will arrives somewhere. It cannot come before it is due; without a reason that clients know, the broker has to have one. */
  willCame(message: MessageModel): void {
    const will = this.#wills.find((candidate) => candidate.message === message);
    if (will === undefined) return;
    const { fromMs } = will.client.willDue(will.connection, will.nextCleanStartMs);
    if (fromMs === Infinity) will.cameMs = Math.min(will.cameMs, this.nowMs);
    else if (this.nowMs < fromMs) this.#cameEarly(message, fromMs - this.nowMs);
  }

  #cameEarly(message: MessageModel, ms: number): void {
    this.report.broken("will", `${message.text} came ${Math.round(ms)} ms before it was due`);
  }
}
