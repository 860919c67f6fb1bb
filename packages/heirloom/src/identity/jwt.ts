// A JSON Web Token in the password, or the user name, of CONNECT: who signed it says who the client is, and until when.
// RFC 7519; RFC 8725 for what not to believe of a token.

import { ReasonCode } from "@heirloom/codec";
import type { Refusal } from "@heirloom/core";
import { decodeJwt, errors, jwtVerify, type JWTPayload, type JWTVerifyOptions } from "jose";
import type { Answer, Attempt, Authenticator } from "./authenticator.ts";
import { claimsOf } from "./claims.ts";
import type { TokenKeys } from "./jwt-keys.ts";
import { usernameFault } from "./username.ts";

export interface TokenRules {
  /** The value of `iss`. Tokens of other issuers are left to the next authenticator. */
  readonly issuer: string | undefined;
  /** One of these must be in `aud`. */
  readonly audience: readonly string[] | undefined;
  /** The claim that names the user. */
  readonly usernameClaim: string;
  /** Where in CONNECT the token stands. */
  readonly from: "password" | "username";
  /** Whether the user name of CONNECT must be that of the token. */
  readonly matchUsername: boolean;
  /** Seconds by which clocks may differ. */
  readonly clockTolerance: number;
  /** Narrows what the keys allow. */
  readonly algorithms: readonly string[] | undefined;
}

const MAXIMUM_TOKEN_BYTES = 8_192;

export class JwtAuthenticator implements Authenticator {
  readonly name = "jwt";
  readonly #keys: () => TokenKeys;
  readonly #rules: TokenRules;
  readonly #wallNow: () => number;

  /** @param wallNow milliseconds since 1970, as the issuer's clock has them. */
  constructor(keys: () => TokenKeys, rules: TokenRules, wallNow: () => number) {
    this.#keys = keys;
    this.#rules = rules;
    this.#wallNow = wallNow;
  }

  /** @throws HttpError when nothing can be said about the token. */
  async authenticate(attempt: Attempt): Promise<Answer> {
    const token = this.#tokenOf(attempt);
    if (token === undefined || !hasFormOfToken(token)) return "unknown";
    if (Buffer.byteLength(token) > MAXIMUM_TOKEN_BYTES) {
      return refuse(`a token of more than ${MAXIMUM_TOKEN_BYTES} bytes`);
    }
    const { issuer } = this.#rules;
    if (issuer !== undefined && issuerOf(token) !== issuer) return "unknown";
    const payload = await this.#verified(token);
    return typeof payload === "string" ? refuse(payload) : this.#admit(attempt, payload);
  }

  #tokenOf({ connect }: Attempt): string | undefined {
    if (this.#rules.from === "username") return connect.username;
    // Whatever is no ASCII has not the form of a token either.
    return connect.password === undefined ? undefined : Buffer.from(connect.password).toString("latin1");
  }

  /** @returns what the token says, or in words why it is not believed. */
  async #verified(token: string): Promise<JWTPayload | string> {
    const keys = this.#keys();
    const { issuer, audience, clockTolerance, algorithms } = this.#rules;
    const options: JWTVerifyOptions = {
      algorithms: keys.algorithms.filter((name) => algorithms === undefined || algorithms.includes(name)),
      requiredClaims: ["exp", this.#rules.usernameClaim],
      clockTolerance,
      currentDate: new Date(this.#wallNow()),
      ...(issuer === undefined ? {} : { issuer }),
      ...(audience === undefined ? {} : { audience: [...audience] }),
    };
    try {
      const { payload } = await jwtVerify(token, keys.getKey, options);
      return payload;
    } catch (error) {
      if (error instanceof errors.JWTClaimValidationFailed)
        return `a token with a wrong claim: ${error.claim}`;
      if (error instanceof errors.JWTExpired) return "a token that has expired";
      // What jose says of a token that cannot be believed; a key of another type is a TypeError.
      if (error instanceof errors.JOSEError || error instanceof TypeError) return "a token that is not valid";
      throw error;
    }
  }

  #admit({ connect }: Attempt, payload: JWTPayload): Answer {
    const { usernameClaim, matchUsername, from } = this.#rules;
    const username = payload[usernameClaim];
    if (typeof username !== "string") return refuse(`a token whose claim ${usernameClaim} is no text`);
    const fault = usernameFault(username);
    if (fault !== undefined) return refuse(`a token with ${fault}`);
    if (matchUsername && from === "password" && connect.username !== username) {
      return refuse("a token of another user name");
    }
    const leftMs = ((payload.exp ?? 0) + this.#rules.clockTolerance) * 1_000 - this.#wallNow();
    return {
      username,
      account: username,
      claims: claimsOf(payload),
      validForMs: Math.max(leftMs, 1),
    };
  }
}

/** Three parts of base64url, RFC 7515 section 3.1. */
function hasFormOfToken(text: string): boolean {
  return /^eyJ[\w-]*\.[\w-]*\.[\w-]*$/.test(text);
}

/** What a token says of its issuer, before it is believed. */
function issuerOf(token: string): string | undefined {
  try {
    return decodeJwt(token).iss;
  } catch {
    return undefined;
  }
}

function refuse(reasonString: string): Refusal {
  return { reasonCode: ReasonCode.BAD_USER_NAME_OR_PASSWORD, reasonString };
}
