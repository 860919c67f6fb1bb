// A set of public keys (JWKS) at a URL: fetched when it is first needed, again after a while, and when a token names a key that
// it does not have. Where a token says that its keys are (jku, x5u) is never looked at. RFC 7517.

import { errors, type JWTVerifyGetKey } from "jose";
import { HttpError, messageOf } from "../errors.ts";
import type { JsonEndpoint } from "./http.ts";
import { keysOfSet, PUBLIC_ALGORITHMS, type TokenKeys } from "./jwt-keys.ts";

/** Milliseconds. A set that is older is fetched again, while the old one stays in use. */
const MAXIMUM_AGE_MS = 600_000;
/** Milliseconds between two fetches at least: anybody can send tokens with keys that there are not. */
const COOL_DOWN_MS = 30_000;
/** The same while there is no set at all, and nobody can come in. */
const FIRST_COOL_DOWN_MS = 2_000;

/** A JWKS at a URL. The last one that was good stays in use while the server is down. */
export class RemoteKeys implements TokenKeys {
  readonly algorithms: readonly string[] = PUBLIC_ALGORITHMS;
  readonly #endpoint: JsonEndpoint;
  readonly #now: () => number;
  readonly #warn: (message: string) => void;
  #keys: TokenKeys | undefined;
  #fetchedMs = -Infinity;
  #triedMs = -Infinity;
  #fetch: Promise<void> | undefined;

  /** @param warn told when the set could not be fetched anew, and the old one stays. */
  constructor(endpoint: JsonEndpoint, now: () => number, warn: (message: string) => void) {
    this.#endpoint = endpoint;
    this.#now = now;
    this.#warn = warn;
  }

  readonly getKey: JWTVerifyGetKey = async (header, token) => {
    if (this.#keys === undefined) await this.#refresh();
    else if (this.#now() - this.#fetchedMs >= MAXIMUM_AGE_MS) void this.#refreshIfPossible();
    const keys = this.#keys;
    if (keys === undefined) throw new HttpError("the keys of tokens could not be fetched yet");
    try {
      return await keys.getKey(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
    }
    // Perhaps a new key.
    await this.#refreshIfPossible();
    return (this.#keys ?? keys).getKey(header, token);
  };

  /** Fetches the set, unless that was tried a moment ago. @throws HttpError when the server does not answer as agreed. */
  #refresh(): Promise<void> {
    if (this.#fetch !== undefined) return this.#fetch;
    const coolDownMs = this.#keys === undefined ? FIRST_COOL_DOWN_MS : COOL_DOWN_MS;
    if (this.#now() - this.#triedMs < coolDownMs) return Promise.resolve();
    this.#triedMs = this.#now();
    this.#fetch = this.#fetchNow().finally(() => (this.#fetch = undefined));
    return this.#fetch;
  }

  async #refreshIfPossible(): Promise<void> {
    try {
      await this.#refresh();
    } catch (error) {
      this.#warn(`the keys of tokens stay as they are: ${messageOf(error)}`);
    }
  }

  async #fetchNow(): Promise<void> {
    this.#keys = keysOfSet(await this.#endpoint.get());
    this.#fetchedMs = this.#now();
  }
}
