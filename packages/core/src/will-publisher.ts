// Publishes wills that are due: each is asked about once more, and goes through the publish hook like what its client published
// itself. When a will is due is decided in `wills.ts`. MQTT 5.0 section 3.1.2.5, 3.1.1 section 3.1.2.5.

import { ReasonCode } from "@heirloom/codec";
import type { Acceptance } from "./acceptance.ts";
import { ClientAccess } from "./access.ts";
import type { Context } from "./context.ts";
import { Message } from "./message.ts";
import { lostClient, type PublishHook } from "./ports/hooks.ts";
import type { Session } from "./sessions/session.ts";

/** `undefined` as it is, another message instead of it, or a refusal. */
type Answer = Awaited<ReturnType<PublishHook>>;

export class WillPublisher {
  readonly #context: Context;
  readonly #acceptance: Acceptance;

  constructor(context: Context, acceptance: Acceptance) {
    this.#context = context;
    this.#acceptance = acceptance;
  }

  /** Publishes the will of a session, at once if nobody takes time to answer. A will that is refused is counted. */
  publish(message: Message, session: Session): void {
    const { counters, hooks, rules } = this.#context;
    const { publish: hook } = hooks;
    const client = session.client ?? lostClient(session.clientId, session.account);
    // It was allowed at CONNECT; the rules may have become others since.
    const access = rules && new ClientAccess(rules, client);
    const refusal = access?.publish(message.topicName, message.qos, message.retain);
    access?.close();
    if (hook === undefined && !(refusal instanceof Promise)) {
      this.#settle(message, session, refusal);
      return;
    }
    const ask = async (): Promise<Answer> => (await refusal) ?? hook?.(message, client);
    ask().then(
      (answer) => this.#settle(message, session, answer),
      () => counters.publishForbidden++,
    );
  }

  #settle(message: Message, session: Session, answer: Answer): void {
    if (answer === undefined) this.#accept(message, session);
    else if (answer instanceof Message) this.#accept(answer, session);
    else this.#context.counters.publishForbidden++;
  }

  #accept(message: Message, { account, clientId }: Session): void {
    const { counters, observer } = this.#context;
    if (this.#acceptance.accept(message, false, account) >= ReasonCode.UNSPECIFIED_ERROR) return;
    counters.willsPublished++;
    observer.event("willPublished", { clientId, topicName: message.topicName });
  }
}
