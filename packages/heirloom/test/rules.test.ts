// The evaluation of rules: a table of what the order is, and properties that hold for rules of any kind.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { QoS } from "@heirloom/codec";
import { topicMatchesFilter } from "@heirloom/core";
import fc from "fast-check";
import type { PermissionAction, RuleOptions } from "heirloom";
import { hostAndPort } from "../dist/transports/transport.js";
import { ruleSet, someone } from "./permissions-support.js";

const ANNA = someone({ username: "anna" });

interface Case {
  readonly rules: readonly RuleOptions[];
  readonly publish?: Readonly<Record<string, string>>;
  readonly receive?: Readonly<Record<string, string>>;
  readonly subscribe?: Readonly<Record<string, string | number>>;
}

const GOLDEN: Readonly<Record<string, Case>> = {
  "no rule says nothing": {
    rules: [],
    publish: { a: "-" },
    receive: { a: "-" },
    subscribe: { a: "-" },
  },
  "an allow rule allows what it names and nothing else": {
    rules: [{ allow: "publish", topics: "a/#" }],
    publish: { a: "allow", "a/b": "allow", b: "-", $a: "-" },
    receive: { a: "-" },
    subscribe: { a: "-" },
  },
  "deny wins over allow of the same filter, in either order": {
    rules: [
      { deny: "all", topics: "a" },
      { allow: "all", topics: ["a", "b"] },
      { deny: "all", topics: "b" },
    ],
    publish: { a: "deny", b: "deny" },
    receive: { a: "deny", b: "deny" },
    subscribe: { a: "deny", b: "deny" },
  },
  "deny wins over a more special allow": {
    rules: [
      { allow: "all", topics: "secret/public" },
      { deny: "all", topics: "secret/#" },
    ],
    publish: { "secret/public": "deny" },
  },
  "an exception is how a deny rule leaves somebody out": {
    rules: [
      { allow: "all", topics: "#" },
      { deny: "all", topics: "secret/#", except: { users: "an*" } },
      { deny: "all", topics: "vault/#", except: { users: "root" } },
    ],
    publish: { "secret/x": "allow", "vault/x": "deny" },
    subscribe: { "secret/#": 2, "vault/#": "deny" },
  },
  "a filter has to be covered as a whole; what is denied in part is left out at delivery": {
    rules: [
      { allow: "subscribe", topics: ["#", "$SYS/load"] },
      { deny: "subscribe", topics: "secret/#" },
    ],
    subscribe: {
      "#": 2,
      "+/x": 2,
      "secret/#": "deny",
      "secret/+/x": "deny",
      "$SYS/#": "-",
      "$SYS/load": 2,
      "$SYS/+": "-",
    },
    receive: { a: "allow", secret: "deny", "secret/x": "deny", "$SYS/load": "allow", "$SYS/x": "-" },
  },
  "a filter wider than the permission is not covered - attack AUTHZ-04": {
    rules: [{ allow: "subscribe", topics: ["a/+", "b/c"] }],
    subscribe: { "a/+": 2, "a/b": 2, "a/#": "-", "+/b": "-", "#": "-", "+/c": "-", "b/c": 2, "b/+": "-" },
  },
  "wildcards do not reach topics that begin with $ - attack AUTHZ-10": {
    rules: [{ allow: "all", topics: ["#", "+/#", "+/+/+"] }],
    subscribe: { "$SYS/#": "-", "$SYS/a/b": "-", "$CONTROL/+": "-" },
    receive: { "$SYS/a": "-", $SYS: "-" },
    publish: { "$SYS/a": "-", $x: "-", "$/": "-", $SYSx: "-", $: "-" },
  },
  "receive is the delivery alone": {
    rules: [
      { allow: "subscribe", topics: "a/#" },
      { deny: "receive", topics: "a/b" },
    ],
    subscribe: { "a/b": 2, "a/#": 2 },
    receive: { "a/b": "deny", "a/c": "allow" },
  },
};

