// The options that say how clients show who they are, and their defaults. How they are read stands in config/authentication.ts.

import type { AuthenticateFunction } from "./authenticator.ts";
import type { CertificateField } from "./certificate.ts";

/** Names and hashes of passwords in a file. */
export interface PasswordFileOptions {
  /** Made by `heirloom passwd`, or Mosquitto's. */
  readonly passwordFile: string;
}

/** A client certificate, on listeners that ask for one. */
export interface CertificateOptions {
  readonly certificate: {
    /** What names the user. Default "commonName". */
    readonly field?: CertificateField;
  };
}

/** Tokens. Exactly one of the four places of keys is given. */
export interface JwtFields {
  readonly jwksFile?: string;
  readonly jwksUrl?: string;
  readonly publicKeyFile?: string;
  readonly secretFile?: string;
  /** Certificates that the server of `jwksUrl` has to come from. */
  readonly caFile?: string;
  readonly issuer?: string;
  readonly audience?: readonly string[];
  readonly algorithms?: readonly string[];
  /** Default "sub". */
  readonly usernameClaim?: string;
  /** Default "password". */
  readonly from?: "password" | "username";
  /** Default false. */
  readonly matchUsername?: boolean;
  /** Seconds. Default 0. */
  readonly clockTolerance?: number;
}

export interface JwtOptions {
  readonly jwt: JwtFields;
}

/** A server of the operator that is asked. */
export interface WebhookFields {
  readonly url: string;
  /** Milliseconds to the whole answer. Default 5000. */
  readonly timeoutMs?: number;
  /** Milliseconds that an answer is remembered. Default 60,000; 0 = not at all. */
  readonly cacheForMs?: number;
  /** Answers that are remembered. Default 10,000. */
  readonly cacheEntries?: number;
  /** Requests at the same time. Default 32. */
  readonly requestsAtOnce?: number;
  /** Requests that wait; clients beyond them are refused. Default 1000. */
  readonly requestsWaiting?: number;
  readonly bearerTokenFile?: string;
  /** Certificates that the server has to come from. */
  readonly caFile?: string;
}

export interface WebhookOptions {
  readonly webhook: WebhookFields;
}

/** SCRAM-SHA-256 with the users of a password file that `heirloom passwd --scram` wrote. */
export interface ScramOptions {
  readonly scram: { readonly passwordFile: string };
}

/** One way of showing who a client is, as a file has it. */
export type AuthenticatorOptions =
  PasswordFileOptions | CertificateOptions | JwtOptions | WebhookOptions | ScramOptions;

/** The same in a program, which may also give functions. */
export type Authentication = AuthenticatorOptions | AuthenticateFunction;

/** What logging in may cost, and what guessing leads to. */
export interface LoginLimits {
  /** Passwords that are hashed at the same time. */
  readonly hashesAtOnce: number;
  /** Logins that wait for that; more are refused with 0x89. */
  readonly hashesWaiting: number;
  /** Successful logins that are remembered, as keyed hashes. */
  readonly rememberedLogins: number;
  /** Milliseconds. */
  readonly rememberLoginsForMs: number;
  readonly failuresPerUser: number;
  readonly failuresPerSource: number;
  /** Milliseconds. */
  readonly banMs: number;
  readonly trustedSources: readonly string[];
}

export const DEFAULT_LOGIN_LIMITS: LoginLimits = {
  hashesAtOnce: 2,
  hashesWaiting: 1_000,
  rememberedLogins: 10_000,
  rememberLoginsForMs: 600_000,
  failuresPerUser: 10,
  failuresPerSource: 100,
  banMs: 900_000,
  trustedSources: [],
};

export const JWT_DEFAULTS = {
  usernameClaim: "sub",
  from: "password",
  matchUsername: false,
  clockTolerance: 0,
} as const;

export const WEBHOOK_DEFAULTS = {
  timeoutMs: 5_000,
  cacheForMs: 60_000,
  cacheEntries: 10_000,
  requestsAtOnce: 32,
  requestsWaiting: 1_000,
} as const;
