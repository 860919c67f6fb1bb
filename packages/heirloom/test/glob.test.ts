// Names with stars.

import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import { isGlob, matchesGlob } from "../dist/permissions/glob.js";

it("a star stands for any characters, everything else for itself", () => {
  for (const [text, pattern] of [
    ["", ""],
    ["", "*"],
    ["sensor-1", "sensor-*"],
    ["sensor-", "sensor-*"],
    ["a.b.c", "a*c"],
    ["abcabd", "*abd"],
    ["a*b", "a*b"],
    ["x[y", "x[y"],
  ] as const) {
    assert.equal(matchesGlob(text, pattern), true, `${text} ${pattern}`);
  }
  for (const [text, pattern] of [
    ["a", ""],
    ["a", "b"],
    ["A", "a"],
    ["sensor", "sensor-*"],
    ["abc", "a*b"],
    ["abc", "a.c"],
    ["aXc", "a?c"],
  ] as const) {
    assert.equal(matchesGlob(text, pattern), false, `${text} ${pattern}`);
  }
  assert.equal(isGlob("a*"), true);
  assert.equal(isGlob("a"), false);
});

it("says what a recursive comparison says", () => {
  const matches = (text: string, pattern: string): boolean => {
    if (pattern === "") return text === "";
    if (pattern.startsWith("*")) {
      return matches(text, pattern.slice(1)) || (text !== "" && matches(text.slice(1), pattern));
    }
    return text !== "" && text.startsWith(pattern.slice(0, 1)) && matches(text.slice(1), pattern.slice(1));
  };
  const letters = (alphabet: string[]) => fc.array(fc.constantFrom(...alphabet), { maxLength: 8 });
  fc.assert(
    fc.property(letters(["a", "b"]), letters(["a", "b", "*"]), (text, pattern) => {
      assert.equal(matchesGlob(text.join(""), pattern.join("")), matches(text.join(""), pattern.join("")));
    }),
    { numRuns: 2_000 },
  );
});

it("takes steps in proportion to the lengths, not more, where a naive comparison would take all night - attack CPU-01", () => {
  assert.equal(matchesGlob("a".repeat(20_000), "*a*a*a*a*a*a*a*a*b"), false);
});
