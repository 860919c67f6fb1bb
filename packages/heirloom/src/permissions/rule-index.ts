// Finds among many rules those that can concern a topic or a filter, without looking at all of them: by who they are
// for where that is a plain name, and then by topic, in a tree.

import { FilterTree } from "@heirloom/core";
import { isGlob } from "./glob.ts";
import type { Rule } from "./rule.ts";
import { userOf, type Subject } from "./subject.ts";

/** Up to here looking at each is as quick, and takes no memory: most users have a few rules. */
const SHORT = 8;

/** Cannot stand in a topic, so that it only ever matches a wildcard. */
const UNKNOWN_LEVEL = "\0";

/** Rules by their topics. */
class RulesByTopic {
  readonly rules: Rule[] = [];
  #tree: FilterTree<Rule[]> | undefined;

  add(rule: Rule): void {
    this.rules.push(rule);
    if (this.rules.length <= SHORT) return;
    if (this.#tree !== undefined) {
      addTo(this.#tree, rule);
      return;
    }
    this.#tree = new FilterTree();
    for (const earlier of this.rules) addTo(this.#tree, earlier);
  }

  /** Shows at least the rules whose pattern matches, for some client. */
  visit(topicName: string, see: (rule: Rule) => void): void {
    if (this.#tree === undefined) this.rules.forEach(see);
    else this.#tree.match(topicName, (rules) => rules.forEach(see));
  }
}

function addTo(tree: FilterTree<Rule[]>, rule: Rule): void {
  const { topicFilter } = rule.pattern;
  const same = tree.get(topicFilter);
  if (same === undefined) tree.set(topicFilter, [rule]);
  else same.push(rule);
}

/** An index of rules. What it shows has still to be compared, rule by rule. */
export class RuleIndex {
  readonly #byUser = new Map<string, RulesByTopic>();
  readonly #byClientId = new Map<string, RulesByTopic>();
  readonly #general = new RulesByTopic();

  constructor(rules: Iterable<Rule>) {
    for (const rule of rules) this.#add(rule);
  }

  /** Shows every rule that may concern the client and matches the topic. */
  forTopic(subject: Subject, topicName: string, see: (rule: Rule) => void): void {
    const user = userOf(subject);
    if (user !== undefined) this.#byUser.get(user)?.visit(topicName, see);
    this.#byClientId.get(subject.clientId)?.visit(topicName, see);
    this.#general.visit(topicName, see);
  }

  /** Shows every rule that may concern the client and covers the filter. */
  coveringFilter(subject: Subject, topicFilter: string, see: (rule: Rule) => void): void {
    this.forTopic(subject, asTopic(topicFilter), see);
  }

  /** Shows every rule that may concern the client, whatever its topics. */
  forClient(subject: Subject, see: (rule: Rule) => void): void {
    const user = userOf(subject);
    if (user !== undefined) this.#byUser.get(user)?.rules.forEach(see);
    this.#byClientId.get(subject.clientId)?.rules.forEach(see);
    this.#general.rules.forEach(see);
  }

  #add(rule: Rule): void {
    const { users, clientIds } = rule.who ?? {};
    if (users !== undefined && !users.some(isGlob)) this.#addTo(this.#byUser, users, rule);
    else if (clientIds !== undefined && !clientIds.some(isGlob))
      this.#addTo(this.#byClientId, clientIds, rule);
    else this.#general.add(rule);
  }

  #addTo(index: Map<string, RulesByTopic>, names: readonly string[], rule: Rule): void {
    for (const name of new Set(names)) {
      let rules = index.get(name);
      if (rules === undefined) index.set(name, (rules = new RulesByTopic()));
      rules.add(rule);
    }
  }
}

/**
 * A topic that matches each filter that covers the given one: a wildcard becomes a level that no filter names, so only
 * wildcards can match it.
 */
function asTopic(topicFilter: string): string {
  if (!topicFilter.includes("+") && !topicFilter.endsWith("#")) return topicFilter;
  return topicFilter
    .split("/")
    .map((level) => (level === "+" || level === "#" ? UNKNOWN_LEVEL : level))
    .join("/");
}
