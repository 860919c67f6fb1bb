// The port to the rules of an installation: which topics a client may publish to, subscribe to and be sent.
// Absent = everything is allowed, and costs nothing.

import type { QoS } from "@heirloom/codec";
import type { ClientInfo, Refusal } from "./hooks.ts";

type Awaitable<T> = T | Promise<T>;

/** What one client may do under the rules of this moment. Topics are whole ones, with the listener's mount point. */
export interface Access {
  /** A PUBLISH or a will. `undefined` = allowed; otherwise why not, normally 0x87. */
  publish(topicName: string, qos: QoS, retain: boolean): Awaitable<Refusal | undefined>;

  /**
   * One filter of SUBSCRIBE, without `$share/name/`. `undefined` = allowed; a lower QoS is granted as such; otherwise
   * why not, normally 0x87.
   */
  subscribe(
    topicFilter: string,
    qos: QoS,
    shareName: string | undefined,
  ): Awaitable<Refusal | { readonly qos: QoS } | undefined>;

  /**
   * Whether the client may see a message of this topic. Asked before each delivery: live, retained, queued, resent,
   * through a shared subscription. It has to answer at once; answers are kept for a while, until the rules change.
   */
  receive(topicName: string): boolean;

  /** The client is gone, or its access was asked for anew: nothing is asked here any more. */
  close?(): void;
}

/** The rules. */
export interface Permissions {
  accessOf(client: ClientInfo): Access;

  /**
   * What keeps a client from being judged by the rules, such as a name that would be read as part of a topic filter: it
   * is refused at CONNECT with 0x87 and this reason. `undefined` = nothing.
   */
  identityFault?(client: ClientInfo): string | undefined;

  /**
   * The broker runs. `changed` is to be called when answers may have become others: each client's access is then asked
   * for anew, and its subscriptions are checked again.
   */
  start(changed: () => void): void;

  stop(): void;
}
