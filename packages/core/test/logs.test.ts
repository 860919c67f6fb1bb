// Logs in memory: messages become entries of blocks, cursors stand in them, and what is not needed goes.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Writer } from "@heirloom/codec";
import { DEFAULT_LIMITS, type Limits, Message, StoreBatch } from "@heirloom/core";
import {
  Block,
  Cursor,
  type CursorOwner,
  enforceQueueLimit,
  Log,
  readEntry,
  skipEntry,
  writeEntry,
} from "@heirloom/core/internal";
import { utf8 } from "@heirloom/core/testing";
import fc from "fast-check";

const SUBSCRIPTION = {
  topicFilter: "t",
  qos: 2,
  noLocal: false,
  retainAsPublished: false,
  retainHandling: 0,
  subscriptionIdentifier: 0,
} as const;

const messages = fc
  .record({
    topicName: fc.string({ minLength: 1, unit: "grapheme" }),
    payload: fc.uint8Array({ maxLength: 200 }),
    qos: fc.constantFrom(0, 1, 2),
    retain: fc.boolean(),
    forwarded: fc.uint8Array({ maxLength: 20 }),
    expiresAtMs: fc.oneof(fc.constant(Infinity), fc.nat(2 ** 47)),
    publisherId: fc.string({ unit: "grapheme" }),
  })
  .map((fields) => Message.of({ ...fields, qos: fields.qos === 0 ? 0 : fields.qos === 1 ? 1 : 2 }));

test("an entry reads back as it was written, wherever it stands, with or without its publisher", () => {
  fc.assert(
    fc.property(
      messages,
      fc.nat(2 ** 40),
      fc.array(fc.integer({ min: 1, max: 268_435_455 }), { maxLength: 4 }),
      fc.boolean(),
      fc.nat(50),
      (message, sequence, identifiers, withPublisher, before) => {
        const writer = new Writer();
        for (let count = 0; count < before; count++) writer.u8(0);
        const bytes = writeEntry(writer, message, sequence, identifiers, withPublisher);
        const stored = writer.take();
        assert.equal(bytes, stored.length - before);
        assert.equal(skipEntry(stored, before), stored.length);
        const entry = readEntry(stored, before);
        assert.deepEqual([entry.sequence, entry.identifiers, entry.bytes], [sequence, identifiers, bytes]);
        const { topicName, qos, retain, expiresAtMs } = entry.message;
        assert.deepEqual(
          [topicName, qos, retain, expiresAtMs],
          [message.topicName, message.qos, message.retain, message.expiresAtMs],
        );
        assert.deepEqual(Uint8Array.from(entry.message.payload), Uint8Array.from(message.payload));
        assert.deepEqual(Uint8Array.from(entry.message.forwarded), Uint8Array.from(message.forwarded));
        assert.equal(entry.message.publisherId, withPublisher ? message.publisherId : "");
      },
    ),
  );
});

test("a block reads back from its stored bytes, and says how many bytes of the log are before and after it", () => {
  const block = Block.begin(3, 100, 5000);
  const sizes = ["a", "bb", ""].map((text, place) =>
    block.append(Message.of({ topicName: "t", payload: utf8(text), qos: 1 }), 7 + place, [], false),
  );
  const stored = block.close(1);
  assert.deepEqual([stored.logId, stored.firstIndex, stored.lastIndex], [3, 100, 102]);
  const again = Block.read(stored);
  assert.deepEqual(
    [again.bytesBefore, again.bytesAfter],
    [5000, 5000 + sizes.reduce((sum, size) => sum + size, 0)],
  );
  assert.equal(again.entry(101).sequence, 8);
  assert.deepEqual(Uint8Array.from(again.entry(101).message.payload), utf8("bb"));
  assert.throws(() => again.entry(103), RangeError);
  assert.throws(() => block.append(Message.of({ topicName: "t" }), 1, [], false), /closed block/);
});

test("bytes that are no block of that many entries are refused", () => {
  const block = Block.begin(1, 0, 0);
  block.append(Message.of({ topicName: "t", qos: 1 }), 1, [], false);
  const stored = block.close(1);
  assert.throws(() => Block.read({ ...stored, lastIndex: 1 }), /1 entries, expected 2/);
  assert.throws(() => Block.read({ ...stored, bytes: stored.bytes.subarray(0, -1) }), RangeError);
  const other = stored.bytes.slice();
  other[0] = 9;
  assert.throws(() => Block.read({ ...stored, bytes: other }), /format 9, expected 1/);
});

