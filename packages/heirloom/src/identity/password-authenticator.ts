// User name and password of CONNECT, against a password file. Hashing has a bound, and its successes are remembered for a
// while, so that a thousand clients that come back at once do not keep the processors busy for minutes.

import { ReasonCode } from "@heirloom/codec";
import type { Refusal } from "@heirloom/core";
import { sourceOf } from "./address.ts";
import type { Answer, Attempt, Authenticator } from "./authenticator.ts";
import type { KeyedCache } from "./keyed-cache.ts";
import type { PasswordFile } from "./password-file.ts";
import type { PasswordHash } from "./password-hash.ts";
import { TURNED_AWAY, type Slots } from "./slots.ts";

/** Longer passwords are refused, never cut: more bytes only cost time. */
export const MAXIMUM_PASSWORD_BYTES = 1_024;

/** The one answer to a wrong password and to a user that there is not. */
export const WRONG_CREDENTIALS: Refusal = {
  reasonCode: ReasonCode.BAD_USER_NAME_OR_PASSWORD,
  reasonString: "no such user name and password",
};

export const TOO_MANY_LOGINS: Refusal = {
  reasonCode: ReasonCode.SERVER_BUSY,
  reasonString: "too many clients log in at the moment",
};

/** What password authenticators of one broker share. */
export interface PasswordWork {
  /** Hashes at once, and logins that wait. */
  readonly slots: Slots;
  /** The files of all of them: who is in none of these is unknown. */
  readonly files: readonly (() => PasswordFile)[];
  readonly verified: KeyedCache<true>;
  /** Milliseconds. */
  readonly verifiedForMs: number;
}

export class PasswordAuthenticator implements Authenticator {
  readonly name = "passwordFile";
  readonly #file: () => PasswordFile;
  readonly #work: PasswordWork;

  /** @param file what stands in the file at this moment. */
  constructor(file: () => PasswordFile, work: PasswordWork) {
    this.#file = file;
    this.#work = work;
  }

  async authenticate(attempt: Attempt): Promise<Answer> {
    const { username, password } = attempt.connect;
    const hash = username === undefined ? undefined : this.#file().users.get(username);
    if (username === undefined || hash === undefined) return "unknown";
    // An account without a password does not exist, so an empty one is as wrong as none.
    if (password === undefined || password.length === 0) return WRONG_CREDENTIALS;
    if (password.length > MAXIMUM_PASSWORD_BYTES) return WRONG_CREDENTIALS;
    const { verified, verifiedForMs } = this.#work;
    // With the hash in the key, a password that was changed is not remembered.
    const key = verified.keyOf([username, password, hash.text]);
    if (verified.get(key) === true) return { username, account: username };
    const isRight = await this.#verify(attempt, hash, password);
    if (isRight !== true) return isRight === false ? WRONG_CREDENTIALS : isRight;
    // The file may have been read anew meanwhile.
    if (this.#file().users.get(username)?.text !== hash.text) return WRONG_CREDENTIALS;
    verified.set(key, true, verifiedForMs);
    return { username, account: username };
  }

  async decoy(attempt: Attempt): Promise<Refusal | undefined> {
    const { username, password } = attempt.connect;
    if (username === undefined || password === undefined || password.length === 0) return undefined;
    if (password.length > MAXIMUM_PASSWORD_BYTES) return undefined;
    const hash = this.#someHash(username);
    if (hash === undefined) return undefined;
    const isRight = await this.#verify(attempt, hash, password);
    return typeof isRight === "boolean" ? undefined : isRight;
  }

  async #verify(attempt: Attempt, hash: PasswordHash, password: Uint8Array): Promise<boolean | Refusal> {
    const source = sourceOf(attempt.client.remoteAddress);
    const verify = (): Refusal | Promise<boolean> => attempt.refusal() ?? hash.verify(password);
    const result = await this.#work.slots.run<boolean | Refusal>(verify, source);
    return result === TURNED_AWAY ? TOO_MANY_LOGINS : result;
  }

  /**
   * One of all files, and always the same one for a user name, so that the cost of a login tells nothing where there are
   * several kinds of hashes.
   */
  #someHash(username: string): PasswordHash | undefined {
    const { files, verified } = this.#work;
    const lists = files.map((file) => file().hashes);
    const count = lists.reduce((sum, hashes) => sum + hashes.length, 0);
    if (count === 0) return undefined;
    const digest = verified.keyOf(["decoy", username]);
    let index = Buffer.from(digest, "base64").readUInt32BE() % count;
    for (const hashes of lists) {
      if (index < hashes.length) return hashes[index];
      index -= hashes.length;
    }
    return undefined;
  }
}
