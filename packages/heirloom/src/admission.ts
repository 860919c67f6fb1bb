// Who may connect at all, before a byte of theirs was read: so many connections of one address, so many a second, and none
// from where somebody guesses passwords. An IPv6 network of 64 bits counts as one address. Knows neither sockets nor clocks.

import { ReasonCode } from "@heirloom/codec";
import type { Refusal } from "@heirloom/core";
import { BURST_SECONDS, type AdmissionLimits } from "./config/admission-options.ts";
import type { ServerCounters } from "./counters.ts";
import { addressOf, sourceOf } from "./identity/address.ts";
import { isLoopback } from "./loopback.ts";

/** Addresses whose rate is remembered; beyond them the one that connected longest ago is forgotten. */
const MAXIMUM_RATES = 20_000;

const NOT_COUNTED = (): void => {};

export interface AdmissionParts {
  readonly limits: AdmissionLimits;
  readonly counters: ServerCounters;
  /** Whether an address is closed out because of the passwords that came from it. */
  readonly isBanned: (remoteAddress: string) => boolean;
  /** Milliseconds that never go back. */
  readonly now: () => number;
}

/** An answer to a connection: why it is closed, or what to call when it has ended. */
export type Admitted = { readonly refusal: Refusal } | { readonly ended: () => void };

export class Admission {
  readonly #parts: AdmissionParts;
  readonly #rate: Tokens | undefined;
  /** By source, the one that connected longest ago first. */
  readonly #rates = new Map<string, Tokens>();
  /** Connections that are open, by source. */
  readonly #open = new Map<string, number>();

  constructor(parts: AdmissionParts) {
    this.#parts = parts;
    const { connectRate } = parts.limits;
    if (connectRate > 0) this.#rate = new Tokens(connectRate, parts.now());
  }

  /** Sources that it remembers something of. */
  get size(): number {
    return this.#rates.size + this.#open.size;
  }

  admit(remoteAddress: string): Admitted {
    const { limits, counters, isBanned, now } = this.#parts;
    if (isBanned(remoteAddress)) {
      counters.connectionsRefusedByBan++;
      return refused(ReasonCode.BANNED, "too many wrong passwords came from there");
    }
    const source = this.#countedSource(remoteAddress);
    if (source !== undefined) {
      const refusal = this.#refusalOf(source);
      if (refusal !== undefined) return { refusal };
    }
    if (this.#rate?.take(now()) === false) {
      counters.connectionsRefusedByRate++;
      return refused(ReasonCode.CONNECTION_RATE_EXCEEDED, `more than ${limits.connectRate} a second`);
    }
    if (source === undefined || limits.connectionsPerAddress === 0) return { ended: NOT_COUNTED };
    this.#open.set(source, (this.#open.get(source) ?? 0) + 1);
    return { ended: () => this.#ended(source) };
  }

  /** What the limits of one address count; `undefined` = not this connection. */
  #countedSource(remoteAddress: string): string | undefined {
    const { connectionsPerAddress, connectRatePerAddress, countsThisMachine } = this.#parts.limits;
    if (connectionsPerAddress === 0 && connectRatePerAddress === 0) return undefined;
    if (!countsThisMachine && isLoopback(addressOf(remoteAddress))) return undefined;
    return sourceOf(remoteAddress);
  }

  #refusalOf(source: string): Refusal | undefined {
    const { limits, counters } = this.#parts;
    const { connectionsPerAddress, connectRatePerAddress } = limits;
    if (connectionsPerAddress > 0 && (this.#open.get(source) ?? 0) >= connectionsPerAddress) {
      counters.connectionsRefusedByAddress++;
      const reasonString = `${connectionsPerAddress} connections of this address are open`;
      return { reasonCode: ReasonCode.QUOTA_EXCEEDED, reasonString };
    }
    if (connectRatePerAddress > 0 && !this.#takeRate(source)) {
      counters.connectionsRefusedByAddressRate++;
      const reasonString = `more than ${connectRatePerAddress} a second from this address`;
      return { reasonCode: ReasonCode.CONNECTION_RATE_EXCEEDED, reasonString };
    }
    return undefined;
  }

  #takeRate(source: string): boolean {
    const now = this.#parts.now();
    const tokens = this.#rates.get(source) ?? new Tokens(this.#parts.limits.connectRatePerAddress, now);
    // Behind all others, which makes the first one that of longest ago.
    this.#rates.delete(source);
    this.#rates.set(source, tokens);
    if (this.#rates.size > MAXIMUM_RATES) this.#forgetOldest();
    return tokens.take(now);
  }

  #forgetOldest(): void {
    for (const oldest of this.#rates.keys()) {
      this.#rates.delete(oldest);
      return;
    }
  }

  #ended(source: string): void {
    const open = this.#open.get(source) ?? 0;
    if (open <= 1) this.#open.delete(source);
    else this.#open.set(source, open - 1);
  }
}

/** A rate with a burst. What is refused takes nothing: a flood does not make itself last longer than it does. */
class Tokens {
  readonly #perMs: number;
  readonly #most: number;
  #left: number;
  #atMs: number;

  constructor(perSecond: number, nowMs: number) {
    this.#perMs = perSecond / 1_000;
    this.#most = perSecond * BURST_SECONDS;
    this.#left = this.#most;
    this.#atMs = nowMs;
  }

  take(nowMs: number): boolean {
    this.#left = Math.min(this.#most, this.#left + (nowMs - this.#atMs) * this.#perMs);
    this.#atMs = nowMs;
    if (this.#left < 1) return false;
    this.#left--;
    return true;
  }
}

function refused(reasonCode: number, reasonString: string): Admitted {
  return { refusal: { reasonCode, reasonString } };
}
