// Who asks for something, as rules see it, and what of it may stand in the place of a level of a topic.

import type { ClientInfo } from "@heirloom/core";

/** What rules know of a client. */
export type Subject = Pick<
  ClientInfo,
  "clientId" | "username" | "account" | "remoteAddress" | "listener" | "claims"
>;

/** What a rule may have in place of a level: `%u`, `%c` and `${claims.name}`. */
export type Variable =
  | { readonly kind: "username" }
  | { readonly kind: "clientId" }
  | { readonly kind: "claim"; readonly name: string };

/**
 * The user name that was shown to be the client's; `undefined` for anonymous clients. A name that nobody checked is not
 * one, whatever CONNECT says.
 */
export function userOf(subject: Subject): string | undefined {
  return subject.account === undefined ? undefined : subject.username;
}

/**
 * Whether the client is away. Of the publisher of a retained message, and of a client whose will is due after a restart,
 * only the names are known; what else its rules ask for was looked at when it was here.
 */
export function isAway(subject: Subject): boolean {
  return subject.listener === "";
}

/** The values of a claim: a text, or the texts of a list. Everything else is no value. */
export function claimValues(subject: Subject, name: string): readonly string[] {
  const claim = subject.claims.get(name);
  if (typeof claim === "string") return [claim];
  if (!Array.isArray(claim)) return NOTHING;
  return claim.filter((value): value is string => typeof value === "string");
}

/** What stands for a variable: no empty name and none that {@link isDangerous}, for with those a rule does not apply. */
export function valuesOf(subject: Subject, variable: Variable): readonly string[] {
  const values = namesOf(subject, variable);
  return values.some((value) => value === "" || isDangerous(value)) ? NOTHING : values;
}

/**
 * Whether a name cannot stand for one level: it would be several, a wildcard, or one of the broker's own topics. Such a
 * client is refused wherever rules use what it is called, for it could neither reach what is its own nor be kept from it.
 */
export function isDangerous(value: string): boolean {
  if (value.startsWith("$")) return true;
  for (const character of value) {
    if (character === "+" || character === "#" || character === "/" || character === "\0") return true;
  }
  return false;
}

/** Whether any of these variables has a value for the client that cannot stand for one level. */
export function dangerousVariable(subject: Subject, variables: Iterable<Variable>): Variable | undefined {
  for (const variable of variables) {
    // A name that nobody checked is judged too: it is what the client will be called once somebody does.
    const names = variable.kind === "username" ? oneName(subject.username) : namesOf(subject, variable);
    if (names.some(isDangerous)) return variable;
  }
  return undefined;
}

const NOTHING: readonly string[] = [];

function namesOf(subject: Subject, variable: Variable): readonly string[] {
  switch (variable.kind) {
    case "username":
      return oneName(userOf(subject));
    case "clientId":
      return oneName(subject.clientId);
    case "claim":
      return claimValues(subject, variable.name);
  }
}

function oneName(name: string | undefined): readonly string[] {
  return name === undefined ? NOTHING : [name];
}
