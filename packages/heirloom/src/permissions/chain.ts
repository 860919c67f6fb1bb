// All sources of permissions of a broker, in order: the first that says something about a question has answered it. What
// none of them allows is refused, always with the same words, so that a client learns nothing about topics.

import { type QoS, ReasonCode } from "@heirloom/codec";
import type { Access, ClientInfo, Permissions, Refusal } from "@heirloom/core";
import type { Reloadable } from "../reload.ts";
import type { Source, SourceAccess, SubscribeVerdict, Verdict } from "./verdict.ts";

const REFUSED: Refusal = { reasonCode: ReasonCode.NOT_AUTHORIZED, reasonString: "not authorized" };

/** Reads the sources anew. @throws ConfigError */
export type ReadSources = () => Promise<readonly Source[]>;

export class PermissionChain implements Permissions, Reloadable {
  #read: ReadSources;
  #sources: readonly Source[];
  #changed: (() => void) | undefined;

  private constructor(read: ReadSources, sources: readonly Source[]) {
    this.#read = read;
    this.#sources = sources;
  }

  /** @throws ConfigError when a file is missing or wrong: without its rules a broker must not run. */
  static async open(read: ReadSources): Promise<PermissionChain> {
    return new PermissionChain(read, await read());
  }

  accessOf(client: ClientInfo): Access {
    return new ChainAccess(this.#sources.map((source) => source.accessOf(client)));
  }

  identityFault(client: ClientInfo): string | undefined {
    for (const source of this.#sources) {
      const fault = source.identityFault?.(client);
      if (fault !== undefined) return fault;
    }
    return undefined;
  }

  /** Whether any source says something about users or claims. */
  get isAboutUsers(): boolean {
    return this.#sources.some((source) => source.isAboutUsers === true);
  }

  start(changed: () => void): void {
    this.#changed = changed;
    for (const source of this.#sources) source.start?.(changed);
  }

  stop(): void {
    this.#changed = undefined;
    for (const source of this.#sources) source.stop?.();
  }

  /** @param read other sources, which are the ones to be read anew from then on. */
  async prepare(read: ReadSources = this.#read): Promise<() => void> {
    const sources = await read();
    return () => {
      this.#read = read;
      this.#replace(sources);
    };
  }

  #replace(sources: readonly Source[]): void {
    const changed = this.#changed;
    for (const source of this.#sources) source.stop?.();
    this.#sources = sources;
    if (changed === undefined) return;
    for (const source of sources) source.start?.(changed);
    changed();
  }
}

class ChainAccess implements Access {
  readonly #accesses: readonly SourceAccess[];

  constructor(accesses: readonly SourceAccess[]) {
    this.#accesses = accesses;
  }

  publish(topicName: string, qos: QoS, retain: boolean): Refusal | undefined | Promise<Refusal | undefined> {
    const verdict = this.#first((access) => access.publish(topicName, qos, retain), 0);
    return verdict instanceof Promise ? verdict.then(publishAnswer) : publishAnswer(verdict);
  }

  subscribe(
    topicFilter: string,
    qos: QoS,
    shareName: string | undefined,
  ): Refusal | { readonly qos: QoS } | Promise<Refusal | { readonly qos: QoS }> {
    const verdict = this.#first((access) => access.subscribe(topicFilter, qos, shareName), 0);
    return verdict instanceof Promise ? verdict.then(subscribeAnswer) : subscribeAnswer(verdict);
  }

  receive(topicName: string): boolean {
    for (const access of this.#accesses) {
      const verdict = access.receive(topicName);
      if (verdict !== undefined) return verdict === "allow";
    }
    return false;
  }

  close(): void {
    for (const access of this.#accesses) access.close?.();
  }

  /** The first answer of the sources from `index` on. */
  #first<T>(
    ask: (access: SourceAccess) => T | undefined | Promise<T | undefined>,
    index: number,
  ): T | undefined | Promise<T | undefined> {
    for (let next = index; next < this.#accesses.length; next++) {
      const access = this.#accesses[next];
      const answer = access === undefined ? undefined : ask(access);
      if (answer instanceof Promise) return answer.then((later) => later ?? this.#first(ask, next + 1));
      if (answer !== undefined) return answer;
    }
    return undefined;
  }
}

function publishAnswer(verdict: Verdict): Refusal | undefined {
  return verdict === "allow" ? undefined : REFUSED;
}

function subscribeAnswer(verdict: SubscribeVerdict): Refusal | { readonly qos: QoS } {
  return typeof verdict === "number" ? { qos: verdict } : REFUSED;
}
