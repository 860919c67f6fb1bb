// Names with values: a map, and walks over what a filter matches.

import assert from "node:assert/strict";
import { test } from "node:test";
import { NameTree, topicMatchesFilter } from "@heirloom/core";
import type { NameMatcher } from "@heirloom/core";
import fc from "fast-check";
import { topicFilter, topicName } from "./arbitraries.ts";
import { bytesInUse } from "./memory.ts";

function treeOf(names: Iterable<string>): NameTree<string> {
  const tree = new NameTree<string>();
  for (const name of names) tree.set(name, name);
  return tree;
}

function rest<T>(matcher: NameMatcher<T>): T[] {
  const values: T[] = [];
  for (let value = matcher.next(); value !== undefined; value = matcher.next()) values.push(value);
  assert.equal(matcher.done, true);
  return values;
}

function found(tree: NameTree<string>, filter: string): string[] {
  return rest(tree.matcher(filter)).sort();
}

test("finds names, one level, all levels and the parent of # - 5.0 [MQTT-4.7.1-1], 5.0 [MQTT-4.7.1-2]", () => {
  const tree = treeOf(["a", "a/", "a/b", "a/b/c", "b", "/x", "//", "A", "x/c/c"]);
  assert.deepEqual(found(tree, "a/#"), ["a", "a/", "a/b", "a/b/c"]);
  assert.deepEqual(found(tree, "a/+"), ["a/", "a/b"]);
  assert.deepEqual(found(tree, "+/+"), ["/x", "a/", "a/b"]);
  assert.deepEqual(found(tree, "/+"), ["/x"]);
  assert.deepEqual(found(tree, "+"), ["A", "a", "b"]);
  assert.deepEqual(found(tree, "+//+"), ["//"]);
  assert.deepEqual(found(tree, "/+/+"), ["//"]);
  assert.deepEqual(found(tree, "+//"), ["//"]);
  assert.deepEqual(found(tree, "+/+/c"), ["a/b/c", "x/c/c"]);
  assert.deepEqual(found(tree, "a/b"), ["a/b"]);
  assert.deepEqual(found(tree, "a/B"), []);
});

test("a leading wildcard finds no topic that begins with $ - 5.0 [MQTT-4.7.2-1], 3.1.1 [MQTT-4.7.2-1]", () => {
  const tree = treeOf(["$x", "$x/a", "$SYS/a", "a/$x", "a"]);
  assert.deepEqual(found(tree, "#"), ["a", "a/$x"]);
  assert.deepEqual(found(tree, "+/#"), ["a", "a/$x"]);
  assert.deepEqual(found(tree, "+/a"), []);
  assert.deepEqual(found(tree, "$x/#"), ["$x", "$x/a"]);
  assert.deepEqual(found(tree, "$x/+"), ["$x/a"]);
});

test("finds what the reference matcher finds, also after deletions", () => {
  const names = fc.uniqueArray(topicName, { maxLength: 40 });
  fc.assert(
    fc.property(names, fc.array(fc.boolean()), fc.array(topicFilter), (all, deletions, filters) => {
      const tree = treeOf(all);
      const kept = all.filter((name, index) => {
        if (deletions[index] !== true) return true;
        assert.equal(tree.delete(name), true);
        return false;
      });
      for (const filter of filters) {
        const expected = kept.filter((name) => topicMatchesFilter(name, filter)).sort();
        assert.deepEqual(found(tree, filter), expected);
      }
    }),
    { numRuns: 1_000 },
  );
});

test("is a map from names to values", () => {
  const change = fc.record({ name: topicName, value: fc.option(fc.nat(), { nil: undefined }) });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 60 }), fc.integer(), (changes, hashSeed) => {
      const tree = new NameTree<number>(hashSeed);
      const model = new Map<string, number>();
      for (const { name, value } of changes) {
        if (value === undefined) {
          assert.equal(tree.delete(name), model.delete(name));
        } else {
          tree.set(name, value);
          model.set(name, value);
        }
        assert.equal(tree.get(name), model.get(name));
        assert.equal(tree.size, model.size);
      }
      for (const [name, value] of model) assert.equal(tree.get(name), value);
    }),
    { numRuns: 1_000 },
  );
});

test("walks that are stopped while names come and go find what stays once, and nothing twice", () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constantFrom("set", "delete"), name: topicName }),
    fc.record({
      kind: fc.constantFrom("next", "close"),
      walk: fc.nat(2),
      visits: fc.integer({ min: 1, max: 4 }),
    }),
  );
  const filters = fc.tuple(topicFilter, topicFilter, topicFilter);
  fc.assert(
    fc.property(fc.array(topicName, { maxLength: 30 }), filters, fc.array(step), (names, walked, steps) => {
      const tree = treeOf(names);
      const present = new Set(names);
      const walks = walked.map((filter) => ({
        filter,
        matcher: tree.matcher(filter),
        found: [] as string[],
      }));
      const staying = new Set(names);
      for (const action of steps) {
        if ("name" in action) {
          if (action.kind === "set") {
            tree.set(action.name, action.name);
            present.add(action.name);
          } else {
            assert.equal(tree.delete(action.name), present.delete(action.name));
            staying.delete(action.name);
          }
          continue;
        }
        const walk = walks[action.walk];
        if (walk === undefined) continue;
        if (action.kind === "close" && action.visits === 1) walk.matcher.close();
        const value = walk.matcher.next(action.visits);
        if (value === undefined) continue;
        assert.equal(present.has(value), true, "finds what is there");
        walk.found.push(value);
      }
      for (const { filter, matcher, found: values } of walks) {
        const closed = matcher.done;
        values.push(...rest(matcher));
        assert.equal(new Set(values).size, values.length, "finds nothing twice");
        for (const value of values) assert.equal(topicMatchesFilter(value, filter), true);
        const missed = [...staying].filter(
          (name) => topicMatchesFilter(name, filter) && !values.includes(name),
        );
        if (!closed) assert.deepEqual(missed, []);
      }
      assert.equal(tree.size, present.size);
      for (const name of present) assert.equal(tree.delete(name), true);
      assert.deepEqual(found(tree, "#"), []);
    }),
    { numRuns: 3_000 },
  );
});

