// Filters with values: a map, and what it finds for a name.

import assert from "node:assert/strict";
import { test } from "node:test";
import { FilterTree, topicMatchesFilter } from "@heirloom/core";
import fc from "fast-check";
import { topicFilter, topicName } from "./arbitraries.ts";
import { bytesInUse } from "./memory.ts";

function treeOf(filters: Iterable<string>): FilterTree<string> {
  const tree = new FilterTree<string>();
  for (const filter of filters) tree.set(filter, filter);
  return tree;
}

function found(tree: FilterTree<string>, name: string): string[] {
  const values: string[] = [];
  tree.match(name, (value) => values.push(value));
  return values.sort();
}

test("finds names, one level, all levels and the parent of # - 5.0 [MQTT-4.7.1-1], 5.0 [MQTT-4.7.1-2]", () => {
  const tree = treeOf(["a", "a/#", "a/+", "a/b", "+/b", "+/+", "+", "#", "/+", "//", "+//#"]);
  assert.deepEqual(found(tree, "a"), ["#", "+", "a", "a/#"]);
  assert.deepEqual(found(tree, "a/"), ["#", "+/+", "a/#", "a/+", "+//#"].sort());
  assert.deepEqual(found(tree, "a/b"), ["#", "+/+", "+/b", "a/#", "a/+", "a/b"]);
  assert.deepEqual(found(tree, "a/b/c"), ["#", "a/#"]);
  assert.deepEqual(found(tree, "/x"), ["#", "+/+", "/+"]);
  assert.deepEqual(found(tree, "//"), ["#", "+//#", "//"]);
  assert.deepEqual(found(tree, "A"), ["#", "+"]);
});

test("a leading wildcard finds no topic that begins with $ - 5.0 [MQTT-4.7.2-1], 3.1.1 [MQTT-4.7.2-1]", () => {
  const tree = treeOf(["#", "+", "+/a", "+/#", "+/+", "$x/#", "$x/+", "$x/a"]);
  assert.deepEqual(found(tree, "$x/a"), ["$x/#", "$x/+", "$x/a"]);
  assert.deepEqual(found(tree, "$x"), ["$x/#"]);
  assert.deepEqual(found(tree, "a/$x"), ["#", "+/#", "+/+"]);
});

test("finds what the reference matcher finds, also after deletions", () => {
  const filters = fc.uniqueArray(topicFilter, { maxLength: 40 });
  fc.assert(
    fc.property(filters, fc.array(fc.boolean()), fc.array(topicName), (all, deletions, names) => {
      const tree = treeOf(all);
      const kept = all.filter((filter, index) => {
        if (deletions[index] !== true) return true;
        assert.equal(tree.delete(filter), true);
        return false;
      });
      for (const name of names) {
        const expected = kept.filter((filter) => topicMatchesFilter(name, filter)).sort();
        assert.deepEqual(found(tree, name), expected);
      }
      assert.deepEqual([...tree.entries()].sort(), kept.map((filter) => [filter, filter]).sort());
    }),
    { numRuns: 1_000 },
  );
});

test("is a map from filters to values and finds what is in it, whatever was deleted and set before", () => {
  const change = fc.record({ filter: topicFilter, value: fc.option(fc.nat(), { nil: undefined }) });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 60 }), topicName, fc.integer(), (changes, name, hashSeed) => {
      const tree = new FilterTree<number>(hashSeed);
      const model = new Map<string, number>();
      for (const { filter, value } of changes) {
        if (value === undefined) {
          assert.equal(tree.delete(filter), model.delete(filter));
        } else {
          tree.set(filter, value);
          model.set(filter, value);
        }
        assert.equal(tree.get(filter), model.get(filter));
        assert.equal(tree.size, model.size);
        const values: number[] = [];
        tree.match(name, (found) => values.push(found));
        const expected = [...model]
          .filter(([filter]) => topicMatchesFilter(name, filter))
          .map(([, value]) => value);
        assert.deepEqual(values.sort(), expected.sort());
      }
      assert.deepEqual(new Map(tree.entries()), model);
    }),
    { numRuns: 1_000 },
  );
});

test("takes the names that objects have for names like all others - attack JS-01", () => {
  const tree = treeOf(["__proto__/+", "constructor/#"]);
  assert.deepEqual(found(tree, "__proto__/a"), ["__proto__/+"]);
  assert.deepEqual(found(tree, "constructor"), ["constructor/#"]);
  assert.deepEqual(found(tree, "toString/a"), []);
  assert.equal(tree.get("hasOwnProperty/#"), undefined);
});

test("lists its filters while they are deleted", () => {
  const filters = ["#", "+", "+/#", "a", "a/+", "a/+/b", "a/+/b/#", "c/d/#", "$x/#"];
  const tree = treeOf(filters);
  const listed: string[] = [];
  for (const [filter] of tree.entries()) {
    listed.push(filter);
    tree.delete(filter);
  }
  assert.deepEqual(listed.sort(), filters.sort());
  assert.equal(tree.size, 0);
  assert.deepEqual([...tree.entries()], []);
});

test("a list that is left early keeps nothing", () => {
  const tree = treeOf(["a/+/b"]);
  for (const [filter] of tree.entries()) {
    assert.equal(filter, "a/+/b");
    break;
  }
  tree.delete("a/+/b");
  assert.deepEqual([...tree.entries()], []);
});

test("goes 65,535 levels deep without recursion - 5.0 [MQTT-4.7.3-3], 3.1.1 [MQTT-4.7.3-3]", () => {
  const separators = "/".repeat(65_534);
  const filters = [
    "#",
    separators,
    `${separators}+`,
    `${separators}#`,
    `${"+/".repeat(32_766)}+`,
    "/".repeat(65_535),
  ];
  const tree = new FilterTree<number>();
  filters.forEach((filter, index) => tree.set(filter, index));
  const values: number[] = [];
  tree.match(separators, (value) => values.push(value));
  assert.deepEqual(values.sort(), [0, 1, 2, 3]);
  for (const filter of filters) assert.equal(tree.delete(filter), true);
  tree.match(separators, () => assert.fail("found a deleted filter"));
  assert.equal(tree.size, 0);
});

test("meets each of 2^16 filters that fork at each level once", () => {
  const tree = new FilterTree<number>();
  for (let bits = 0; bits < 65_536; bits++) {
    const levels = Array.from({ length: 16 }, (_, level) => ((bits >> level) & 1 ? "+" : "a"));
    tree.set(levels.join("/"), bits);
  }
  const values = new Set<number>();
  let visits = 0;
  tree.match(Array<string>(16).fill("a").join("/"), (value) => {
    visits++;
    values.add(value);
  });
  assert.equal(values.size, 65_536);
  assert.equal(visits, 65_536);
  let others = 0;
  tree.match(Array<string>(16).fill("b").join("/"), () => others++);
  assert.equal(others, 1);
});

test("uses the memory of deleted filters again", () => {
  const tree = new FilterTree<number>();
  const fillAndEmpty = (round: number): void => {
    for (let i = 0; i < 20_000; i++) tree.set(`round ${round}/+/device ${round}-${i}/#`, i);
    for (let i = 0; i < 20_000; i++) tree.delete(`round ${round}/+/device ${round}-${i}/#`);
  };
  fillAndEmpty(0);
  fillAndEmpty(1);
  const before = bytesInUse();
  for (let round = 2; round < 12; round++) fillAndEmpty(round);
  const grownBytes = bytesInUse() - before;
  assert.ok(grownBytes < 1_000_000, `grew by ${grownBytes} bytes`);
});
