// Publishes wills that are due: each is asked about once more, and goes through the publish hook like what its client published
// itself. When a will is due is decided in `wills.ts`. MQTT 5.0 section 3.1.2.5, 3.1.1 section 3.1.2.5.
//
// Whoever is asked may take time, in which the client comes back with another will, its session ends, or the broker. So a will
// that waits for an answer has left its session: it has a record of its own, from the batch that takes it out of the session to
// the one that has its message.

import { ReasonCode } from "@heirloom/codec";
import type { Acceptance } from "./acceptance.ts";
import { ClientAccess } from "./access.ts";
import type { Context } from "./context.ts";
import { Message } from "./message.ts";
import { type ClientInfo, lostClient, type PublishHook } from "./ports/hooks.ts";
import type { StoreBatch } from "./ports/store.ts";
import type { Session } from "./sessions/session.ts";
import { type DueWill, writeDueWill } from "./sessions/session-records.ts";
import type { Stored } from "./turn.ts";
import { type Will, willMessage } from "./wills.ts";

/** `undefined` as it is, another message instead of it, or a refusal. */
type Answer = Awaited<ReturnType<PublishHook>>;

/** Keys of wills that wait for an answer, in the table "broker", begin with this; a number follows. */
export const DUE_WILL_KEYS = "will/";

export class WillPublisher {
  readonly #context: Context;
  readonly #acceptance: Acceptance;
  /** Those that were asked about and have no answer yet. What they take counts in `willBytes`. */
  readonly #waiting = new Set<WaitingWill>();
  #lastNumber = 0;
  #isStopped = false;

  constructor(context: Context, acceptance: Acceptance) {
    this.#context = context;
    this.#acceptance = acceptance;
  }

  /**
   * Publishes the will of a session, at once if nobody takes time to answer. A will that is refused is counted. What comes of the
   * session from now on, and of its client, does not matter any more.
   */
  publish(will: Will, session: Session): void {
    const { clientId, account } = session;
    const dueAtMs = this.#context.turn.nowMs;
    const waiting = new WaitingWill(++this.#lastNumber, { will, clientId, account, dueAtMs });
    // Nobody was promised that the will of a clean session outlives a crash: such a session does not.
    this.#ask(waiting, session.client ?? lostClient(clientId, account), session.isLasting);
  }

  /** Asks again about a will that had no answer before a restart. */
  restore(key: string, due: DueWill): void {
    const number = Number(key.slice(DUE_WILL_KEYS.length));
    this.#lastNumber = Math.max(this.#lastNumber, number);
    const waiting = new WaitingWill(number, due);
    waiting.isOnRecord = true;
    this.#ask(waiting, lostClient(due.clientId, due.account), true);
  }

  /** The accounts are gone: what they wanted published and has no answer yet is not. */
  forget(accounts: ReadonlySet<string>): void {
    for (const waiting of this.#waiting) {
      const { account } = waiting.due;
      if (account !== undefined && accounts.has(account)) this.#end(waiting);
    }
  }

  /** The broker stops: answers come too late from now on. Whoever has none is asked again after the next start. */
  stop(): void {
    this.#isStopped = true;
    for (const waiting of this.#waiting) this.#context.turn.save(waiting);
  }

  #ask(waiting: WaitingWill, client: ClientInfo, isLasting: boolean): void {
    const { counters, hooks, rules, turn } = this.#context;
    const { publish: hook } = hooks;
    const { will, clientId, dueAtMs } = waiting.due;
    const message = willMessage(will, clientId, dueAtMs);
    // It was allowed at CONNECT; the rules may have become others since.
    const access = rules && new ClientAccess(rules, client);
    const refusal = access?.publish(message.topicName, message.qos, message.retain);
    access?.close();
    if (hook === undefined && !(refusal instanceof Promise)) {
      this.#settle(waiting, message, refusal);
      return;
    }
    this.#waiting.add(waiting);
    counters.willBytes += will.message.heldBytes;
    if (isLasting) turn.save(waiting);
    const ask = async (): Promise<Answer> => (await refusal) ?? hook?.(message, client);
    ask().then(
      (answer) => this.#answered(waiting, message, answer),
      () => this.#answered(waiting, message, UNANSWERED),
    );
  }

  #answered(waiting: WaitingWill, message: Message, answer: Answer): void {
    // Its account may be gone by now, or the broker.
    if (this.#isStopped || !this.#waiting.has(waiting)) return;
    this.#settle(waiting, message, answer);
  }

  #settle(waiting: WaitingWill, message: Message, answer: Answer): void {
    this.#end(waiting);
    if (answer === undefined) this.#accept(message, waiting.due);
    else if (answer instanceof Message) this.#accept(answer, waiting.due);
    else this.#context.counters.publishForbidden++;
  }

  /** It is over, with the same batch as what is accepted in its place. */
  #end(waiting: WaitingWill): void {
    waiting.isOver = true;
    if (waiting.isOnRecord) this.#context.turn.save(waiting);
    if (this.#waiting.delete(waiting)) {
      this.#context.counters.willBytes -= waiting.due.will.message.heldBytes;
    }
  }

  #accept(message: Message, { account, clientId }: DueWill): void {
    const { counters, observer } = this.#context;
    this.#acceptance.inOrder(() => {
      if (this.#acceptance.accept(message, false, account) >= ReasonCode.UNSPECIFIED_ERROR) return;
      counters.willsPublished++;
      observer.event("willPublished", { clientId, topicName: message.topicName });
    });
  }
}

/** Who was asked failed to answer. */
const UNANSWERED = { reasonCode: ReasonCode.UNSPECIFIED_ERROR };

/** A will that is due, until it is known what becomes of it. */
class WaitingWill implements Stored {
  unsaved = false;
  readonly due: DueWill;
  readonly #key: string;
  /** Whether a batch has its record. */
  isOnRecord = false;
  isOver = false;

  constructor(number: number, due: DueWill) {
    this.#key = `${DUE_WILL_KEYS}${number}`;
    this.due = due;
  }

  save(batch: StoreBatch): void {
    if (!this.isOver) batch.put("broker", this.#key, writeDueWill(this.due));
    // An answer that came before the turn ended left nothing to record.
    else if (this.isOnRecord) batch.delete("broker", this.#key);
    this.isOnRecord = !this.isOver;
  }
}
