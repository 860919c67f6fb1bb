// Asks a server of the operator. POST of what is asked; the answer is {"result": "allow" | "deny" | "ignore"}. Whatever
// goes wrong refuses PUBLISH and SUBSCRIBE. Deliveries are decided by the filters that were granted.

import type { QoS } from "@heirloom/codec";
import type { ClientInfo } from "@heirloom/core";
import { addressOf } from "../identity/address.ts";
import { isObject } from "../identity/claims.ts";
import { HttpError } from "../errors.ts";
import { KeyedCache } from "../identity/keyed-cache.ts";
import type { PermissionAnswer } from "./options.ts";
import { isAway } from "./subject.ts";
import type { Source, SourceAccess, SubscribeVerdict, Verdict } from "./verdict.ts";
import { GrantTable, type ClientGrants } from "./webhook-grants.ts";

/** What is asked; identity's `JsonEndpoint` is one. */
export interface Endpoint {
  readonly place: string;
  post(body: unknown): Promise<unknown>;
  close(): void;
}

/** Time, as the source sees it. */
export interface Clock {
  /** Milliseconds that never go back. */
  now(): number;
  /** Calls `tick` every so many milliseconds, until the function that it returns is called. */
  every(ms: number, tick: () => void): () => void;
}

export interface WebhookParts {
  readonly endpoint: Endpoint;
  readonly cacheForMs: number;
  readonly cacheEntries: number;
  readonly requestsAtOnce: number;
  readonly clock: Clock;
}

/** How often grants are looked at whose time is over. */
const RENEW_MS = 1_000;

/** One question: everything that the answer may depend on. */
type Question = Readonly<Record<string, unknown>>;

export class WebhookSource implements Source {
  readonly #parts: WebhookParts;
  readonly #cache: KeyedCache<PermissionAnswer>;
  readonly #asking = new Map<string, Promise<PermissionAnswer>>();
  readonly #grants: GrantTable;
  #stopTimer: (() => void) | undefined;

  constructor(parts: WebhookParts) {
    this.#parts = parts;
    this.#cache = new KeyedCache(parts.cacheEntries, () => parts.clock.now());
    this.#grants = new GrantTable(parts.requestsAtOnce);
  }

  accessOf(client: ClientInfo): SourceAccess {
    // Its rights were looked at when it was here.
    if (isAway(client))
      return { publish: () => "allow", subscribe: () => undefined, receive: () => undefined };
    return new WebhookAccess(this, this.#grants, aboutClient(client));
  }

  start(changed: () => void): void {
    this.#stopTimer = this.#parts.clock.every(RENEW_MS, () => {
      void this.#grants.renew(this.#parts.clock.now()).then((hasEnded) => {
        if (hasEnded && this.#stopTimer !== undefined) changed();
      });
    });
  }

  stop(): void {
    this.#stopTimer?.();
    this.#stopTimer = undefined;
    this.#grants.clear();
    this.#parts.endpoint.close();
  }

  /** The answer if it is known, else a promise of it. @throws HttpError, as a rejection. */
  ask(question: Question): PermissionAnswer | Promise<PermissionAnswer> {
    const key = this.keyOf(question);
    return this.#cache.get(key) ?? this.#askNow(key, question);
  }

  /** Asks again, whatever is known. */
  askAgain(question: Question): Promise<PermissionAnswer> {
    return this.#askNow(this.keyOf(question), question);
  }

  /** When an answer of this moment is not believed any more. */
  get endsAtMs(): number {
    return this.#parts.clock.now() + this.#parts.cacheForMs;
  }

  /** A keyed hash of all that was asked, never of a part of it. */
  keyOf(question: Question): string {
    return this.#cache.keyOf([JSON.stringify(question)]);
  }

  /** Those who ask the same at the same time wait for one answer. */
  #askNow(key: string, question: Question): Promise<PermissionAnswer> {
    const underWay = this.#asking.get(key);
    if (underWay !== undefined) return underWay;
    const answer = this.#parts.endpoint
      .post(question)
      .then((body) => {
        const result = this.#judge(body);
        this.#cache.set(key, result, this.#parts.cacheForMs);
        return result;
      })
      .finally(() => this.#asking.delete(key));
    this.#asking.set(key, answer);
    return answer;
  }

  #judge(body: unknown): PermissionAnswer {
    const result = isObject(body) ? body["result"] : undefined;
    if (result === "allow" || result === "deny" || result === "ignore") return result;
    throw new HttpError(
      `${this.#parts.endpoint.place}: expected \`result\` to be "allow", "deny" or "ignore"`,
    );
  }
}

class WebhookAccess implements SourceAccess {
  readonly #source: WebhookSource;
  readonly #table: GrantTable;
  readonly #client: Question;
  readonly #clientKey: string;
  #grants: ClientGrants | undefined;

  constructor(source: WebhookSource, table: GrantTable, client: Question) {
    this.#source = source;
    this.#table = table;
    this.#client = client;
    this.#clientKey = source.keyOf(client);
    // What the client was granted stays in use when it is asked about anew.
    if (table.find(this.#clientKey) !== undefined) this.#grants = table.hold(this.#clientKey);
  }

  // Always a promise: what is answered at once, the core believes until the rules change.
  async publish(topic: string, qos: QoS, retain: boolean): Promise<Verdict> {
    return verdictOf(await this.#source.ask({ action: "publish", topic, qos, retain, ...this.#client }));
  }

  subscribe(
    topic: string,
    qos: QoS,
    shareName: string | undefined,
  ): SubscribeVerdict | Promise<SubscribeVerdict> {
    const question = { action: "subscribe", topic, qos, shareName, ...this.#client };
    const answer = this.#source.ask(question);
    const settle = (known: PermissionAnswer): SubscribeVerdict => this.#settle(question, known);
    return answer instanceof Promise ? answer.then(settle) : settle(answer);
  }

  receive(topicName: string): Verdict {
    return this.#grants?.covers(topicName) === true ? "allow" : undefined;
  }

  close(): void {
    if (this.#grants !== undefined) this.#table.release(this.#clientKey);
    this.#grants = undefined;
  }

  #settle(
    question: Question & { readonly topic: string; readonly qos: QoS },
    answer: PermissionAnswer,
  ): SubscribeVerdict {
    const name = JSON.stringify([question["shareName"], question.topic]);
    if (answer !== "allow") {
      this.#grants?.delete(name);
      return answer === "deny" ? "deny" : undefined;
    }
    this.#grants ??= this.#table.hold(this.#clientKey);
    const grant = {
      topicFilter: question.topic,
      endsAtMs: this.#source.endsAtMs,
      askAgain: async (): Promise<boolean> => {
        // Also when there is no answer: the service is asked again later, not at once.
        grant.endsAtMs = this.#source.endsAtMs;
        return (await this.#source.askAgain(question)) === "allow";
      },
    };
    this.#grants.add(name, grant);
    return question.qos;
  }
}

function verdictOf(answer: PermissionAnswer): Verdict {
  return answer === "ignore" ? undefined : answer;
}

function aboutClient(client: ClientInfo): Question {
  return {
    clientId: client.clientId,
    username: client.username,
    account: client.account,
    // The port is another one each time, and says nothing.
    remoteAddress: addressOf(client.remoteAddress),
    listener: client.listener,
    protocolVersion: client.protocolVersion,
    claims: Object.fromEntries(client.claims),
    certificateCommonNames: client.certificate?.commonNames,
  };
}
