// Whom a rule is for: users, client identifiers, claims, addresses, listeners.

import type { Networks } from "../identity/address.ts";
import { matchesGlob } from "./glob.ts";
import { claimValues, isAway, userOf, type Subject } from "./subject.ts";

/** All that is given has to fit; of each list, one item. Names may have "*" for any characters. */
export interface Who {
  readonly users?: readonly string[];
  readonly clientIds?: readonly string[];
  readonly claims?: ReadonlyMap<string, readonly string[]>;
  readonly addresses?: Networks;
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

/** Whether it matters who the client showed to be. */
export function namesUsers(who: Who | undefined): boolean {
  if (who === undefined) return false;
  return (
    who.users !== undefined || who.claims !== undefined || who.anonymous === false || namesUsers(who.except)
  );
}

/** The conditions on what is only known of a client that is here. */
function isThere({ listeners, addresses, claims }: Who, subject: Subject, unknown: boolean): boolean {
  if (listeners === undefined && addresses === undefined && claims === undefined) return true;
  if (isAway(subject)) return unknown;
  if (listeners !== undefined && !listeners.includes(subject.listener)) return false;
  if (addresses !== undefined && !addresses.has(subject.remoteAddress)) return false;
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
