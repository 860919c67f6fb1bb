// Topic aliases, both directions.

import assert from "node:assert/strict";
import { test } from "node:test";
import { IncomingAliases, OutgoingAliases } from "@heirloom/core/internal";

test("the peer's aliases: 1 to the maximum, defined anew at will - 5.0 [MQTT-3.3.2-9]", () => {
  const aliases = new IncomingAliases(2);
  assert.deepEqual(
    [0, 1, 2, 3].map((alias) => aliases.isAllowed(alias)),
    [false, true, true, false],
  );
  assert.equal(aliases.resolve(1), undefined);
  aliases.define(1, "a");
  aliases.define(1, "b");
  assert.equal(aliases.resolve(1), "b");
});

test("ours: one for each of the first topics, defined only when the packet went out - 5.0 [MQTT-3.1.2-26]", () => {
  const aliases = new OutgoingAliases(1);
  assert.deepEqual([aliases.known("a"), aliases.free], [0, 1]);
  // The packet was dropped: nothing is defined.
  assert.deepEqual([aliases.known("a"), aliases.free], [0, 1]);
  aliases.defined("a");
  assert.deepEqual([aliases.known("a"), aliases.free, aliases.known("b")], [1, 0, 0]);
});
