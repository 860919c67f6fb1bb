// Which texts are Topic Filters, and which names they match.

import assert from "node:assert/strict";
import { test } from "node:test";
import { checkTopicFilter, isWildcardFilter, parseSharedFilter, topicMatchesFilter } from "@heirloom/core";
import fc from "fast-check";
import { referenceMatches, topicFilter, topicName } from "./arbitraries.ts";

const HASH_FAULT = 'in the topic filter "#" is not the whole last level';
const PLUS_FAULT = 'in the topic filter "+" is not a whole level';

test("takes names and whole-level wildcards - 5.0 [MQTT-4.7.1-1], 5.0 [MQTT-4.7.1-2], 3.1.1 [MQTT-4.7.1-3]", () => {
  const filters = [
    "a",
    "/",
    "#",
    "/#",
    "a/#",
    "+",
    "+/+",
    "/+",
    "+/",
    "a/+/b",
    "+/#",
    "$SYS/#",
    "$share",
    "a/b c",
  ];
  for (const filter of filters) assert.equal(checkTopicFilter(filter), undefined, filter);
});

test('refuses "#" that is not the whole last level - 5.0 [MQTT-4.7.1-1], 3.1.1 [MQTT-4.7.1-2] - attack PARSE-12', () => {
  for (const filter of ["a#", "#/a", "#a", "a/#/b", "##", "a/b#", "#/", "é#"]) {
    assert.equal(checkTopicFilter(filter), HASH_FAULT, filter);
  }
});

test('refuses "+" that is not a whole level - 5.0 [MQTT-4.7.1-2], 3.1.1 [MQTT-4.7.1-3] - attack PARSE-12', () => {
  for (const filter of ["a+", "+a", "a/b+", "a/+b", "++", "a+/b", "+#", "é+"]) {
    assert.equal(checkTopicFilter(filter), PLUS_FAULT, filter);
  }
});

test("refuses the empty filter - 5.0 [MQTT-4.7.3-1], 3.1.1 [MQTT-4.7.3-1] - attack PARSE-10", () => {
  assert.equal(checkTopicFilter(""), "the topic filter is empty");
});

test("refuses U+0000 - 5.0 [MQTT-4.7.3-2], 3.1.1 [MQTT-4.7.3-2]", () => {
  assert.equal(checkTopicFilter("a/\0/#"), "the topic filter contains U+0000");
});

test("refuses more than 65,535 bytes - 5.0 [MQTT-4.7.3-3], 3.1.1 [MQTT-4.7.3-3]", () => {
  const longest = "€".repeat(21_844) + "/+/";
  assert.equal(Buffer.byteLength(longest), 65_535);
  assert.equal(checkTopicFilter(longest), undefined);
  assert.equal(checkTopicFilter(`${longest}#`), "the topic filter is longer than 65,535 bytes");
});

test("refuses a surrogate without partner - 5.0 [MQTT-1.5.4-1]", () => {
  assert.equal(checkTopicFilter("\ud83d/#"), "the topic filter has a surrogate without its partner");
});

test("refuses more levels than asked for", () => {
  assert.equal(checkTopicFilter("a/+/#", 3), undefined);
  assert.equal(checkTopicFilter("a/+/+/#", 3), "the topic filter has more than 3 levels");
});

test("tells filters with a wildcard from those without", () => {
  for (const filter of ["#", "+", "a/+/b", "a/#", "$SYS/#"])
    assert.equal(isWildcardFilter(filter), true, filter);
  for (const filter of ["a", "/", "$share", "a/b"]) assert.equal(isWildcardFilter(filter), false, filter);
});

test("cuts a shared filter behind the share name - 5.0 [MQTT-4.8.2-1], 5.0 [MQTT-4.8.2-2]", () => {
  const parts = (filter: string): unknown => parseSharedFilter(filter);
  assert.deepEqual(parts("$share/g/t"), { shareName: "g", topicFilter: "t" });
  assert.deepEqual(parts("$share/g//t"), { shareName: "g", topicFilter: "/t" });
  assert.deepEqual(parts("$share/g//"), { shareName: "g", topicFilter: "/" });
  assert.deepEqual(parts("$share/g/#"), { shareName: "g", topicFilter: "#" });
  assert.deepEqual(parts("$share/$share/+/x"), { shareName: "$share", topicFilter: "+/x" });
});

test("refuses a shared filter without share name - 5.0 [MQTT-4.8.2-1] - attack PARSE-12", () => {
  for (const filter of ["$share/", "$share//", "$share//t"])
    assert.equal(parseSharedFilter(filter), "invalid", filter);
});

