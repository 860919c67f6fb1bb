// Asks a server of the operator who a client is. POST of what is known about the client; the answer is
// {"result": "allow" | "deny" | "ignore", "account": ..., "claims": {...}, "expiresIn": seconds}.
// Whatever goes wrong refuses the client: there is no answer that lets it in but "allow".

import type { Admission } from "@heirloom/core";
import { HttpError } from "../errors.ts";
import { addressOf, sourceOf } from "./address.ts";
import type { Answer, Attempt, Authenticator } from "./authenticator.ts";
import { claimsOf, isObject } from "./claims.ts";
import type { JsonEndpoint } from "./http.ts";
import type { KeyedCache } from "./keyed-cache.ts";
import { WRONG_CREDENTIALS } from "./password-authenticator.ts";
import { usernameFault } from "./username.ts";

/** What the server said of a client, and until when the client may stay. */
export interface Judgement {
  readonly answer: Answer;
  /** `undefined` = as long as it likes. */
  readonly endsAtMs: number | undefined;
}

export class WebhookAuthenticator implements Authenticator {
  readonly name = "webhook";
  readonly #endpoint: JsonEndpoint;
  readonly #cache: KeyedCache<Judgement>;
  readonly #cacheForMs: number;
  readonly #now: () => number;

  constructor(endpoint: JsonEndpoint, cache: KeyedCache<Judgement>, cacheForMs: number, now: () => number) {
    this.#endpoint = endpoint;
    this.#cache = cache;
    this.#cacheForMs = cacheForMs;
    this.#now = now;
  }

  /** @throws HttpError when the server does not answer as agreed. */
  async authenticate(attempt: Attempt): Promise<Answer> {
    const question = questionOf(attempt);
    const key = this.#cache.keyOf([JSON.stringify(question)]);
    const known = this.#cache.get(key);
    if (known !== undefined) return this.#answerOf(known);
    const refusal = attempt.refusal();
    if (refusal !== undefined) return refusal;
    const judgement = this.#judge(
      await this.#endpoint.post(question, sourceOf(attempt.client.remoteAddress)),
    );
    const leftMs = judgement.endsAtMs === undefined ? Infinity : judgement.endsAtMs - this.#now();
    this.#cache.set(key, judgement, Math.min(this.#cacheForMs, leftMs));
    return this.#answerOf(judgement);
  }

  #judge(body: unknown): Judgement {
    const { place } = this.#endpoint;
    if (!isObject(body)) throw new HttpError(`${place}: expected an object with \`result\``);
    switch (body["result"]) {
      case "allow":
        return this.#allowed(body);
      case "deny":
        return { answer: WRONG_CREDENTIALS, endsAtMs: undefined };
      case "ignore":
        return { answer: "unknown", endsAtMs: undefined };
      default:
        throw new HttpError(`${place}: expected \`result\` to be "allow", "deny" or "ignore"`);
    }
  }

  #allowed(body: Readonly<Record<string, unknown>>): Judgement {
    const { place } = this.#endpoint;
    const { account, claims, expiresIn } = body;
    if (account !== undefined && (typeof account !== "string" || usernameFault(account) !== undefined)) {
      throw new HttpError(`${place}: expected \`account\` to be a text that can name a user`);
    }
    if (claims !== undefined && !isObject(claims)) {
      throw new HttpError(`${place}: expected \`claims\` to be an object`);
    }
    if (expiresIn !== undefined && (typeof expiresIn !== "number" || !(expiresIn > 0))) {
      throw new HttpError(`${place}: expected \`expiresIn\` to be a number of seconds`);
    }
    const answer: Admission = {
      ...(account === undefined ? {} : { username: account, account }),
      ...(claims === undefined ? {} : { claims: claimsOf(claims) }),
    };
    return { answer, endsAtMs: expiresIn === undefined ? undefined : this.#now() + expiresIn * 1_000 };
  }

  #answerOf({ answer, endsAtMs }: Judgement): Answer {
    if (answer === "unknown" || endsAtMs === undefined) return answer;
    return { ...answer, validForMs: Math.max(endsAtMs - this.#now(), 1) };
  }
}

function questionOf({ connect, client }: Attempt): Readonly<Record<string, unknown>> {
  return {
    clientId: client.clientId,
    username: connect.username,
    ...passwordOf(connect.password),
    // The port is another one each time, and says nothing.
    remoteAddress: addressOf(client.remoteAddress),
    listener: client.listener,
    protocolVersion: client.protocolVersion,
    certificateCommonNames: client.certificate?.commonNames,
  };
}

/** A password is bytes: as text where it is one. */
function passwordOf(password: Uint8Array | undefined): Readonly<Record<string, string>> {
  if (password === undefined) return {};
  const text = Buffer.from(password).toString("utf8");
  const isText = Buffer.from(text, "utf8").equals(password);
  return isText ? { password: text } : { passwordBase64: Buffer.from(password).toString("base64") };
}
