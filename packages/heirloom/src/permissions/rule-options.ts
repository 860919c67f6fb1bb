// Reads rules as they stand in a configuration or in a file of rules.

import { BlockList, isIP } from "node:net";
import { listed } from "../config/kinds.ts";
import { seen, type Finding, type OptionPath } from "../config/findings.ts";
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

function readAddresses(reader: OptionReader): BlockList | undefined {
  const texts = reader.texts("addresses");
  if (texts === undefined) return undefined;
  const list = new BlockList();
  for (const text of texts) {
    if (!addTo(list, text)) {
      reader.fault(`seen ${seen(text)}, expected an address or a network such as 10.0.0.0/8`, "addresses");
    }
  }
  return list;
}

/** Returns whether `text` is an address or a network. */
function addTo(list: BlockList, text: string): boolean {
  const slash = text.indexOf("/");
  const address = slash < 0 ? text : text.slice(0, slash);
  const version = isIP(address);
  if (version === 0) return false;
  const family = version === 4 ? "ipv4" : "ipv6";
  if (slash < 0) {
    list.addAddress(address, family);
    return true;
  }
  const bits = Number(text.slice(slash + 1));
  const isBits =
    text.length > slash + 1 && Number.isInteger(bits) && bits >= 0 && bits <= (version === 4 ? 32 : 128);
  if (isBits) list.addSubnet(address, bits, family);
  return isBits;
}