describe("RuleSet", () => {
  for (const [name, { rules, publish = {}, receive = {}, subscribe = {} }] of Object.entries(GOLDEN)) {
    it(`${name} - attack AUTHZ-13`, () => {
      const access = ruleSet(...rules).accessOf(ANNA);
      for (const [topic, verdict] of Object.entries(publish)) {
        assert.equal(access.publish(topic, 1, true) ?? "-", verdict, `publish ${topic}`);
      }
      for (const [topic, verdict] of Object.entries(receive)) {
        assert.equal(access.receive(topic) ?? "-", verdict, `receive ${topic}`);
      }
      for (const [filter, verdict] of Object.entries(subscribe)) {
        assert.equal(access.subscribe(filter, 2, undefined) ?? "-", verdict, `subscribe ${filter}`);
      }
    });
  }

  it("grants the highest QoS that a covering rule allows, and refuses PUBLISH beyond it or with RETAIN - attack AUTHZ-15", () => {
    const access = ruleSet(
      { allow: "all", topics: "a/#", maximumQoS: 1 },
      { allow: "all", topics: "a/0", maximumQoS: 0, retain: false },
      { allow: "all", topics: "b", retain: false },
    ).accessOf(ANNA);
    assert.deepEqual(
      ["a/#", "a/0", "b"].map((filter) => access.subscribe(filter, 2, undefined)),
      [1, 1, 2],
    );
    assert.equal(access.subscribe("a/x", 0, undefined), 0);
    const publish = (topic: string, qos: QoS, retain: boolean): unknown => access.publish(topic, qos, retain);
    assert.deepEqual(
      [publish("a/x", 1, true), publish("a/x", 2, true), publish("b", 2, false), publish("b", 0, true)],
      ["allow", undefined, "allow", undefined],
    );
  });

  it("share names can be restricted and denied; the filter is judged without them - attack SHARE-01, attack SHARE-02", () => {
    const access = ruleSet(
      { allow: "subscribe", topics: "jobs/#", shareNames: ["team-*"] },
      { allow: "subscribe", topics: "logs/#" },
      { deny: "subscribe", topics: "#", shareNames: ["billing"] },
      { deny: "subscribe", topics: "secret/#" },
    ).accessOf(ANNA);
    assert.equal(access.subscribe("jobs/x", 1, "team-a"), 1);
    assert.equal(access.subscribe("jobs/x", 1, "others"), undefined);
    assert.equal(access.subscribe("jobs/x", 1, undefined), 1);
    assert.equal(access.subscribe("logs/x", 1, "others"), 1);
    assert.equal(access.subscribe("logs/x", 1, "billing"), "deny");
    assert.equal(access.subscribe("logs/x", 1, undefined), 1);
    assert.equal(access.subscribe("secret/#", 1, "g"), "deny");
    assert.equal(access.receive("logs/x"), "allow");
  });

  it("refuses everything to a client whose name cannot stand for a level, deny rules or not - attack AUTHZ-01", () => {
    const rules = ruleSet(
      { allow: "all", topics: ["#", "own/%u/#"] },
      { deny: "all", topics: "private/%u/#" },
      { allow: "all", topics: ["c/%c", "x/${claims.x}"] },
    );
    for (const bad of ["+", "#", "a/b", "a\0", "+/b", "$SYS"]) {
      for (const client of [
        someone({ username: bad }),
        someone({ username: bad, account: undefined }),
        someone({ clientId: bad }),
        someone({ claims: new Map([["x", [bad]]]) }),
      ]) {
        assert.match(rules.identityFault(client) ?? "", /begins with \$ or has one of/);
        const access = rules.accessOf(client);
        assert.deepEqual(
          [access.publish("a", 0, false), access.subscribe("a", 0, undefined), access.receive("a")],
          ["deny", "deny", "deny"],
        );
      }
    }
    assert.equal(rules.identityFault(ANNA), undefined);
    assert.equal(
      ruleSet({ allow: "all", topics: "#" }).identityFault(someone({ username: "a/b" })),
      undefined,
    );
  });

  it("a name that nobody checked is no user, whatever CONNECT says", () => {
    const rules = ruleSet(
      { allow: "all", users: "admin", topics: "#" },
      { allow: "publish", anonymous: true, topics: "hello" },
    );
    const pretender = rules.accessOf(someone({ username: "admin", account: undefined }));
    assert.equal(pretender.publish("a", 0, false), undefined);
    assert.equal(pretender.publish("hello", 0, false), "allow");
    const admin = rules.accessOf(someone({ username: "admin" }));
    assert.equal(admin.publish("a", 0, false), "allow");
  });

  it("tells clients apart by identifier, group, claim, address and listener", () => {
    const where = (rule: Partial<RuleOptions>, client: Parameters<typeof someone>[0]): unknown =>
      ruleSet({ allow: "publish", topics: "a", ...rule })
        .accessOf(someone(client))
        .publish("a", 0, false);
    const claims = new Map<string, unknown>([
      ["groups", ["ops", "dev"]],
      ["site", "s1"],
      ["level", 5],
    ]);
    assert.equal(where({ clientIds: ["x", "dev-*"] }, { clientId: "dev-1" }), "allow");
    assert.equal(where({ clientIds: ["x", "dev-*"] }, { clientId: "x1" }), undefined);
    assert.equal(where({ groups: "ops" }, { claims }), "allow");
    assert.equal(where({ groups: "admin" }, { claims }), undefined);
    assert.equal(where({ claims: { site: ["s1", "s2"], groups: "dev" } }, { claims }), "allow");
    assert.equal(where({ claims: { site: "s1", level: "5" } }, { claims }), undefined);
    assert.equal(where({ listeners: "tcp" }, {}), "allow");
    assert.equal(where({ listeners: "tls" }, {}), undefined);
    for (const remoteAddress of [
      "10.1.2.3",
      "10.1.2.3:5",
      "::ffff:10.1.2.3",
      "[::ffff:10.1.2.3]:5",
      "[::ffff:a01:203]:5",
      hostAndPort("::ffff:a01:203", 5),
      "[fd00::1]:5",
      "fd00::1",
    ]) {
      assert.equal(
        where({ addresses: ["10.0.0.0/8", "fd00::/8"] }, { remoteAddress }),
        "allow",
        remoteAddress,
      );
    }
    for (const remoteAddress of ["11.1.2.3:5", "[fe80::1]:5", "attached", ""]) {
      assert.equal(
        where({ addresses: ["10.0.0.0/8", "fd00::/8"] }, { remoteAddress }),
        undefined,
        remoteAddress,
      );
    }
  });

  it("of a client that is away, judges what is known - attack RET-01, attack WILL-02", () => {
    const rules = ruleSet(
      {
        allow: "publish",
        users: "anna",
        listeners: "tls",
        claims: { groups: "ops" },
        topics: ["a", "b", "x/${claims.site}"],
      },
      { deny: "publish", users: "anna", listeners: "tcp", topics: "b" },
      { deny: "publish", users: "anna", topics: "c" },
    );
    const away = rules.accessOf(someone({ username: "anna", listener: "", remoteAddress: "" }));
    assert.deepEqual(
      ["a", "b", "x/1", "c", "d"].map((topic) => away.publish(topic, 0, true)),
      ["allow", "allow", "allow", "deny", undefined],
    );
    const other = rules.accessOf(someone({ username: "berta", listener: "", remoteAddress: "" }));
    assert.equal(other.publish("a", 0, true), undefined);
  });

  it("finds the one rule among 10,000, whatever they are for", () => {
    const rules: RuleOptions[] = [];
    for (let index = 0; index < 5_000; index++) {
      rules.push({ allow: "all", users: `user-${index}`, topics: [`u/${index}/#`, `v/+/${index}`] });
      rules.push({ allow: "all", topics: [`open/${index}/+`] });
    }
    rules.push({ deny: "all", topics: "open/+/secret" });
    const set = ruleSet(...rules);
    assert.equal(set.size, 15_001);
    const access = set.accessOf(someone({ username: "user-4711" }));
    assert.equal(access.publish("u/4711/x", 0, false), "allow");
    assert.equal(access.publish("u/4712/x", 0, false), undefined);
    assert.equal(access.publish("open/1234/x", 0, false), "allow");
    assert.equal(access.publish("open/1234/secret", 0, false), "deny");
    assert.equal(access.subscribe("open/77/+", 1, undefined), 1);
    assert.equal(access.subscribe("open/+/x", 1, undefined), undefined);
    assert.equal(access.subscribe("open/+/secret", 1, undefined), "deny");
    assert.equal(access.subscribe("v/+/4711", 1, undefined), 1);
  });
});

