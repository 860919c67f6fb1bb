// What authenticators get, and what they give back to be read anew and closed.

import type { Authenticator } from "./authenticator.ts";

/** What every authenticator may use. */
export interface AuthenticatorTools {
  /** Tells the operator. */
  readonly warn: (message: string) => void;
  /** Milliseconds that never go back. */
  readonly now: () => number;
  /** Milliseconds since 1970, as other machines have them. */
  readonly wallNow: () => number;
}

/** Something that is read from files, or holds connections. */
export interface Resource {
  /** Reads and checks; returns what puts it to use. @throws ConfigError */
  prepare(): Promise<() => void>;
  close?(): void;
}

/** An authenticator, and what it rests on. */
export interface Made {
  readonly authenticator: Authenticator;
  readonly resource: Resource;
}
