// What is in flight behaves like a map in the order of insertion, whatever packet identifiers come and go.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Delivery } from "@heirloom/core";
import { InFlight } from "@heirloom/core/internal";
import fc from "fast-check";

function delivery(packetId: number): Delivery<number> {
  return {
    packetId,
    qos: 1,
    ref: packetId,
    isReleased: false,
    isCounted: true,
    older: undefined,
    newer: undefined,
  };
}

/** The packet identifiers in the order of first sending, once along each direction of the chain. */
function order(inFlight: InFlight<number>): number[] {
  const found: number[] = [];
  let newest: Delivery<number> | undefined;
  for (let at = inFlight.oldest; at !== undefined; at = at.newer) {
    found.push(at.packetId);
    newest = at;
  }
  const back: number[] = [];
  for (let at = newest; at !== undefined; at = at.older) back.push(at.packetId);
  assert.deepEqual(back.reverse(), found);
  return found;
}

/** Identifiers from few places, so that they meet in the table, and from all of them. */
const packetIds = fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 65_535 }));

test("what is in flight is found by its identifier and walked in the order of first sending", () => {
  fc.assert(
    fc.property(fc.array(packetIds, { maxLength: 400 }), (ids) => {
      const inFlight = new InFlight<number>();
      const expected = new Map<number, Delivery<number>>();
      for (const packetId of ids) {
        const known = expected.get(packetId);
        assert.equal(inFlight.get(packetId), known);
        if (known === undefined) {
          const added = delivery(packetId);
          expected.set(packetId, added);
          inFlight.add(added);
        } else {
          expected.delete(packetId);
          inFlight.remove(known);
          assert.deepEqual([known.older, known.newer], [undefined, undefined]);
        }
        assert.equal(inFlight.size, expected.size);
      }
      assert.deepEqual(order(inFlight), [...expected.keys()]);
      for (const [packetId, added] of expected) assert.equal(inFlight.get(packetId), added);
    }),
  );
});

test("all 65,535 identifiers are in flight at once, and leave in any order", () => {
  const inFlight = new InFlight<number>();
  for (let packetId = 1; packetId <= 65_535; packetId++) inFlight.add(delivery(packetId));
  assert.equal(inFlight.size, 65_535);
  // 7 has no factor in common with 65,535: each comes once.
  for (let step = 0, packetId = 1; step < 65_535; step++, packetId = ((packetId + 6) % 65_535) + 1) {
    const found = inFlight.get(packetId);
    assert.ok(found !== undefined);
    assert.equal(found.packetId, packetId);
    inFlight.remove(found);
    assert.equal(inFlight.get(packetId), undefined);
  }
  assert.deepEqual([inFlight.size, inFlight.oldest], [0, undefined]);
});
