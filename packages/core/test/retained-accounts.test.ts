// What each account may retain: its own share, whoever else has room.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Hooks, Limits } from "@heirloom/core";
import { MemoryBroker } from "@heirloom/core/testing";

/** Everyone is who they say they are. */
const BELIEVE: Hooks = { connect: () => undefined };

/** Answers whether a message of a user is kept; each user has a client. */
type Retain = (username: string | undefined, topicName: string, payload?: string) => Promise<boolean>;

async function started(limits: Partial<Limits>): Promise<{ broker: MemoryBroker; retain: Retain }> {
  const broker = await MemoryBroker.start({ hooks: BELIEVE, limits });
  const retain: Retain = async (username, topicName, payload = "x") => {
    const client = broker.client(`of ${username}`);
    await client.connect(username === undefined ? {} : { username });
    const [answer] = await client.publish({ topicName, payload, qos: 1, retain: true });
    await client.disconnect();
    return answer?.includes("0x97") === false;
  };
  return { broker, retain };
}

test("one account stops at its own number of retained messages with 0x97; others have theirs - attack RET-03", async () => {
  const { broker, retain } = await started({ retainedMessagesPerAccount: 2 });
  assert.deepEqual(
    [await retain("a", "1"), await retain("a", "2"), await retain("a", "3")],
    [true, true, false],
  );
  assert.equal(broker.counters.refused, 1);
  assert.ok(await retain("b", "3"));
  assert.ok(await retain("a", "2", "longer than before"), "what is there can change");
  for (let number = 0; number < 5; number++) assert.ok(await retain(undefined, `nobody's/${number}`));
  assert.ok(await retain("a", "1", ""), "and go");
  assert.ok(await retain("a", "4"));
  assert.equal(await retain("a", "5"), false);
});

test("a topic counts for its latest publisher, also after a restart and when its message expires - attack RET-03", async () => {
  const { broker, retain } = await started({ retainedMessagesPerAccount: 2 });
  assert.deepEqual([await retain("a", "1"), await retain("a", "2")], [true, true]);
  assert.ok(await retain("b", "1"));
  assert.ok(await retain("a", "3"));
  assert.equal(await retain("a", "1"), false, "it would be its third");
  await broker.restart();
  assert.equal(await retain("a", "4"), false);
  assert.ok(await retain("b", "4"));
  assert.equal(await retain("b", "5"), false);
  const client = broker.client("brief");
  await client.connect({ username: "c" });
  const brief = { payload: "x", qos: 1, retain: true, messageExpiryInterval: 10 } as const;
  await client.publish({ topicName: "6", ...brief });
  await client.publish({ topicName: "7", ...brief });
  assert.equal(await retain("c", "8"), false);
  await broker.advance(11);
  assert.ok(await retain("c", "8"));
});

test("one account stops at its own bytes of retained messages; they can shrink, stay as large, or go - attack RET-03", async () => {
  const { broker, retain } = await started({ retainedBytesPerAccount: 1_000 });
  const sized = (username: string, topicName: string, bytes: number): Promise<boolean> =>
    retain(username, topicName, "x".repeat(bytes));
  assert.ok(await sized("a", "1", 600));
  assert.equal(await sized("a", "2", 600), false);
  assert.ok(await sized("b", "2", 600));
  assert.ok(await sized("a", "1", 600));
  assert.equal(await sized("a", "1", 1_000), false);
  assert.ok(await sized("a", "1", 100));
  assert.ok(await sized("a", "3", 600));
  assert.ok(broker.counters.retainedBytes > 1_300);
});
