// What is in flight and received, as it stands on disk.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Sender } from "@heirloom/core";
import {
  Cursor,
  Log,
  type Place,
  readDelivery,
  readReceived,
  writeDelivery,
  writeReceived,
} from "@heirloom/core/internal";
import fc from "fast-check";

const log = new Log(
  {
    keepsPublisher: false,
    save: () => undefined,
    appended: () => undefined,
    saving: () => undefined,
    cached: () => undefined,
  },
  1,
  "t",
  0,
  0,
  0,
);
const owner = {
  hasInFlight: false,
  lowestInFlight: () => Infinity,
  enforceLimit: () => false,
  discarded: () => undefined,
  missing: () => undefined,
};
const subscription = {
  topicFilter: "t",
  qos: 2,
  noLocal: false,
  retainAsPublished: false,
  retainHandling: 0,
  subscriptionIdentifier: 0,
} as const;
const cursor = new Cursor(1, owner, log, subscription, 0, 0, 1);

test("received identifiers read back in their order", () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.integer({ min: 1, max: 65_535 })), (packetIds) => {
      assert.deepEqual(readReceived(writeReceived(new Set(packetIds))), packetIds);
    }),
  );
});

test("what is in flight reads back in its order, with identifiers, places and whether PUBREC came", () => {
  const delivery = fc.record({
    packetId: fc.integer({ min: 1, max: 65_535 }),
    qos: fc.constantFrom<1 | 2>(1, 2),
    stretchId: fc.integer({ min: 0, max: 5 }),
    index: fc.nat(2 ** 47),
    isReleased: fc.boolean(),
  });
  fc.assert(
    fc.property(
      fc.uniqueArray(delivery, { selector: ({ packetId }) => packetId }),
      fc.nat(65_535),
      (all, last) => {
        const sender = new Sender<Place>();
        sender.restoreLastPacketId(last);
        for (const { packetId, qos, stretchId, index, isReleased } of all) {
          sender.restore(packetId, qos, { stretchId, cursor, index, group: undefined }, isReleased);
        }
        const record = readDelivery(writeDelivery(sender, []));
        assert.equal(record.lastPacketId, last);
        const again = record.runs.flatMap(({ packetId, index, count, ...rest }) =>
          Array.from({ length: count }, (_, place) => ({
            packetId: packetId + place,
            index: index + place,
            ...rest,
          })),
        );
        assert.deepEqual(
          again.map(({ packetId, qos, stretchId, index, isReleased }) => ({
            packetId,
            qos,
            stretchId,
            index,
            isReleased,
          })),
          all.map((delivery) => ({ ...delivery })),
        );
      },
    ),
  );
});

test("a thousand deliveries that were sent in order take the space of one", () => {
  const sender = new Sender<Place>();
  sender.connect(65_535);
  for (let index = 0; index < 1000; index++)
    sender.start(1, { stretchId: 1, cursor, index, group: undefined });
  assert.ok(writeDelivery(sender, []).length < 20);
});

test("cursors that moved are told with their new place", () => {
  const moved = new Cursor(7, owner, log, subscription, 300, 70_000, 1);
  assert.deepEqual(readDelivery(writeDelivery(new Sender<Place>(), [moved])).moved, [
    { stretchId: 7, next: 300, nextBytes: 70_000 },
  ]);
});

test("a record of another format is refused", () => {
  assert.throws(() => readReceived(Uint8Array.of(9)), /format 9, expected 1/);
  assert.throws(() => readDelivery(Uint8Array.of(9)), /format 9, expected 1/);
});
