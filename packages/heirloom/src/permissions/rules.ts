// Rules about topics, and how they are evaluated: the one place that decides, for PUBLISH, wills, SUBSCRIBE and
// deliveries alike.
//
// 1. A deny rule that applies wins, wherever it stands.
// 2. Else an allow rule that applies allows.
// 3. Else the rules say nothing. What no source allows is refused.
//
// The order of rules means nothing. Rules may stand in several stages: those of a later stage are only asked when those
// of the earlier ones say nothing.

import type { QoS } from "@heirloom/codec";
import { matchesGlob } from "./glob.ts";
import { Action, type Rule } from "./rule.ts";
import { RuleIndex } from "./rule-index.ts";
import { dangerousVariable, type Subject, type Variable } from "./subject.ts";
import { NO_ACCESS, type Source, type SourceAccess, type SubscribeVerdict, type Verdict } from "./verdict.ts";
import { isMeant, namesUsers } from "./who.ts";

export interface RuleSetOptions {
  /**
   * What a filter of SUBSCRIBE needs: a rule that covers all of it, or one that overlaps with it; then deliveries alone
   * decide what the client sees.
   */
  readonly subscribeNeeds: "cover" | "overlap";
}

/** Rules that are evaluated together. */
export class RuleSet implements Source {
  /** Number of rules. */
  readonly size: number;
  readonly isAboutUsers: boolean;
  readonly #stages: readonly Stage[];
  readonly #subscribeNeeds: RuleSetOptions["subscribeNeeds"];
  readonly #variables: readonly Variable[];

  constructor(stages: readonly (readonly Rule[])[], options: RuleSetOptions) {
    this.#stages = stages.map((rules) => new Stage(rules));
    this.#subscribeNeeds = options.subscribeNeeds;
    const all = stages.flat();
    this.size = all.length;
    this.#variables = distinct(all.flatMap((rule) => rule.pattern.variables));
    this.isAboutUsers =
      all.some(({ who }) => namesUsers(who)) || this.#variables.some(({ kind }) => kind !== "clientId");
  }

  identityFault(subject: Subject): string | undefined {
    const variable = dangerousVariable(subject, this.#variables);
    if (variable === undefined) return undefined;
    return `${nameOf(variable)} begins with $ or has one of + # / or U+0000 in it, and permissions depend on it`;
  }

  accessOf(subject: Subject): SourceAccess {
    if (this.identityFault(subject) !== undefined) return NO_ACCESS;
    return {
      publish: (topicName, qos, retain) =>
        this.#first((stage) => stage.publish(subject, topicName, qos, retain)),
      receive: (topicName) => this.#first((stage) => stage.receive(subject, topicName)),
      subscribe: (topicFilter, qos, shareName) =>
        this.#first((stage) => this.#subscribe(stage, subject, { topicFilter, qos, shareName })),
    };
  }

  #subscribe(stage: Stage, subject: Subject, wish: Wish): SubscribeVerdict {
    return this.#subscribeNeeds === "cover" ? stage.cover(subject, wish) : stage.overlap(subject, wish);
  }

  #first<T>(ask: (stage: Stage) => T | undefined): T | undefined {
    for (const stage of this.#stages) {
      const answer = ask(stage);
      if (answer !== undefined) return answer;
    }
    return undefined;
  }
}

/** One filter of SUBSCRIBE. */
interface Wish {
  readonly topicFilter: string;
  readonly qos: QoS;
  readonly shareName: string | undefined;
}

class Stage {
  readonly #index: RuleIndex;

  constructor(rules: readonly Rule[]) {
    this.#index = new RuleIndex(rules);
  }

  publish(subject: Subject, topicName: string, qos: QoS, retain: boolean): Verdict {
    let verdict: Verdict;
    this.#index.forTopic(subject, topicName, (rule) => {
      if (verdict === "deny" || !isAbout(rule, Action.PUBLISH, subject)) return;
      if (!matches(rule, topicName, subject)) return;
      if (rule.effect === "deny") verdict = "deny";
      else if (qos <= (rule.maximumQoS ?? 2) && !(retain && rule.retain === false)) verdict = "allow";
    });
    return verdict;
  }

  receive(subject: Subject, topicName: string): Verdict {
    let verdict: Verdict;
    this.#index.forTopic(subject, topicName, (rule) => {
      if (verdict === "deny" || !isAbout(rule, Action.RECEIVE, subject)) return;
      if (matches(rule, topicName, subject)) verdict = rule.effect;
    });
    return verdict;
  }

  /** One rule has to allow all that the filter can match; what is denied in part is left out at delivery. */
  cover(subject: Subject, { topicFilter, qos, shareName }: Wish): SubscribeVerdict {
    let verdict: SubscribeVerdict;
    this.#index.coveringFilter(subject, topicFilter, (rule) => {
      if (verdict === "deny" || !isAbout(rule, Action.SUBSCRIBE, subject)) return;
      if (!isAboutShare(rule, shareName) || !rule.pattern.covers(topicFilter, subject)) return;
      verdict = rule.effect === "deny" ? "deny" : higher(verdict, lower(qos, rule.maximumQoS ?? 2));
    });
    return verdict;
  }

  /** One rule has to allow something that the filter can match. */
  overlap(subject: Subject, { topicFilter, qos, shareName }: Wish): SubscribeVerdict {
    let verdict: SubscribeVerdict;
    this.#index.forClient(subject, (rule) => {
      if (verdict === "deny" || !isAbout(rule, Action.RECEIVE, subject) || !isAboutShare(rule, shareName))
        return;
      if (rule.effect === "deny") {
        if (rule.pattern.covers(topicFilter, subject)) verdict = "deny";
      } else if (rule.pattern.overlaps(topicFilter, subject)) {
        verdict = higher(verdict, lower(qos, rule.maximumQoS ?? 2));
      }
    });
    return verdict;
  }
}

function isAbout(rule: Rule, action: number, subject: Subject): boolean {
  if ((rule.actions & action) === 0) return false;
  return rule.who === undefined || isMeant(rule.who, subject, rule.effect === "allow");
}

function matches({ pattern, effect }: Rule, topicName: string, subject: Subject): boolean {
  return pattern.matches(topicName, subject, effect === "allow");
}

function isAboutShare(rule: Rule, shareName: string | undefined): boolean {
  if (rule.shareNames === undefined) return true;
  if (shareName === undefined) return rule.effect === "allow";
  return rule.shareNames.some((pattern) => matchesGlob(shareName, pattern));
}

function lower(one: QoS, other: QoS): QoS {
  return one < other ? one : other;
}

function higher(one: SubscribeVerdict, other: QoS): QoS {
  return typeof one === "number" && one > other ? one : other;
}

function distinct(variables: readonly Variable[]): readonly Variable[] {
  return [...new Map(variables.map((variable) => [nameOf(variable), variable])).values()];
}

function nameOf(variable: Variable): string {
  switch (variable.kind) {
    case "username":
      return "the user name";
    case "clientId":
      return "the client identifier";
    case "claim":
      return `the claim ${variable.name}`;
  }
}