/** A log whose host counts the bytes that it holds in memory, and a reader of it. */
function makeLog(): { log: Log; cachedBytes: () => number; owner: CursorOwner & { count: number } } {
  let cachedBytes = 0;
  const log = new Log(
    {
      keepsPublisher: false,
      save: (saved) => (saved.unsaved = true),
      appended: () => undefined,
      saving: () => undefined,
      cached: (_log, bytes) => (cachedBytes += bytes),
    },
    1,
    "t",
    0,
    0,
    0,
  );
  const owner = {
    count: 0,
    hasInFlight: false,
    lowestInFlight: () => Infinity,
    enforceLimit: () => false,
    missing: () => undefined,
    discarded(_cursor: Cursor, count: number) {
      owner.count += count;
    },
  };
  return { log, cachedBytes: () => cachedBytes, owner };
}

function append(log: Log, sequence: number, bytes = 100): void {
  log.append(Message.of({ topicName: "t", qos: 1, payload: new Uint8Array(bytes) }), sequence);
}

test("one turn's entries are one block; what is in memory is found, what is not yet on disk is never forgotten", () => {
  const { log, cachedBytes, owner } = makeLog();
  const slow = new Cursor(1, owner, log, SUBSCRIPTION, 0, 0, 1);
  for (let sequence = 1; sequence <= 5; sequence++) append(log, sequence);
  const first = new StoreBatch();
  log.save(first, 1);
  log.unsaved = false;
  for (let sequence = 6; sequence <= 8; sequence++) append(log, sequence);
  const second = new StoreBatch();
  log.save(second, 2);
  assert.deepEqual(
    [...first.blocks, ...second.blocks].map(({ firstIndex, lastIndex }) => [firstIndex, lastIndex]),
    [
      [0, 4],
      [5, 7],
    ],
  );
  assert.equal(log.recent(0)?.sequence, 1);
  assert.equal(log.recent(7)?.sequence, 8);
  assert.equal(log.recent(8), undefined);
  assert.equal(cachedBytes(), log.recentBytes);
  log.forgetRecent(1, 0);
  assert.deepEqual([log.recent(4), log.recent(5)?.sequence, log.recentIndex], [undefined, 6, 5]);
  log.forgetRecent(2, 0);
  assert.deepEqual([log.recentIndex, cachedBytes()], [8, 0]);
  assert.equal(slow.next, 0);
});

test("what all readers have behind them is forgotten when it is on disk, and not before", () => {
  const { log, cachedBytes, owner } = makeLog();
  const cursors = [1, 2].map((cursorId) => new Cursor(cursorId, owner, log, SUBSCRIPTION, 0, 0, 1));
  for (const batch of [1, 2, 3, 4]) {
    append(log, batch);
    for (const cursor of cursors) if (cursor.cursorId === 1 || batch < 3) cursor.moveToEnd();
    log.save(new StoreBatch(), batch);
    log.unsaved = false;
  }
  assert.equal(log.recentIndex, 2, "the slower reader stands there");
  assert.equal(cachedBytes(), log.recentBytes);
  for (const cursor of cursors) cursor.moveToEnd();
  log.forgetRecent(3);
  assert.equal(log.recentIndex, 3, "batch 4 is not on disk");
});

test("a large turn makes several blocks without a gap", () => {
  const { log } = makeLog();
  for (let sequence = 1; sequence <= 50; sequence++) append(log, sequence, 10_000);
  const batch = new StoreBatch();
  log.save(batch, 1);
  assert.ok(batch.blocks.length > 5);
  let index = 0;
  for (const { firstIndex, lastIndex } of batch.blocks) {
    assert.equal(firstIndex, index);
    index = lastIndex + 1;
  }
  assert.equal(index, 50);
});

