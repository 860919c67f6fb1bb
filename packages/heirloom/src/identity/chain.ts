// Who may come in: asks the authenticators in order, then the application's own hook. The first that knows the client
// decides. Whatever goes wrong refuses: a function that throws or never answers, a server that is down.

import { PacketType, ReasonCode, type Connect } from "@heirloom/codec";
import {
  NO_CLAIMS,
  type Admission,
  type AuthMethod,
  type ClientInfo,
  type ConnectHook,
  type Refusal,
} from "@heirloom/core";
import type { ServerCounters } from "../counters.ts";
import { messageOf } from "../errors.ts";
import { isRefusal, type Answer, type Attempt, type Authenticator } from "./authenticator.ts";
import type { Guessing } from "./guessing.ts";
import { WRONG_CREDENTIALS } from "./password-authenticator.ts";

export interface ChainParts {
  readonly authenticators: readonly Authenticator[];
  readonly guessing: Guessing;
  readonly counters: ServerCounters;
  /** Whether clients that show nothing of themselves may come in at a listener. */
  readonly allowsAnonymous: (listener: string) => boolean;
  /** Why a name must not be used, because rules put it into topics; `undefined` = it may. */
  readonly nameFault: (client: ClientInfo) => string | undefined;
  /** The application's own hook: asked when the client is known, and may still refuse. */
  readonly connectHook: ConnectHook | undefined;
  /** Told of authenticators that do not work. */
  readonly warn: (message: string) => void;
  /** Milliseconds. */
  readonly now: () => number;
}

const NOT_ANONYMOUS: Refusal = {
  reasonCode: ReasonCode.NOT_AUTHORIZED,
  reasonString: "anonymous clients are not allowed",
};
const UNAVAILABLE: Refusal = {
  reasonCode: ReasonCode.SERVER_UNAVAILABLE,
  reasonString: "who this is cannot be found out at the moment",
};

/** Milliseconds that one authenticator is given. */
const ANSWER_TIMEOUT_MS = 15_000;
/** Milliseconds between two warnings about one authenticator. */
const WARNING_MS = 10_000;

/** The authenticators of one broker, as hooks of the core. */
export class Chain {
  readonly #parts: ChainParts;
  readonly #warnedMs = new Map<string, number>();
  #generation = 0;

  constructor(parts: ChainParts) {
    this.#parts = parts;
  }

  /** The hook of the core. Never throws. */
  readonly connect: ConnectHook = async (connect, client) => {
    const generation = this.#generation;
    const known = await this.#identify(connect, client);
    if (isRefusal(known)) return known;
    const answer = await this.#askApplication(connect, client, known);
    if (isRefusal(answer) || generation === this.#generation) return answer;
    // Files were read anew while the application thought about it: whoever is gone is not known any more.
    const now = await this.#identify(connect, client);
    return isRefusal(now) ? now : answer;
  };

  /** Files were read anew: what was found out before may not be true any more. */
  reloaded(): void {
    this.#generation++;
  }

  /** Puts the application's own hook behind a method of enhanced authentication too. */
  method(method: AuthMethod): AuthMethod {
    return {
      start: (client) => {
        const exchange = method.start(client);
        let connect: Connect | undefined;
        return {
          step: async (data, packet) => {
            if (packet.type === PacketType.CONNECT) connect = packet;
            const answer = await exchange.step(data, packet);
            // A client that shows again who it is was let in before.
            if (answer.outcome !== "success" || connect === undefined) return answer;
            const generation = this.#generation;
            const known = await this.#askApplication(connect, client, answer);
            connect = undefined;
            if (isRefusal(known)) return { outcome: "refuse", ...known };
            // An exchange cannot be had twice: the client has to come again.
            if (generation !== this.#generation) return { outcome: "refuse", ...UNAVAILABLE };
            return { ...answer, ...known };
          },
        };
      },
    };
  }

  async #identify(connect: Connect, client: ClientInfo): Promise<Admission | Refusal> {
    const { guessing, counters, allowsAnonymous } = this.#parts;
    const username = connect.username ?? "";
    const refusal = (): Refusal | undefined => guessing.refusal(client.remoteAddress, username);
    const attempt: Attempt = { connect, client, refusal };
    const answer = refusal() ?? (await this.#askAll(attempt));
    if (answer === "unknown") {
      const isAnonymous = connect.username === undefined && connect.password === undefined;
      if (isAnonymous) return allowsAnonymous(client.listener) ? {} : NOT_ANONYMOUS;
      const busy = await this.#decoy(attempt);
      if (busy !== undefined) return this.#counted(busy);
      guessing.failed(client.remoteAddress, username);
      return WRONG_CREDENTIALS;
    }
    if (!isRefusal(answer)) {
      counters.authenticationSuccesses++;
      guessing.succeeded(client.remoteAddress, username);
    } else if (answer.reasonCode === ReasonCode.BAD_USER_NAME_OR_PASSWORD) {
      guessing.failed(client.remoteAddress, username);
    }
    return this.#counted(answer);
  }

  #counted<T extends Admission | Refusal>(answer: T): T {
    const isBusy = isRefusal(answer) && answer.reasonCode === ReasonCode.SERVER_BUSY;
    if (isBusy) this.#parts.counters.authenticationTurnedAway++;
    return answer;
  }

  async #askAll(attempt: Attempt): Promise<Answer> {
    for (const authenticator of this.#parts.authenticators) {
      const answer = await this.#ask(authenticator.name, () => authenticator.authenticate(attempt));
      if (answer !== "unknown") return answer;
    }
    return "unknown";
  }

