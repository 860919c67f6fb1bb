// What one source of permissions says, and what a source is. Sources are asked one after the other: `chain.ts`.

import type { QoS } from "@heirloom/codec";
import type { ClientInfo } from "@heirloom/core";

/** `undefined` = this source says nothing about it, and the next one is asked. */
export type Verdict = "allow" | "deny" | undefined;

/** The QoS that is granted, at most the one asked for. */
export type SubscribeVerdict = QoS | "deny" | undefined;

type Awaitable<T> = T | Promise<T>;

/** What one source says about one client. */
export interface SourceAccess {
  publish(topicName: string, qos: QoS, retain: boolean): Awaitable<Verdict>;
  subscribe(topicFilter: string, qos: QoS, shareName: string | undefined): Awaitable<SubscribeVerdict>;
  receive(topicName: string): Verdict;
  /** The client is gone, or is asked about anew. */
  close?(): void;
}

/** Where permissions come from: a file, rules, claims, a web service, a function. */
export interface Source {
  accessOf(client: ClientInfo): SourceAccess;
  /** What keeps this client from being judged by its rules, as a sentence. Such a client is refused everything. */
  identityFault?(client: ClientInfo): string | undefined;
  /** Whether it says something about users or claims, which only clients have who showed who they are. */
  readonly isAboutUsers?: boolean;
  start?(changed: () => void): void;
  stop?(): void;
}

/** For clients that are refused everything. */
export const NO_ACCESS: SourceAccess = {
  publish: () => "deny",
  subscribe: () => "deny",
  receive: () => "deny",
};
