// Messages share the bytes they came in until they have to be kept.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Message } from "@heirloom/core";
import { remainingExpirySeconds } from "@heirloom/core/internal";

test("owns its bytes only after own(), and a copy owns its own", () => {
  const source = Uint8Array.of(0, 1, 2, 3, 4);
  const message = new Message("t", 1, false, source, 1, 4, source.subarray(0, 1), Infinity, "me");
  const copy = message.copy();
  source[1] = 9;
  assert.deepEqual([...message.payload], [9, 2, 3]);
  assert.deepEqual([...copy.payload], [1, 2, 3]);
  message.own().own();
  source.fill(7);
  assert.deepEqual([[...message.payload], [...message.forwarded]], [[9, 2, 3], [0]]);
});

test("takes properties that stand in front of the payload along in one copy", () => {
  const source = Uint8Array.of(0, 1, 2, 3, 4);
  const message = new Message("t", 1, false, source, 3, 4, new Uint8Array(0), Infinity, "me");
  message.forwardedStart = 1;
  const [copy, other] = [message.copy(), message.with(0, false)];
  const held = message.heldBytes;
  message.own();
  source.fill(7);
  for (const own of [message, copy]) {
    assert.deepEqual([[...own.forwarded], [...own.payload], own.forwardedLength], [[1, 2], [3], 2]);
  }
  assert.equal(message.source.length, 3);
  assert.equal(message.heldBytes, held);
  assert.deepEqual([[...other.forwarded], [...other.payload], other.qos], [[7, 7], [7], 0]);
});

test("with() changes QoS and RETAIN and nothing else", () => {
  const message = Message.of({
    topicName: "t",
    payload: Uint8Array.of(1),
    qos: 2,
    retain: true,
    publisherId: "me",
  });
  assert.equal(message.with(2, true), message);
  const other = message.with(1, false);
  assert.deepEqual(
    [other.topicName, other.qos, other.retain, other.publisherId, [...other.payload]],
    ["t", 1, false, "me", [1]],
  );
});

test("says the seconds that are left, at least 1 - 5.0 [MQTT-3.3.2-6]", () => {
  const message = Message.of({ topicName: "t", expiresAtMs: 10_000 });
  assert.deepEqual(
    [0, 1, 9_001, 9_999, 10_000, 20_000].map((nowMs) => remainingExpirySeconds(message, nowMs)),
    [10, 10, 1, 1, 1, 1],
  );
  assert.equal(remainingExpirySeconds(Message.of({ topicName: "t" }), 0), -1);
});
