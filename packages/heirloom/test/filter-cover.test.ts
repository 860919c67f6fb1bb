// Covering and overlapping of filters, compared with what they match.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { checkTopicFilter, topicMatchesFilter } from "@heirloom/core";
import { covers, levelAt, overlaps } from "../dist/permissions/filter-cover.js";

/** All texts of one to `depth` of these levels. */
function texts(levels: readonly string[], depth: number): string[] {
  let last = [...levels];
  const all = [...levels];
  for (let level = 2; level <= depth; level++) {
    last = last.flatMap((text) => levels.map((next) => `${text}/${next}`));
    all.push(...last);
  }
  return all;
}

// "z" is in no filter: it stands for all the names that filters do not have.
const TOPICS = texts(["a", "$b", "", "z"], 4);
const FILTERS = texts(["a", "$b", "+", "#"], 3).filter((text) => checkTopicFilter(text) === undefined);
const MATCHED = new Map(
  FILTERS.map((filter) => [filter, new Set(TOPICS.filter((topic) => topicMatchesFilter(topic, filter)))]),
);

function matchedBy(filter: string): ReadonlySet<string> {
  return MATCHED.get(filter) ?? new Set();
}

describe("covers", () => {
  it("says of all pairs of small filters what comparing their topics says - attack AUTHZ-04", () => {
    let covered = 0;
    for (const outer of FILTERS) {
      for (const inner of FILTERS) {
        const expected = [...matchedBy(inner)].every((topic) => matchedBy(outer).has(topic));
        assert.equal(covers(outer, inner), expected, `${outer} covers ${inner}`);
        if (expected) covered++;
      }
    }
    assert.ok(covered > FILTERS.length && covered < FILTERS.length ** 2 / 2);
  });

  it("keeps what begins with $ from wildcards - attack AUTHZ-10", () => {
    for (const filter of ["#", "+/#", "+/+/+"]) {
      assert.equal(covers(filter, "$SYS/#"), false, filter);
      assert.equal(covers(filter, "$SYS/broker/load"), false, filter);
    }
    assert.equal(covers("$SYS/#", "$SYS/+/load"), true);
  });
});

describe("overlaps", () => {
  it("says of all pairs of small filters whether they have a topic in common", () => {
    for (const one of FILTERS) {
      for (const other of FILTERS) {
        const expected = [...matchedBy(one)].some((topic) => matchedBy(other).has(topic));
        assert.equal(overlaps(one, other), expected, `${one} overlaps ${other}`);
      }
    }
  });
});

describe("levelAt", () => {
  it("finds levels by their index, empty ones too", () => {
    assert.deepEqual(
      [0, 1, 2, 3].map((index) => levelAt("a//b", index)),
      ["a", "", "b", undefined],
    );
  });
});
