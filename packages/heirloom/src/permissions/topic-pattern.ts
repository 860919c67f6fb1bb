// The topics of a rule: a Topic Filter in which a level may stand for the client that asks, as in "sensors/%u/#".
// What stands for such a level is compared as it is, as one literal level. It never becomes part of a filter that is
// read again, so that no name can widen a rule.

import { checkTopicFilter, topicMatchesFilter } from "@heirloom/core";
import { covers, levelAt, overlaps } from "./filter-cover.ts";
import { isAway, valuesOf, type Subject, type Variable } from "./subject.ts";

/** What a level may have in it that stands for the client, or how that begins. */
type Word = "%u" | "%c" | "${";

const WORDS: readonly Word[] = ["%u", "%c", "${"];

/** One level that stands for the client. */
interface Placeholder {
  readonly level: number;
  readonly prefix: string;
  readonly variable: Variable;
  readonly suffix: string;
}

export class TopicPattern {
  /** As it was written. */
  readonly text: string;
  /** With "+" in the place of what stands for the client. */
  readonly topicFilter: string;
  readonly #placeholders: readonly Placeholder[];

  private constructor(text: string, topicFilter: string, placeholders: readonly Placeholder[]) {
    this.text = text;
    this.topicFilter = topicFilter;
    this.#placeholders = placeholders;
  }

  /** A filter in which nothing stands for the client. It has to be valid. */
  static literal(topicFilter: string): TopicPattern {
    return new TopicPattern(topicFilter, topicFilter, []);
  }

  /**
   * Reads a filter with `%u`, `%c` or `${claims.name}`, or with those of them that are given.
   *
   * @returns what is wrong with it, as the rest of a sentence that begins with "seen ...,".
   */
  static parse(text: string, words: readonly Word[] = WORDS): TopicPattern | { readonly fault: string } {
    const placeholders: Placeholder[] = [];
    const levels: string[] = [];
    for (const [level, written] of text.split("/").entries()) {
      const parts = partsOf(written, words);
      if (parts === "several")
        return { fault: "expected at most one of %u, %c and ${claims.name} in a level" };
      if (parts === "unknown") return { fault: "expected no ${...} but ${claims.name}" };
      if (parts !== undefined) placeholders.push({ level, ...parts });
      if (parts !== undefined && hasWildcard(parts.prefix + parts.suffix)) {
        return { fault: "expected no wildcard in a level that stands for the client" };
      }
      levels.push(parts === undefined ? written : "+");
    }
    const topicFilter = levels.join("/");
    const fault = checkTopicFilter(topicFilter);
    return fault === undefined
      ? new TopicPattern(text, topicFilter, placeholders)
      : { fault: `expected a topic filter: ${fault}` };
  }

  /** What it takes from the client. */
  get variables(): readonly Variable[] {
    return this.#placeholders.map(({ variable }) => variable);
  }

  /**
   * Whether the pattern, for this client, matches a topic.
   *
   * @param unknown what holds of a claim that cannot be looked at, because the client is away.
   */
  matches(topicName: string, subject: Subject, unknown: boolean): boolean {
    return topicMatchesFilter(topicName, this.topicFilter) && this.#holds(topicName, subject, unknown);
  }

  /** Whether the pattern, for this client, matches everything that the filter can match. */
  covers(topicFilter: string, subject: Subject): boolean {
    return covers(this.topicFilter, topicFilter) && this.#holds(topicFilter, subject, false);
  }

  /** Whether the pattern, for this client, matches something that the filter can match too. */
  overlaps(topicFilter: string, subject: Subject): boolean {
    if (!overlaps(this.topicFilter, topicFilter)) return false;
    for (const placeholder of this.#placeholders) {
      const values = valuesOf(subject, placeholder.variable);
      if (values.length === 0) return false;
      const level = levelAt(topicFilter, placeholder.level);
      // No such level: the filter's "#" stands for it.
      if (level === undefined || level === "+" || level === "#") continue;
      if (!fits(placeholder, level, values)) return false;
    }
    return true;
  }

  /** Whether the levels that stand for the client are the client's own. */
  #holds(topic: string, subject: Subject, unknown: boolean): boolean {
    for (const placeholder of this.#placeholders) {
      if (placeholder.variable.kind === "claim" && isAway(subject)) {
        if (!unknown) return false;
        continue;
      }
      const level = levelAt(topic, placeholder.level);
      if (level === undefined || !fits(placeholder, level, valuesOf(subject, placeholder.variable)))
        return false;
    }
    return true;
  }
}

function fits({ prefix, suffix }: Placeholder, level: string, values: readonly string[]): boolean {
  const length = level.length - prefix.length - suffix.length;
  return (
    level.startsWith(prefix) &&
    level.endsWith(suffix) &&
    values.some((value) => value.length === length && level.startsWith(value, prefix.length))
  );
}

type Parts = Omit<Placeholder, "level">;

function partsOf(level: string, words: readonly Word[]): Parts | "several" | "unknown" | undefined {
  const found = firstVariable(level, words);
  const rest = found === undefined ? level : level.slice(0, found.start) + level.slice(found.end);
  if (words.includes("${") && rest.includes("${")) return "unknown";
  if (found === undefined) return undefined;
  const suffix = level.slice(found.end);
  if (firstVariable(suffix, words) !== undefined) return "several";
  return { prefix: level.slice(0, found.start), variable: found.variable, suffix };
}

const CLAIM_START = "${claims.";

interface Found {
  readonly start: number;
  readonly end: number;
  readonly variable: Variable;
}

function firstVariable(text: string, words: readonly Word[]): Found | undefined {
  for (let start = 0; start < text.length; start++) {
    const word = words.find((known) => text.startsWith(known, start));
    if (word === "%u") return { start, end: start + 2, variable: { kind: "username" } };
    if (word === "%c") return { start, end: start + 2, variable: { kind: "clientId" } };
    if (word === undefined || !text.startsWith(CLAIM_START, start)) continue;
    const close = text.indexOf("}", start);
    const name = text.slice(start + CLAIM_START.length, close);
    if (close > 0 && name !== "") return { start, end: close + 1, variable: { kind: "claim", name } };
  }
  return undefined;
}

function hasWildcard(text: string): boolean {
  return text.includes("+") || text.includes("#");
}
