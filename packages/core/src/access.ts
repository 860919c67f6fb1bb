// What one client may do, with the answers that are asked for again and again kept until the rules change.

import { type QoS, ReasonCode } from "@heirloom/codec";
import type { ClientInfo, Refusal } from "./ports/hooks.ts";
import type { Access, Permissions } from "./ports/permissions.ts";

/** Topics whose answer one client's access remembers. */
const REMEMBERED_TOPICS = 256;

/** The rules of a broker, with a number that tells when they changed. */
export class Rules {
  readonly permissions: Permissions;
  version = 0;

  constructor(permissions: Permissions) {
    this.permissions = permissions;
  }

  /** Why this client cannot be judged at all. What fails to answer is a reason too. */
  identityFault(client: ClientInfo): string | undefined {
    try {
      return this.permissions.identityFault?.(client);
    } catch {
      return "the permissions cannot be asked";
    }
  }
}

type Answer<T> = T | undefined | Promise<T | undefined>;

/** The access of one client. */
export class ClientAccess {
  readonly #rules: Rules;
  #client: ClientInfo;
  #access: Access;
  #version: number;
  /** The PUBLISH that was allowed last: publishers repeat theirs. */
  #publishTopicName = "";
  #publishQoS: QoS = 0;
  #publishRetain = false;
  #receiveTopicName = "";
  #mayReceiveLast = false;
  #mayReceive: Map<string, boolean> | undefined;

  constructor(rules: Rules, client: ClientInfo) {
    this.#rules = rules;
    this.#client = client;
    this.#access = rules.permissions.accessOf(client);
    this.#version = rules.version;
  }

  /** The client authenticated again. */
  renew(client: ClientInfo): void {
    this.#client = client;
    this.#refresh();
  }

  /** `undefined` = allowed. What fails to answer refuses. */
  publish(topicName: string, qos: QoS, retain: boolean): Answer<Refusal> {
    if (this.#version !== this.#rules.version) this.#refresh();
    if (
      topicName === this.#publishTopicName &&
      qos === this.#publishQoS &&
      retain === this.#publishRetain &&
      topicName !== ""
    ) {
      return undefined;
    }
    const answer = guarded(() => this.#access.publish(topicName, qos, retain));
    if (answer === undefined) {
      this.#publishTopicName = topicName;
      this.#publishQoS = qos;
      this.#publishRetain = retain;
    }
    return answer;
  }

  /** `undefined` = allowed as asked. What fails to answer refuses. */
  subscribe(
    topicFilter: string,
    qos: QoS,
    shareName: string | undefined,
  ): Answer<Refusal | { readonly qos: QoS }> {
    if (this.#version !== this.#rules.version) this.#refresh();
    return guarded(() => this.#access.subscribe(topicFilter, qos, shareName));
  }

  /** What fails to answer refuses. */
  mayReceive(topicName: string): boolean {
    if (this.#version !== this.#rules.version) this.#refresh();
    if (topicName === this.#receiveTopicName && topicName !== "") return this.#mayReceiveLast;
    const answers = (this.#mayReceive ??= new Map<string, boolean>());
    let answer = answers.get(topicName);
    if (answer === undefined) {
      try {
        answer = this.#access.receive(topicName);
      } catch {
        answer = false;
      }
      if (answers.size >= REMEMBERED_TOPICS) answers.clear();
      answers.set(topicName, answer);
    }
    this.#receiveTopicName = topicName;
    this.#mayReceiveLast = answer;
    return answer;
  }

  /** The client is gone. */
  close(): void {
    this.#access.close?.();
  }

  #refresh(): void {
    const before = this.#access;
    // What both know, such as answers of another server, stays in use.
    this.#access = this.#rules.permissions.accessOf(this.#client);
    before.close?.();
    this.#version = this.#rules.version;
    this.#publishTopicName = "";
    this.#receiveTopicName = "";
    this.#mayReceive = undefined;
  }
}

/** The answer of permissions that failed to answer: nothing new is allowed, but nothing that was granted ends either. */
export const NO_ANSWER: Refusal = {
  reasonCode: ReasonCode.NOT_AUTHORIZED,
  reasonString: "the permissions cannot be asked",
};

function guarded<T>(ask: () => Answer<T>): Answer<T | Refusal> {
  try {
    const answer = ask();
    return answer instanceof Promise ? answer.catch(() => NO_ANSWER) : answer;
  } catch {
    return NO_ANSWER;
  }
}