test("a log is needed from its slowest reader on, counting what is in flight", () => {
  const { log, owner } = makeLog();
  const slow = new Cursor(1, owner, log, SUBSCRIPTION, 0, 0, 1);
  const fast = new Cursor(
    2,
    { ...owner, hasInFlight: true, lowestInFlight: () => 2 },
    log,
    SUBSCRIPTION,
    0,
    0,
    1,
  );
  for (let sequence = 1; sequence <= 5; sequence++) append(log, sequence);
  fast.moveToEnd();
  assert.deepEqual([log.lowIndex(), slow.waiting, fast.waiting], [0, 5, 0]);
  assert.equal(slow.waitingBytes, log.totalBytes);
  slow.moveToEnd();
  assert.equal(log.lowIndex(), 2);
  log.cursors.delete(fast);
  assert.equal(log.lowIndex(), 5);
  assert.equal(log.isWanted, true);
  slow.close(6);
  assert.deepEqual([log.isWanted, slow.unread], [false, Infinity]);
});

test("a stretch that ended is read to its end and counts only its share of the bytes", () => {
  const { log, owner } = makeLog();
  const cursor = new Cursor(1, owner, log, SUBSCRIPTION, 0, 0, 1);
  for (let sequence = 1; sequence <= 4; sequence++) append(log, sequence);
  cursor.close(5);
  for (let sequence = 5; sequence <= 8; sequence++) append(log, sequence);
  assert.deepEqual([cursor.waiting, cursor.waitingBytes * 2], [4, log.totalBytes]);
  cursor.skip(4);
  assert.deepEqual([cursor.waiting, cursor.unread, cursor.nextBytes * 2], [0, Infinity, log.totalBytes]);
});

test("the limit of a queue is one for all cursors of a session; the longest gives way", () => {
  const { log, owner } = makeLog();
  const other = makeLog().log;
  const long = new Cursor(1, owner, log, SUBSCRIPTION, 0, 0, 1);
  const short = new Cursor(2, owner, other, SUBSCRIPTION, 0, 0, 1);
  for (let sequence = 1; sequence <= 10; sequence++) append(log, sequence);
  append(other, 11);
  enforceQueueLimit({ ...DEFAULT_LIMITS, queueMessages: 4, queuePolicy: "hold" }, [long, short]);
  assert.equal(owner.count, 0);
  enforceQueueLimit({ ...DEFAULT_LIMITS, queueMessages: 4 }, [long, short]);
  assert.deepEqual([owner.count, long.waiting, short.waiting], [7, 3, 1]);
  assert.equal(long.nextBytes * 10, log.totalBytes * 7);
});

test("readers far from their limit are not looked at with each message, nor with each turn", () => {
  const { log } = makeLog();
  const limits: Limits = { ...DEFAULT_LIMITS, queueMessages: 1_000, queuePolicy: "refuse" };
  let looks = 0;
  const readers = Array.from({ length: 100 }, (_, reader) => {
    const others = makeLog().log;
    const owner = {
      hasInFlight: false,
      lowestInFlight: () => Infinity,
      enforceLimit(): boolean {
        looks++;
        return enforceQueueLimit(limits, cursors);
      },
      missing: () => undefined,
      discarded: () => undefined,
    };
    const cursors = [new Cursor(1, owner, log, SUBSCRIPTION, 0, 0, 1)];
    // Every other one has a second filter.
    if (reader % 2 === 0) cursors.push(new Cursor(2, owner, others, SUBSCRIPTION, 0, 0, 1));
    return cursors;
  });
  let turn = 0;
  while (!log.isFull(limits, turn)) append(log, ++turn);
  assert.equal(log.endIndex, 1_000, "the limit is met exactly");
  // Once each, and those with two filters again at half of what was left, each time.
  assert.ok(looks <= readers.length * 12, `${looks} looks`);
});

test("asks each owner once what it has in flight, however many stretches it has", () => {
  const { log, owner } = makeLog();
  for (let sequence = 1; sequence <= 8; sequence++) append(log, sequence);
  let asked = 0;
  const busy = { ...owner, hasInFlight: true, lowestInFlight: () => (asked++, 3) };
  for (let cursorId = 1; cursorId <= 100; cursorId++) new Cursor(cursorId, busy, log, SUBSCRIPTION, 5, 0, 1);
  assert.equal(log.lowIndex(), 3);
  assert.equal(asked, 1);
});
