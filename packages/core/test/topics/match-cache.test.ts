// What the cache keeps, and that it stays within its bounds.

import assert from "node:assert/strict";
import { test } from "node:test";
import { MatchCache } from "@heirloom/core";
import fc from "fast-check";

test("gives back what was set and counts hits and misses", () => {
  const cache = new MatchCache<string>();
  assert.equal(cache.get("a"), undefined);
  cache.set("a", "first");
  assert.equal(cache.get("a"), "first");
  cache.set("a", "second");
  assert.equal(cache.get("a"), "second");
  assert.deepEqual([cache.size, cache.hits, cache.misses, cache.evictions], [1, 2, 1, 0]);
});

test("forgets all when it is cleared", () => {
  const cache = new MatchCache<number>({ maxEntries: 4 });
  for (let i = 0; i < 4; i++) cache.set(`a/${i}`, i);
  assert.equal(cache.size, 4);
  cache.clear();
  assert.equal(cache.size, 0);
  for (let i = 0; i < 4; i++) assert.equal(cache.get(`a/${i}`), undefined);
  assert.equal(cache.evictions, 0);
});

test("forgets one name, in either generation, and its bytes", () => {
  const cache = new MatchCache<string>({ maxEntries: 4, maxBytes: 40 });
  // "old" is in the old generation once two more came behind it.
  for (const name of ["old", "b", "c"]) cache.set(name, name);
  cache.delete("old");
  cache.delete("c");
  cache.delete("never seen");
  assert.deepEqual([cache.get("old"), cache.get("c"), cache.get("b")], [undefined, undefined, "b"]);
  for (let round = 0; round < 100; round++) {
    cache.set("d", "d");
    cache.delete("d");
  }
  assert.deepEqual([cache.size, cache.evictions, cache.get("b")], [1, 0, "b"]);
});

test("keeps at most as many names as it may, and counts what it drops", () => {
  const cache = new MatchCache<number>({ maxEntries: 1_000 });
  for (let i = 0; i < 10_000; i++) {
    cache.set(`a/${i}`, i);
    assert.ok(cache.size <= 1_000);
  }
  assert.equal(cache.size + cache.evictions, 10_000);
});

test("keeps at most as many bytes as it may, of names and results", () => {
  const resultBytes = (result: number): number => result;
  const cache = new MatchCache<number>({ maxBytes: 10_000, resultBytes });
  const name = (index: number): string => `${index}`.padStart(50, "x");
  for (let i = 0; i < 1_000; i++) {
    cache.set(name(i), 400);
    assert.ok(cache.size * (100 + 400) <= 10_000);
  }
  assert.equal(cache.get(name(999)), 400);
});

test("counts a name once, also when it was asked for again or set again", () => {
  const cache = new MatchCache<number>({ maxEntries: 10, maxBytes: 100 });
  for (let i = 0; i < 7; i++) cache.set(`${i}`, i);
  for (let i = 0; i < 3; i++) assert.equal(cache.get(`${i}`), i);
  for (let round = 0; round < 100; round++) cache.set("0", round);
  assert.deepEqual([cache.size, cache.evictions], [7, 0]);
  assert.equal(cache.get("0"), 99);
});

test("does not keep what alone is too large", () => {
  const cache = new MatchCache<number>({ maxBytes: 1_000 });
  cache.set("small", 1);
  cache.set("x".repeat(300), 2);
  assert.equal(cache.get("x".repeat(300)), undefined);
  assert.equal(cache.get("small"), 1);
});

test("a flood of other names does not evict what is asked for now and then", () => {
  const cache = new MatchCache<number>({ maxEntries: 1_000 });
  for (let i = 0; i < 100; i++) cache.set(`useful/${i}`, i);
  for (let i = 0; i < 100_000; i++) {
    cache.set(`flood/${i}`, i);
    // Each useful name once in 300 others.
    if (i % 3 === 0) assert.equal(cache.get(`useful/${(i / 3) % 100}`), (i / 3) % 100);
  }
  assert.equal(cache.misses, 0);
  assert.ok(cache.evictions > 90_000);
});

test("never gives back another result than the last one set", () => {
  const action = fc.record({
    name: fc.constantFrom("a", "b", "c", "d", "e", "f"),
    value: fc.option(fc.nat()),
  });
  fc.assert(
    fc.property(
      fc.array(action, { maxLength: 100 }),
      fc.integer({ min: 2, max: 6 }),
      (actions, maxEntries) => {
        const cache = new MatchCache<number>({
          maxEntries,
          maxBytes: 40,
          resultBytes: (result) => result % 5,
        });
        const last = new Map<string, number>();
        for (const { name, value } of actions) {
          if (value === null) {
            const result = cache.get(name);
            if (result !== undefined) assert.equal(result, last.get(name));
          } else {
            cache.set(name, value);
            last.set(name, value);
            assert.equal(cache.get(name), value);
          }
          assert.ok(cache.size <= maxEntries);
        }
      },
    ),
  );
});
