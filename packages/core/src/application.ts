// What the application around the broker publishes and subscribes to itself. It is no client on the network: nobody asks whether
// it may, and a function gets its messages (`local-client.ts`).

import { ReasonCode } from "@heirloom/codec";
import { LOCAL_CLIENT_IDS, LocalOutlet, type MessageHandler } from "./local-client.ts";
import { Message, type MessageFields } from "./message.ts";
import type { Parts } from "./parts.ts";
import { lostClient } from "./ports/hooks.ts";
import type { Subscription } from "./subscription.ts";

/** A subscription of the application itself. */
export interface LocalSubscription {
  unsubscribe(): void;
}

export class Application {
  readonly #parts: Parts;
  #localClients = 0;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Publishes a message, and waits until it is on disk if it has to be. @returns the reason code of 5.0. */
  async publish(fields: MessageFields): Promise<number> {
    const { acceptance, context } = this.#parts;
    const message = Message.of(fields).own();
    const room = acceptance.room(message.topicName);
    if (room !== undefined && !(await room.hasRoom)) {
      context.counters.refused++;
      return ReasonCode.QUOTA_EXCEEDED;
    }
    // Called by a listener of an event, while a message is being brought to its receivers.
    while (acceptance.isBusy) await Promise.resolve();
    const reasonCode = acceptance.accept(message, false, undefined);
    if (acceptance.isStored && reasonCode < ReasonCode.UNSPECIFIED_ERROR) await context.turn.whenDurable();
    return reasonCode;
  }

  /** Each subscription has a clean session of its own. `failed` is told of errors of the handler. */
  subscribe(
    subscription: Subscription,
    handler: MessageHandler,
    failed: (error: unknown) => void,
  ): LocalSubscription {
    const { context, sessions, subscriptions, retained } = this.#parts;
    const clientId = `${LOCAL_CLIENT_IDS}${++this.#localClients}`;
    const { session } = sessions.open(clientId, undefined, true, 0);
    const end = (): void => {
      outlet.close();
      sessions.disconnected(session, "normal");
    };
    const outlet = new LocalOutlet(context, handler, failed, end);
    outlet.session = session;
    const client = { ...lostClient(clientId, undefined), remoteAddress: "local", listener: "local" };
    session.connect(outlet, client, 65_535);
    const { isShared } = subscriptions.subscribe(session, subscription);
    if (!isShared && subscription.retainHandling !== 2) {
      session.replay(retained.replay(subscription.topicFilter, subscription));
    }
    return { unsubscribe: end };
  }
}
