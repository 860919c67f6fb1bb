// Mosquitto's ACL files, read as Mosquitto reads them. What a user's own lines say comes first; the pattern lines, which
// are for everybody, are only asked about topics of which those say nothing. Deny lines win among their equals.

import { ConfigError, type ConfigProblem } from "../errors.ts";
import { Action, type Rule } from "./rule.ts";
import { RuleSet } from "./rules.ts";
import { TopicPattern } from "./topic-pattern.ts";
import type { Who } from "./who.ts";

/** The form of a line. */
const EXPECTED = "expected `user NAME`, `topic [ACCESS] FILTER` or `pattern [ACCESS] FILTER`";

const ACCESS: ReadonlyMap<string, Pick<Rule, "effect" | "actions">> = new Map([
  ["read", { effect: "allow", actions: Action.RECEIVE }],
  ["write", { effect: "allow", actions: Action.PUBLISH }],
  ["readwrite", { effect: "allow", actions: Action.RECEIVE | Action.PUBLISH }],
  ["deny", { effect: "deny", actions: Action.RECEIVE | Action.PUBLISH }],
]);

/**
 * Reads the text of an ACL file. A file without a rule allows nothing.
 *
 * SUBSCRIBE is granted when a line lets the client read something that its filter can match; what it must not see is
 * left out at delivery. Mosquitto grants every filter; what is delivered is the same.
 *
 * @param file - its name in messages.
 * @throws ConfigError with every line that cannot be understood; half a file is none.
 */
export function readAclFile(text: string, file: string): RuleSet {
  const reader = new Reader();
  text.split("\n").forEach((line, index) => reader.read(line.trimEnd(), index + 1));
  if (reader.problems.length > 0) throw new ConfigError(reader.problems, file);
  return new RuleSet([reader.topicRules, reader.patternRules], { subscribeNeeds: "overlap" });
}

class Reader {
  readonly topicRules: Rule[] = [];
  readonly patternRules: Rule[] = [];
  readonly problems: ConfigProblem[] = [];
  /** Lines before the first `user` are for clients that nobody knows. */
  #who: Who = { anonymous: true };

  read(line: string, lineNumber: number): void {
    if (line === "" || line.startsWith("#")) return;
    const fault = this.#readLine(line);
    if (fault !== undefined) this.problems.push({ option: "", message: fault, line: lineNumber });
  }

  /** Returns what is wrong with the line. */
  #readLine(line: string): string | undefined {
    if (line.includes("\0")) return "seen a character U+0000, expected text";
    const [keyword, rest] = firstWord(line);
    switch (keyword) {
      case "user":
        if (rest === "") return "seen `user` alone, expected a name behind it";
        this.#who = { users: [rest] };
        return undefined;
      case "topic":
      case "pattern":
        return this.#readRule(keyword, rest);
      default:
        return `seen \`${shortened(keyword)}\`, ${EXPECTED}`;
    }
  }

  #readRule(keyword: "topic" | "pattern", rest: string): string | undefined {
    if (rest === "") return `seen \`${keyword}\` alone, expected a topic filter behind it`;
    const [first, others] = firstWord(rest);
    // Alone, the word is the filter, whatever it is.
    const access = ACCESS.get(others === "" ? "readwrite" : first);
    if (access === undefined) {
      return `seen the access \`${shortened(first)}\`, expected read, write, readwrite or deny`;
    }
    const topics = others === "" ? first : others;
    const parsed = TopicPattern.parse(topics, keyword === "pattern" ? ["%u", "%c"] : []);
    if ("fault" in parsed) return `seen \`${shortened(topics)}\`, ${parsed.fault}`;
    if (keyword === "topic") this.topicRules.push({ ...access, pattern: parsed, who: this.#who });
    else this.patternRules.push({ ...access, pattern: parsed });
    return undefined;
  }
}

/** The first word, and what follows behind the spaces. Only a space separates, as in Mosquitto. */
function firstWord(text: string): [word: string, rest: string] {
  const start = indexOfNot(text, " ");
  const end = text.indexOf(" ", start);
  if (end < 0) return [text.slice(start), ""];
  const rest = text.slice(end);
  return [text.slice(start, end), rest.slice(indexOfNot(rest, " "))];
}

function indexOfNot(text: string, character: string): number {
  let index = 0;
  while (text[index] === character) index++;
  return index;
}

function shortened(text: string): string {
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
