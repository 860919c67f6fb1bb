// Whom a rule is for: users, client identifiers, claims, addresses, listeners.

import { type BlockList, isIP } from "node:net";
import { matchesGlob } from "./glob.ts";
import { claimValues, isAway, userOf, type Subject } from "./subject.ts";

/** All that is given has to fit; of each list, one item. Names may have "*" for any characters. */
export interface Who {
  readonly users?: readonly string[];
  readonly clientIds?: readonly string[];
  readonly claims?: ReadonlyMap<string, readonly string[]>;
  readonly addresses?: BlockList;
  readonly listeners?: readonly string[];
  /** Whether nobody showed who the client is. */
  readonly anonymous?: boolean;
  /** Those for whom the rule is not. */
  readonly except?: Who;
}

/** @param unknown what holds of a condition that cannot be looked at, because the client is away. */
export function isMeant(who: Who, subject: Subject, unknown: boolean): boolean {
  const user = userOf(subject);
  if (who.anonymous !== undefined && who.anonymous !== (subject.account === undefined)) return false;
  if (who.users !== undefined && (user === undefined || !matchesAny(user, who.users))) return false;
  if (who.clientIds !== undefined && !matchesAny(subject.clientId, who.clientIds)) return false;
  if (!isThere(who, subject, unknown)) return false;
  return who.except === undefined || !isMeant(who.except, subject, !unknown);
}

/** The conditions on what is only known of a client that is here. */
function isThere({ listeners, addresses, claims }: Who, subject: Subject, unknown: boolean): boolean {
  if (listeners === undefined && addresses === undefined && claims === undefined) return true;
  if (isAway(subject)) return unknown;
  if (listeners !== undefined && !listeners.includes(subject.listener)) return false;
  if (addresses !== undefined && !contains(addresses, subject.remoteAddress)) return false;
  return claims === undefined || hasClaims(claims, subject);
}

function matchesAny(name: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => pattern === name || matchesGlob(name, pattern));
}

function hasClaims(claims: ReadonlyMap<string, readonly string[]>, subject: Subject): boolean {
  for (const [name, patterns] of claims) {
    if (!claimValues(subject, name).some((value) => matchesAny(value, patterns))) return false;
  }
  return true;
}

const MAPPED = "::ffff:";

function contains(addresses: BlockList, remoteAddress: string): boolean {
  const host = hostOf(remoteAddress);
  // A socket that listens on both families shows IPv4 addresses like this.
  const isMapped = host.startsWith(MAPPED) && isIP(host.slice(MAPPED.length)) === 4;
  const address = isMapped ? host.slice(MAPPED.length) : host;
  const version = isIP(address);
  return version !== 0 && addresses.check(address, version === 4 ? "ipv4" : "ipv6");
}

/** The address in "192.0.2.1:50000" or "[2001:db8::1]:50000". */
function hostOf(remoteAddress: string): string {
  if (remoteAddress.startsWith("[")) return remoteAddress.slice(1, remoteAddress.indexOf("]"));
  const colon = remoteAddress.indexOf(":");
  const isOnly = colon >= 0 && !remoteAddress.includes(":", colon + 1);
  return isOnly ? remoteAddress.slice(0, colon) : remoteAddress;
}
