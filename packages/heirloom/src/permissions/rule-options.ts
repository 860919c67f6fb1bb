// Reads rules as they stand in a configuration or in a file of rules.

import { listed } from "../config/kinds.ts";
import { seen, type Finding, type OptionPath } from "../config/findings.ts";
import { isNetwork, Networks } from "../identity/address.ts";
import { OptionReader } from "./option-reader.ts";
import { Action, type Rule } from "./rule.ts";
import { TopicPattern } from "./topic-pattern.ts";
import type { Who } from "./who.ts";

const WHO_NAMES = ["users", "clientIds", "groups", "claims", "addresses", "listeners", "anonymous"];
const RULE_NAMES = ["allow", "deny", "topics", ...WHO_NAMES, "except", "maximumQoS", "retain", "shareNames"];

const ACTIONS: ReadonlyMap<string, number> = new Map([
  ["publish", Action.PUBLISH],
  ["subscribe", Action.SUBSCRIBE | Action.RECEIVE],
  ["receive", Action.RECEIVE],
  ["all", Action.PUBLISH | Action.SUBSCRIBE | Action.RECEIVE],
]);

/** Reads a list of rules; what is wrong is added to `findings`, and then the result is of no use. */
export function readRules(value: unknown, path: OptionPath, findings: Finding[]): readonly Rule[] {
  if (!Array.isArray(value)) {
    findings.push({ path, message: `seen ${seen(value)}, expected a list of rules` });
    return [];
  }
  return value.flatMap((item: unknown, index) => readRule(item, [...path, index], findings));
}

function readRule(value: unknown, path: OptionPath, findings: Finding[]): readonly Rule[] {
  const reader = OptionReader.of(value, path, findings, RULE_NAMES);
  if (reader === undefined) return [];
  const effect = readEffect(reader);
  const patterns = readTopics(reader);
  const who = readWho(reader);
  const except = reader.has("except") ? readExcept(reader) : undefined;
  const limits = readLimits(reader, effect);
  if (effect === undefined) return [];
  const shareNames = reader.texts("shareNames");
  // What a share name is about is SUBSCRIBE: at delivery nobody can tell by which subscription a message came.
  const actions =
    effect === "deny" && shareNames !== undefined ? Action.SUBSCRIBE : readActions(reader, effect);
  const meant: Who = { ...who, ...(except === undefined ? {} : { except }) };
  return patterns.map((pattern) => ({
    effect,
    actions,
    pattern,
    ...limits,
    ...(Object.keys(meant).length === 0 ? {} : { who: meant }),
    ...(shareNames === undefined ? {} : { shareNames }),
  }));
}

function readEffect(reader: OptionReader): Rule["effect"] | undefined {
  if (reader.has("allow") !== reader.has("deny")) return reader.has("allow") ? "allow" : "deny";
  reader.fault("expected either `allow` or `deny`");
  return undefined;
}

function readActions(reader: OptionReader, effect: Rule["effect"]): number {
  let actions = 0;
  for (const name of reader.texts(effect) ?? []) {
    const bits = ACTIONS.get(name);
    if (bits === undefined)
      reader.fault(`seen ${seen(name)}, expected ${listed([...ACTIONS.keys()])}`, effect);
    else actions |= bits;
  }
  return actions;
}

function readTopics(reader: OptionReader): readonly TopicPattern[] {
  if (!reader.has("topics")) reader.fault("expected `topics`: one topic filter or several");
  const patterns: TopicPattern[] = [];
  for (const text of reader.texts("topics") ?? []) {
    const parsed = TopicPattern.parse(text);
    if ("fault" in parsed) reader.fault(`seen ${seen(text)}, ${parsed.fault}`, "topics");
    else if (text.startsWith("$share/")) {
      reader.fault(`seen ${seen(text)}, expected the filter alone, and \`shareNames\` if need be`, "topics");
    } else patterns.push(parsed);
  }
  return patterns;
}

function readLimits(
  reader: OptionReader,
  effect: Rule["effect"] | undefined,
): Pick<Rule, "maximumQoS" | "retain"> {
  for (const name of ["maximumQoS", "retain"]) {
    if (effect === "deny" && reader.has(name)) reader.fault("only a rule with `allow` has this option", name);
  }
  const maximumQoS = reader.number("maximumQoS", 0, 2);
  const retain = reader.flag("retain");
  return {
    ...(maximumQoS === 0 || maximumQoS === 1 || maximumQoS === 2 ? { maximumQoS } : {}),
    ...(retain === undefined ? {} : { retain }),
  };
}

function readExcept(reader: OptionReader): Who | undefined {
  const path = [...reader.path, "except"];
  const inner = OptionReader.of(reader.raw("except"), path, reader.findings, WHO_NAMES);
  if (inner === undefined) return undefined;
  // Without any condition the exception would be for everybody, and the rule for nobody.
  if (inner.names.length === 0) inner.fault(`expected some of ${listed(WHO_NAMES)}`);
  return readWho(inner);
}

function readWho(reader: OptionReader): Who {
  const [users, clientIds, listeners] = ["users", "clientIds", "listeners"].map((name) => reader.texts(name));
  const groups = reader.texts("groups");
  const claims = new Map(reader.textsByName("claims") ?? []);
  if (groups !== undefined) claims.set("groups", groups);
  const addresses = readAddresses(reader);
  const anonymous = reader.flag("anonymous");
  return {
    ...(users === undefined ? {} : { users }),
    ...(clientIds === undefined ? {} : { clientIds }),
    ...(claims.size === 0 ? {} : { claims }),
    ...(addresses === undefined ? {} : { addresses }),
    ...(listeners === undefined ? {} : { listeners }),
    ...(anonymous === undefined ? {} : { anonymous }),
  };
}

function readAddresses(reader: OptionReader): Networks | undefined {
  const networks = reader.texts("addresses");
  if (networks === undefined) return undefined;
  const wrong = networks.filter((network) => !isNetwork(network));
  for (const text of wrong) {
    reader.fault(`seen ${seen(text)}, expected an address or a network such as 10.0.0.0/8`, "addresses");
  }
  return wrong.length === 0 ? new Networks(networks) : undefined;
}