test("a walk ends although names are added as fast as it goes", () => {
  const tree = treeOf(["a/0"]);
  const matcher = tree.matcher("a/+");
  let count = 0;
  while (matcher.next() !== undefined) tree.set(`a/${++count}`, "new");
  assert.equal(count, 1);
});

test("a walk goes on behind the name on which it stood when that is deleted", () => {
  const names = Array.from({ length: 100 }, (_, index) => `a/${index}/b`);
  const tree = treeOf(names);
  const matcher = tree.matcher("a/+/b");
  const values: string[] = [];
  for (let value = matcher.next(); value !== undefined; value = matcher.next()) {
    values.push(value);
    tree.delete(value);
  }
  assert.deepEqual(values.sort(), names.sort());
  assert.equal(tree.size, 0);
});

test("visits only where the filter leads, and no more at once than it may - attack RET-04", () => {
  const names = Array.from({ length: 1_000 }, (_, index) => `site/${index}/a/b/c`);
  const tree = treeOf([...names, "a/x/c", "a/y/c", "a/z/d"]);
  const visitsOf = (filter: string): number => {
    const matcher = tree.matcher(filter);
    let visits = 0;
    while (!matcher.done) {
      matcher.next(1);
      visits++;
    }
    return visits;
  };
  // "a", its three children, the two "c", and one look that finds the end.
  assert.equal(visitsOf("a/+/c"), 7);
  assert.equal(visitsOf("site/7/a/b/c"), 6);
  assert.equal(visitsOf("nowhere/#"), 1);
  assert.equal(visitsOf("+/nowhere"), 3);
});

test("a walk that is closed finds nothing more and keeps nothing", () => {
  const tree = treeOf(["a/b", "a/c"]);
  const matcher = tree.matcher("a/#");
  assert.notEqual(matcher.next(), undefined);
  matcher.close();
  matcher.close();
  assert.equal(matcher.done, true);
  assert.equal(matcher.next(), undefined);
  assert.deepEqual(found(tree, "a/#"), ["a/b", "a/c"]);
});

test("takes the names that objects have for names like all others - attack JS-01", () => {
  const tree = treeOf(["__proto__", "constructor/__proto__"]);
  assert.deepEqual(found(tree, "#"), ["__proto__", "constructor/__proto__"]);
  assert.equal(tree.get("toString"), undefined);
  assert.equal(tree.get("constructor"), undefined);
});

test("goes 65,535 separators deep without recursion - 5.0 [MQTT-4.7.3-3], 3.1.1 [MQTT-4.7.3-3]", () => {
  const deep = "/".repeat(65_535);
  const tree = treeOf([deep, "/"]);
  assert.equal(tree.get(deep), deep);
  assert.deepEqual(found(tree, "#"), ["/", deep]);
  assert.deepEqual(found(tree, "+/".repeat(32_767) + "#"), [deep]);
  assert.equal(tree.delete(deep), true);
  assert.deepEqual(found(tree, "#"), ["/"]);
});

test("keeps 100,000 names in less than 300 bytes each", () => {
  const tree = new NameTree<number>();
  const before = bytesInUse();
  for (let i = 0; i < 100_000; i++) tree.set(`site/${i % 100}/device/${i}/temp`, i);
  const bytesPerName = (bytesInUse() - before) / tree.size;
  assert.ok(bytesPerName < 300, `${bytesPerName} bytes for each name`);
});

test("does not keep long names for the sake of one level", () => {
  const tree = new NameTree<number>();
  const before = bytesInUse();
  for (let i = 0; i < 1_000; i++) {
    const name = `a level of some length ${i}/${"x".repeat(60_000)}`;
    tree.set(name, i);
    tree.set(name.slice(0, name.indexOf("/")), i);
    tree.delete(name);
  }
  const grownBytes = bytesInUse() - before;
  assert.equal(tree.size, 1_000);
  assert.ok(grownBytes < 2_000_000, `grew by ${grownBytes} bytes`);
});

test("uses the memory of deleted names again", () => {
  const tree = new NameTree<number>();
  const fillAndEmpty = (round: number): void => {
    for (let i = 0; i < 20_000; i++) tree.set(`round ${round}/device ${round}-${i}/temp`, i);
    for (let i = 0; i < 20_000; i++) tree.delete(`round ${round}/device ${round}-${i}/temp`);
  };
  fillAndEmpty(0);
  fillAndEmpty(1);
  const before = bytesInUse();
  for (let round = 2; round < 12; round++) fillAndEmpty(round);
  const grownBytes = bytesInUse() - before;
  assert.ok(grownBytes < 1_000_000, `grew by ${grownBytes} bytes`);
});