test("refuses a shared filter with a wildcard in the share name or without a filter - 5.0 [MQTT-4.8.2-2] - attack PARSE-12", () => {
  for (const filter of ["$share/g", "$share/g/", "$share/g+/t", "$share/+/t", "$share/#", "$share/g#/t"]) {
    assert.equal(parseSharedFilter(filter), "invalid", filter);
  }
});

test('leaves filters alone that do not begin with "$share/"', () => {
  for (const filter of ["$share", "$shared/g/t", "$SHARE/g/t", "/$share/g/t", "a"]) {
    assert.equal(parseSharedFilter(filter), undefined, filter);
  }
});

test("a valid shared filter has a valid part", () => {
  fc.assert(
    fc.property(topicFilter, (filter) => {
      assert.equal(checkTopicFilter(`$share/g/${filter}`), undefined);
      assert.deepEqual(parseSharedFilter(`$share/g/${filter}`), { shareName: "g", topicFilter: filter });
      assert.equal(checkTopicFilter(filter), undefined);
    }),
  );
});

const matches: [topicFilter: string, topicNames: string[], others: string[]][] = [
  ["a/#", ["a", "a/", "a/b", "a/b/c", "a//"], ["b", "ab", "A", "/a", "a b/c"]],
  ["#", ["a", "/", "//", "a/$b"], ["$SYS", "$a/x", "$"]],
  ["/#", ["/", "/a", "//", "/a/b"], ["a", "a/b"]],
  ["a/+", ["a/", "a/b", "a/$b"], ["a", "a/b/c", "a//", "b/c"]],
  ["+", ["a", " "], ["/x", "a/", "/", "$a"]],
  ["+/+", ["/x", "a/b", "/", "a/"], ["a", "a/b/c", "$a/x", "$/x"]],
  ["/+", ["/x", "/"], ["x", "//", "/x/"]],
  ["+/#", ["a", "a/b", "/", "//"], ["$a", "$a/b"]],
  ["+/a", ["x/a", "/a"], ["$x/a", "x/A", "a"]],
  ["a/+/#", ["a/", "a/b", "a/b/c"], ["a", "b/c"]],
  ["+//+", ["a//b", "//"], ["a/b/c", "a/b"]],
  ["//", ["//"], ["/", "///", ""]],
  ["$SYS/#", ["$SYS", "$SYS/x"], ["SYS", "$SYSx", "$sys/x"]],
  ["$SYS/+", ["$SYS/x"], ["$SYS", "$SYS/x/y"]],
  ["a/b", ["a/b"], ["a/B", "a/b/", "/a/b", "a//b", "a", "a/bc"]],
  ["\u00e9", ["\u00e9"], ["e\u0301"]],
];

test("matches level by level, the parent of # among them - 5.0 [MQTT-4.7.1-1], 5.0 [MQTT-4.7.1-2]", () => {
  for (const [filter, names] of matches) {
    for (const name of names) assert.equal(topicMatchesFilter(name, filter), true, `${name} of ${filter}`);
  }
});

test("matches nothing else; case and form count - 5.0 [MQTT-4.7.3-4], 3.1.1 [MQTT-4.7.3-4]", () => {
  for (const [filter, , others] of matches) {
    for (const name of others) assert.equal(topicMatchesFilter(name, filter), false, `${name} of ${filter}`);
  }
});

test("a leading wildcard matches no topic that begins with $ - 5.0 [MQTT-4.7.2-1], 3.1.1 [MQTT-4.7.2-1]", () => {
  for (const filter of ["#", "+", "+/#", "+/a", "+/+"]) {
    for (const name of ["$x/a", "$x", "$"]) assert.equal(topicMatchesFilter(name, filter), false, filter);
  }
  assert.equal(topicMatchesFilter("$x/a", "$x/+"), true);
});

test("agrees with a reference that splits and compares", () => {
  fc.assert(
    fc.property(topicName, topicFilter, (name, filter) => {
      assert.equal(topicMatchesFilter(name, filter), referenceMatches(name, filter));
    }),
    { numRuns: 5_000 },
  );
});

test("matches 65,535 separators without recursion - 5.0 [MQTT-4.7.3-3], 3.1.1 [MQTT-4.7.3-3]", () => {
  const name = "/".repeat(65_535);
  assert.equal(topicMatchesFilter(name, "+/".repeat(32_767) + "#"), true);
  assert.equal(topicMatchesFilter(name, "+/".repeat(32_767) + "+"), false);
});