  /** Nobody knew the client. What a wrong password costs, this costs too. */
  async #decoy(attempt: Attempt): Promise<Refusal | undefined> {
    for (const authenticator of this.#parts.authenticators) {
      if (authenticator.decoy !== undefined) return authenticator.decoy(attempt);
    }
    return undefined;
  }

  async #ask(name: string, ask: () => Promise<Answer> | Answer): Promise<Answer> {
    try {
      const answer = await answerInTime(ask);
      if (isAnswer(answer)) return answer;
      throw new Error('expected an admission, a refusal or "unknown"');
    } catch (error) {
      this.#failed(name, error);
      return UNAVAILABLE;
    }
  }

  async #askApplication(
    connect: Connect,
    client: ClientInfo,
    known: Admission,
  ): Promise<Admission | Refusal> {
    const { connectHook, nameFault } = this.#parts;
    const who = identified(client, known);
    const fault = nameFault(who);
    if (fault !== undefined) return { reasonCode: ReasonCode.NOT_AUTHORIZED, reasonString: fault };
    if (connectHook === undefined) return known;
    try {
      const answer = await connectHook(connect, who);
      if (answer === undefined) return known;
      return "reasonCode" in answer ? answer : { ...known, ...answer };
    } catch (error) {
      this.#failed("hooks.connect", error);
      return { reasonCode: ReasonCode.UNSPECIFIED_ERROR };
    }
  }

  #failed(name: string, error: unknown): void {
    const { counters, now, warn } = this.#parts;
    counters.authenticationErrors++;
    if (now() - (this.#warnedMs.get(name) ?? -Infinity) < WARNING_MS) return;
    this.#warnedMs.set(name, now());
    warn(`${name}: ${messageOf(error)}`);
  }
}

/** The client as it is known now, as the core will see it. */
function identified(client: ClientInfo, known: Admission): ClientInfo {
  const username = known.username ?? known.account ?? client.username;
  return { ...client, username, account: known.account ?? username, claims: known.claims ?? NO_CLAIMS };
}

async function answerInTime(ask: () => Promise<Answer> | Answer): Promise<Answer> {
  const answer = ask();
  if (!(answer instanceof Promise)) return answer;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new Error(`no answer within ${ANSWER_TIMEOUT_MS} ms`)),
      ANSWER_TIMEOUT_MS,
    );
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** A function of the application may give anything. Nothing is not yes. */
function isAnswer(answer: unknown): answer is Answer {
  if (answer === "unknown") return true;
  if (typeof answer !== "object" || answer === null) return false;
  return !("reasonCode" in answer) || (typeof answer.reasonCode === "number" && answer.reasonCode >= 0x80);
}