// --- properties ------------------------------------------------------------------------------------------------------

const LEVELS = ["a", "b", "%u", "anna", "$s"];
const level = fc.constantFrom(...LEVELS, "+");
const filterText = fc
  .tuple(fc.array(level, { minLength: 1, maxLength: 3 }), fc.boolean())
  .map(([levels, isDeep]) => (isDeep ? [...levels, "#"] : levels).join("/"));
const action = fc.constantFrom<PermissionAction>("publish", "subscribe", "receive", "all");
const rule: fc.Arbitrary<RuleOptions> = fc
  .record({
    isAllow: fc.boolean(),
    action,
    topics: fc.array(filterText, { minLength: 1, maxLength: 2 }),
    users: fc.constantFrom(undefined, "anna", "berta", "a*"),
    maximumQoS: fc.constantFrom<QoS>(0, 1, 2),
  })
  .map(({ isAllow, action: what, topics, users, maximumQoS }) => ({
    ...(isAllow ? { allow: what, maximumQoS } : { deny: what }),
    topics,
    ...(users === undefined ? {} : { users }),
  }));
const topicText = fc
  .array(fc.constantFrom("a", "b", "anna", "berta", "$s", "z"), { minLength: 1, maxLength: 4 })
  .map((levels) => levels.join("/"));

