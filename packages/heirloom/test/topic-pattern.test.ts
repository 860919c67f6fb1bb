// Patterns with levels that stand for the client.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { TopicPattern } from "../dist/permissions/topic-pattern.js";
import { someone } from "./permissions-support.js";

function pattern(text: string): TopicPattern {
  const parsed = TopicPattern.parse(text);
  if ("fault" in parsed) throw new Error(parsed.fault);
  return parsed;
}

describe("TopicPattern", () => {
  it("takes user name, client identifier and claims as one level each", () => {
    const anna = someone({ username: "anna", clientId: "c1", claims: new Map([["site", ["s1", "s2"]]]) });
    assert.equal(pattern("a/%u/#").matches("a/anna/x", anna, false), true);
    assert.equal(pattern("a/%u/#").matches("a/berta/x", anna, false), false);
    assert.equal(pattern("a/%c").matches("a/c1", anna, false), true);
    assert.equal(pattern("${claims.site}/+").matches("s2/x", anna, false), true);
    assert.equal(pattern("${claims.site}/+").matches("s3/x", anna, false), false);
    assert.equal(pattern("dev-%c-x/#").matches("dev-c1-x/y", anna, false), true);
    assert.equal(pattern("dev-%c-x/#").matches("dev-c2-x/y", anna, false), false);
  });

  it("does not apply to clients that do not have what it names - attack AUTHZ-03", () => {
    for (const client of [
      someone(),
      someone({ username: "" }),
      someone({ username: "u", account: undefined }),
    ]) {
      assert.equal(pattern("a/%u").matches("a/", client, false), false);
      assert.equal(pattern("a/%u").matches("a/u", client, false), false);
      assert.equal(pattern("a/%u").matches("a/undefined", client, false), false);
      assert.equal(pattern("a/%u").covers("a/+", client), false);
    }
    assert.equal(pattern("a/%c").matches("a/", someone({ clientId: "" }), false), false);
    assert.equal(
      pattern("a/${claims.x}").matches("a/1", someone({ claims: new Map([["x", 1]]) }), false),
      false,
    );
  });

  it("a name never matches another level, nor covers a wildcard - attack AUTHZ-01", () => {
    const name = fc.string({
      unit: fc.constantFrom("a", "b", "+", "#", "/", "%", "u", "$", "*", "\0"),
      maxLength: 6,
    });
    const level = fc.constantFrom("a", "b", "+", "#", "%u", "$a", "a/b");
    fc.assert(
      fc.property(name, level, fc.constantFrom("%u", "%c", "${claims.x}"), (value, seen, word) => {
        const client = someone({ username: value, clientId: value, claims: new Map([["x", value]]) });
        const topic = `t/${seen}/x`;
        const isSame =
          value === seen && seen !== "+" && seen !== "#" && !seen.includes("/") && !seen.startsWith("$");
        assert.equal(pattern(`t/${word}/x`).matches(topic, client, false), isSame);
        assert.equal(pattern(`t/${word}/x`).covers(topic, client), isSame);
      }),
      { numRuns: 2_000 },
    );
  });

  it("is refused when it cannot be understood", () => {
    for (const text of [
      "%u%c/x",
      "a/${user}",
      "a/${claims.}",
      "a/${claims.x",
      "+%u/a",
      "",
      "a/#/b",
      "a+/%u",
    ]) {
      assert.ok("fault" in TopicPattern.parse(text), text);
    }
  });
});
