// Which texts are Topic Names.

import assert from "node:assert/strict";
import { test } from "node:test";
import { checkTopicName } from "@heirloom/core";

const MAX_BYTES = 65_535;

test("takes every name without wildcard, of any levels and characters - 5.0 [MQTT-4.7.3-1], 3.1.1 [MQTT-4.7.3-1]", () => {
  const names = [
    "a",
    "/",
    "//",
    " ",
    "a/b c/",
    "/a",
    "$SYS/x",
    "$",
    "\u0001",
    "Å",
    "\ufeff",
    "💡/\uffff",
    ".",
  ];
  for (const name of names) assert.equal(checkTopicName(name), undefined, name);
});

test("refuses the empty name - 5.0 [MQTT-4.7.3-1], 3.1.1 [MQTT-4.7.3-1] - attack PARSE-10", () => {
  assert.equal(checkTopicName(""), "the topic name is empty");
});

test("refuses wildcards anywhere - 5.0 [MQTT-4.7.0-1], 3.1.1 [MQTT-4.7.1-1] - attack PARSE-11", () => {
  for (const name of ["+", "#", "a/+", "a/#", "a+b", "a#", "#/a", "+/", "é+", "a/b#c"]) {
    assert.equal(checkTopicName(name), "the topic name contains a wildcard", name);
  }
});

test("refuses U+0000 anywhere - 5.0 [MQTT-4.7.3-2], 3.1.1 [MQTT-4.7.3-2]", () => {
  for (const name of ["\0", "a\0b", "a/\0", "é\0"]) {
    assert.equal(checkTopicName(name), "the topic name contains U+0000");
  }
});

test("takes 65,535 bytes of UTF-8 and refuses one more - 5.0 [MQTT-4.7.3-3], 3.1.1 [MQTT-4.7.3-3]", () => {
  for (const unit of ["a", "/", "é", "€", "💡"]) {
    const unitBytes = Buffer.byteLength(unit);
    const longest = unit.repeat(Math.floor(MAX_BYTES / unitBytes)) + "b".repeat(MAX_BYTES % unitBytes);
    assert.equal(Buffer.byteLength(longest), MAX_BYTES);
    assert.equal(checkTopicName(longest), undefined, unit);
    assert.equal(checkTopicName(longest + "b"), "the topic name is longer than 65,535 bytes", unit);
  }
});

test("refuses a surrogate without partner, which UTF-8 cannot carry - 5.0 [MQTT-1.5.4-1], 3.1.1 [MQTT-1.5.3-1]", () => {
  for (const name of ["\ud83d", "a\ud83db", "\udca1\ud83d", "\ud83d\ud83d", "a/\udca1"]) {
    assert.equal(checkTopicName(name), "the topic name has a surrogate without its partner");
  }
});

test("refuses more levels than asked for", () => {
  assert.equal(checkTopicName("a/b/c", 3), undefined);
  assert.equal(checkTopicName("a/b/c/", 3), "the topic name has more than 3 levels");
});