/** What the rules say, by the words at the head of rules.ts and nothing else. */
function plainly(
  rules: readonly RuleOptions[],
  user: string,
  about: PermissionAction[],
  topic: string,
  qos: QoS,
): string {
  const applying = rules.filter(({ allow, deny, topics, users }) => {
    const isMeant = users === undefined || users === user || (users === "a*" && user.startsWith("a"));
    const isAbout = about.some((name) => name === (allow ?? deny));
    return isMeant && isAbout && [topics].flat().some((text) => matchesFor(topic, text, user));
  });
  if (applying.some(({ deny }) => deny !== undefined)) return "deny";
  return applying.some(({ maximumQoS = 2 }) => qos <= maximumQoS) ? "allow" : "-";
}

function matchesFor(topic: string, text: string, user: string): boolean {
  // As a first level, a name is no wildcard, and the users here do not begin with "$": replacing is good enough here.
  return topicMatchesFilter(
    topic,
    text
      .split("/")
      .map((part) => (part === "%u" ? user : part))
      .join("/"),
  );
}

describe("any rules", () => {
  const rules = fc.array(rule, { maxLength: 24 });

  it("PUBLISH and delivery say what the words say, through the index or not - attack AUTHZ-13", () => {
    fc.assert(
      fc.property(
        rules,
        topicText,
        fc.constantFrom<QoS>(0, 1, 2),
        fc.constantFrom("anna", "berta"),
        (all, topic, qos, user) => {
          const access = ruleSet(...all).accessOf(someone({ username: user }));
          assert.equal(
            access.publish(topic, qos, false) ?? "-",
            plainly(all, user, ["publish", "all"], topic, qos),
          );
          const received = plainly(all, user, ["subscribe", "receive", "all"], topic, 0);
          assert.equal(access.receive(topic) ?? "-", received);
        },
      ),
      { numRuns: 3_000 },
    );
  });

  it("nothing outside what may be received is delivered for a filter that is granted, and what is granted may be had - attack AUTHZ-04", () => {
    fc.assert(
      fc.property(rules, filterText, topicText, (all, filter, topic) => {
        const access = ruleSet(...all).accessOf(ANNA);
        const asked = filter
          .split("/")
          .map((part) => (part === "%u" ? "anna" : part))
          .join("/");
        const granted = access.subscribe(asked, 2, undefined);
        if (typeof granted !== "number" || !topicMatchesFilter(topic, asked)) return;
        const allowed = plainly(all, "anna", ["subscribe", "all"], topic, granted);
        const received = access.receive(topic);
        // Granted = every topic is allowed, but for those that a deny rule takes out again.
        assert.ok(allowed === "allow" || allowed === "deny");
        assert.equal(received, plainly(all, "anna", ["subscribe", "receive", "all"], topic, 0));
        if (allowed === "deny") assert.equal(received, "deny");
      }),
      { numRuns: 5_000 },
    );
  });
});
