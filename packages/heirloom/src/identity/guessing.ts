// Against guessing passwords: a wrong one costs its source time, more and more, and in the end a ban.
//
// Two counts: of a user name as tried from one source (an IPv4 address or an IPv6 /64), and of a source over all user names.
// There is none of a user name over all sources: then anybody could lock anybody out. All clients of a Unix socket have one
// address: there, nobody is banned for what others did, and a user name only has to wait.

import { ReasonCode } from "@heirloom/codec";
import type { Refusal } from "@heirloom/core";
import type { ServerCounters } from "../counters.ts";
import { Networks, sourceOf } from "./address.ts";

export interface GuessingOptions {
  /** Wrong passwords for one user name from one source, then it is banned. */
  readonly failuresPerUser: number;
  /** Wrong passwords from one source for all user names, then it is banned. */
  readonly failuresPerSource: number;
  /** Milliseconds. Failures are forgotten when so much time has passed without another one. */
  readonly banMs: number;
  /** Networks that are never banned or held up, such as that of a proxy. */
  readonly trustedSources: readonly string[];
}

/** Failures without consequences: people mistype. */
const FREE_FAILURES = 2;
const FIRST_DELAY_MS = 1_000;
const MAXIMUM_DELAY_MS = 60_000;
/** Sources and pairs that are remembered; beyond them the one that failed longest ago is forgotten. */
const MAXIMUM_ENTRIES = 20_000;

/** Begins the address of a client that came over one; the mode of the socket says who may. */
const UNIX_SOCKET = "unix:";

const SLOW_DOWN: Refusal = {
  reasonCode: ReasonCode.CONNECTION_RATE_EXCEEDED,
  reasonString: "wrong passwords came from there; try again later",
};
const BANNED: Refusal = {
  reasonCode: ReasonCode.BANNED,
  reasonString: "too many wrong passwords came from there",
};

interface Failures {
  count: number;
  latestMs: number;
  /** No attempt is looked at before; 0 = no ban, no delay. */
  refusedUntilMs: number;
  isBanned: boolean;
}

/** Remembers who failed to log in. */
export class Guessing {
  readonly #options: GuessingOptions;
  readonly #trusted: Networks;
  readonly #counters: ServerCounters;
  readonly #now: () => number;
  readonly #pairs = new Map<string, Failures>();
  readonly #sources = new Map<string, Failures>();

  constructor(options: GuessingOptions, counters: ServerCounters, now: () => number) {
    this.#options = options;
    this.#trusted = new Networks(options.trustedSources);
    this.#counters = counters;
    this.#now = now;
  }

  /** Whether an attempt is refused before anything is looked at. */
  refusal(remoteAddress: string, username: string): Refusal | undefined {
    if (this.#pairs.size === 0 && this.#sources.size === 0) return undefined;
    const source = sourceOf(remoteAddress);
    return this.#refusalOf(this.#sources, source) ?? this.#refusalOf(this.#pairs, pairOf(source, username));
  }

  /** Whether all of an address is banned. */
  isBanned(remoteAddress: string): boolean {
    if (this.#sources.size === 0) return false;
    const failures = this.#sources.get(sourceOf(remoteAddress));
    return failures?.isBanned === true && this.#now() < failures.refusedUntilMs;
  }

  /** A wrong password, or a user that there is not. */
  failed(remoteAddress: string, username: string): void {
    this.#counters.authenticationFailures++;
    if (this.#trusted.has(remoteAddress)) return;
    const source = sourceOf(remoteAddress);
    const { failuresPerSource, failuresPerUser } = this.#options;
    const isShared = source.startsWith(UNIX_SOCKET);
    if (!isShared) this.#count(this.#sources, source, failuresPerSource, false);
    this.#count(this.#pairs, pairOf(source, username), isShared ? Infinity : failuresPerUser, true);
  }

  /**
   * The right password. Forgets the failures of this user name from there; not those of the source, which an attacker
   * with one account of its own could wipe out otherwise.
   */
  succeeded(remoteAddress: string, username: string): void {
    if (this.#pairs.size > 0) this.#forget(this.#pairs, pairOf(sourceOf(remoteAddress), username));
  }

  #refusalOf(entries: Map<string, Failures>, key: string): Refusal | undefined {
    const failures = entries.get(key);
    if (failures === undefined) return undefined;
    const now = this.#now();
    if (now < failures.refusedUntilMs) {
      this.#counters.authenticationHeldUp++;
      return failures.isBanned ? BANNED : SLOW_DOWN;
    }
    if (failures.isBanned || now - failures.latestMs >= this.#options.banMs) this.#forget(entries, key);
    return undefined;
  }

  #count(entries: Map<string, Failures>, key: string, maximum: number, isDelayed: boolean): void {
    const now = this.#now();
    const { banMs } = this.#options;
    const before = entries.get(key);
    const isFresh = before !== undefined && now - before.latestMs < banMs;
    const count = isFresh ? before.count + 1 : 1;
    const isBanned = count >= maximum;
    const delayMs = isBanned ? banMs : isDelayed ? delayAfter(count) : 0;
    this.#forget(entries, key);
    this.#makeRoom(entries);
    entries.set(key, { count, latestMs: now, refusedUntilMs: now + delayMs, isBanned });
    if (isBanned) this.#counters.bansActive++;
  }

  #makeRoom(entries: Map<string, Failures>): void {
    for (const oldest of entries.keys()) {
      const isOver = this.#now() - (entries.get(oldest)?.latestMs ?? 0) >= this.#options.banMs;
      if (entries.size < MAXIMUM_ENTRIES && !isOver) return;
      this.#forget(entries, oldest);
    }
  }

  #forget(entries: Map<string, Failures>, key: string): void {
    if (entries.get(key)?.isBanned === true) this.#counters.bansActive--;
    entries.delete(key);
  }
}

function delayAfter(count: number): number {
  if (count <= FREE_FAILURES) return 0;
  return Math.min(FIRST_DELAY_MS * 2 ** (count - FREE_FAILURES - 1), MAXIMUM_DELAY_MS);
}

/** A source has no blank, so that no two pairs are the same. User names are as long as clients like: only so much counts. */
function pairOf(source: string, username: string): string {
  return `${source} ${username.slice(0, MAXIMUM_NAME_LENGTH)}`;
}

const MAXIMUM_NAME_LENGTH = 256;
