// Secrets that do not show themselves, and a cache whose keys cannot be read back.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { format, inspect } from "node:util";
import { KeyedCache } from "../dist/identity/keyed-cache.js";
import { Secret } from "../dist/identity/secret.js";

describe("Secret", () => {
  it("prints asterisks, however it is printed - attack AUTHN-14", () => {
    const secret = new Secret("canary");
    const held = { list: [secret], secret };
    const prints = [
      String(secret),
      secret.toString(),
      JSON.stringify(held),
      inspect(held),
      format("%o %s", held, secret),
    ];
    prints.push(
      inspect(held, { showHidden: true, depth: null }),
      new Error("x", { cause: secret }).stack ?? "",
    );
    for (const printed of prints) assert.doesNotMatch(printed, /canary/);
    assert.deepEqual(Object.values(secret), []);
    assert.equal(secret.reveal(), "canary");
  });
});

describe("KeyedCache", () => {
  it("tells lists apart that have the same bytes", () => {
    const cache = new KeyedCache(10, () => 0);
    const lists = [["ab", "c"], ["a", "bc"], ["abc"], ["abc", undefined], ["abc", ""], ["", "abc"], []];
    assert.equal(new Set(lists.map((list) => cache.keyOf(list))).size, lists.length);
    assert.equal(cache.keyOf(["ab"]), cache.keyOf([Buffer.from("ab")]));
    assert.notEqual(cache.keyOf(["ab"]), new KeyedCache(10, () => 0).keyOf(["ab"]));
  });

  it("forgets what is too old, and what was not used for the longest time", () => {
    let nowMs = 0;
    const cache = new KeyedCache<number>(2, () => nowMs);
    cache.set("a", 1, 10);
    cache.set("b", 2, 10);
    assert.equal(cache.get("a"), 1);
    cache.set("c", 3, 10);
    assert.deepEqual([cache.get("a"), cache.get("b"), cache.get("c")], [1, undefined, 3]);
    nowMs = 10;
    assert.equal(cache.get("a"), undefined);
    assert.equal(cache.size, 1);
    cache.set("d", 4, 0);
    assert.equal(cache.get("d"), undefined);
    const none = new KeyedCache<number>(0, () => 0);
    none.set("a", 1, 10);
    assert.equal(none.get("a"), undefined);
  });
});
