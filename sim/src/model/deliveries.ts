// Each PUBLISH that one client gets: which message it is, by its payload; that somebody sent it to that topic; and whether it
// repeats an earlier one. What it carries and whether the session was to get it is judged elsewhere.

import type { Publish } from "@heirloom/codec";
import { checkContent } from "./content.ts";
import { idOf, type MessageModel } from "./message.ts";
import type { SessionModel } from "./session.ts";
import type { Identity, World } from "./world.ts";

export class Deliveries {
  readonly #client: Identity;
  readonly #world: World;
  /** Topic names by alias, as the broker defined them on the present connection. */
  readonly #aliases = new Map<number, string>();
  #topicAliasMaximum = 0;

  constructor(client: Identity, world: World) {
    this.#client = client;
    this.#world = world;
  }

  /** A new connection: its aliases are its own. */
  connecting(topicAliasMaximum: number): void {
    this.#aliases.clear();
    this.#topicAliasMaximum = topicAliasMaximum;
  }

  received(publish: Publish, session: SessionModel): void {
    const topicName = this.#topicOf(publish);
    const id = idOf(publish.payload);
    const isRepeated = publish.qos > 0 && session.flight.publish(publish, id);
    // It was on its way when the disk lost it: it is neither repeated nor released, and its identifier is free.
    if (this.#world.isDamaged(id)) session.flight.forget([id]);
    if (id === 0) return;
    const message = this.#sentTo(topicName, id);
    if (message === undefined) return;
    const { version, clientId } = this.#client;
    checkContent({ publish, message, version, isSlow: session.isSlow }, clientId, this.#world);
    if (isRepeated) return;
    if (message.isWill) this.#world.willCame(message);
    session.received(publish, message);
  }

  /** 5.0 section 3.3.2.3.4. */
  #topicOf({ topicName, topicAlias }: Publish): string | undefined {
    if (topicAlias !== 0 && topicName !== "") this.#aliases.set(topicAlias, topicName);
    if (topicAlias > this.#topicAliasMaximum)
      this.#world.report.broken("altered", `${this.#client.clientId} got Topic Alias ${topicAlias}`);
    return topicName === "" ? this.#aliases.get(topicAlias) : topicName;
  }

  #sentTo(topicName: string | undefined, id: number): MessageModel | undefined {
    const { nowMs, report } = this.#world;
    const message = this.#world.message(id);
    if (message !== undefined && message.topicName === topicName && message.firstSentMs <= nowMs)
      return message;
    const what = `${this.#client.clientId} got m${id} on ${topicName}, which nobody sent there`;
    report.broken("not-subscribed", what);
    return undefined;
  }
}
