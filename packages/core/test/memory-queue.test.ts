// Deliveries that wait in memory come out in the order in which they went in.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Message } from "@heirloom/core";
import { MemoryQueue } from "@heirloom/core/internal";
import fc from "fast-check";

test("is first in, first out, and counts the bytes of what is in it", () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.nat(50), fc.constant(-1)), { maxLength: 300 }), (steps) => {
      const queue = new MemoryQueue();
      const model: Message[] = [];
      for (const size of steps) {
        if (size === -1) {
          assert.equal(queue.peek()?.message, model[0]);
          assert.equal(queue.shift()?.message, model.shift());
        } else {
          const message = Message.of({ topicName: "t", payload: new Uint8Array(size) });
          model.push(message);
          queue.push({ message, qos: 1, retain: false, identifiers: [], shared: undefined });
        }
        assert.equal(queue.length, model.length);
        assert.equal(
          queue.bytes,
          model.reduce((sum, { heldBytes }) => sum + heldBytes, 0),
        );
      }
    }),
  );
});

test("gives its memory back when it was long and is empty", () => {
  const queue = new MemoryQueue();
  const delivery = {
    message: Message.of({ topicName: "t" }),
    qos: 1,
    retain: false,
    identifiers: [],
    shared: undefined,
  } as const;
  for (let count = 0; count < 5000; count++) queue.push(delivery);
  while (queue.shift() !== undefined);
  assert.deepEqual([queue.length, queue.bytes], [0, 0]);
  queue.push(delivery);
  assert.equal(queue.shift(), delivery);
});
