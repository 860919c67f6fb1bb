// What sessions that are offline cost a publication: nothing each. Counted at the store, so that no machine matters.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { StoreBatch } from "@heirloom/core";
import { MemoryBroker, MemoryDisk } from "@heirloom/core/testing";
import { clean, lasting, publishAll } from "./support.ts";

const MESSAGES = 20;

/** What the store is given while some messages are published to a filter with so many sessions offline. */
async function storedFor(sessions: number, topicFilter: (place: number) => string): Promise<string> {
  let count = { batches: 0, records: 0, entries: 0, bytes: 0 };
  const disk = new MemoryDisk((batch: StoreBatch, moment) => {
    if (moment !== "commit") return;
    count.batches++;
    count.records += batch.records.length;
    for (const { firstIndex, lastIndex, bytes } of batch.blocks) {
      count.entries += lastIndex - firstIndex + 1;
      count.bytes += bytes.length;
    }
  });
  const broker = await MemoryBroker.start({ disk });
  for (let place = 0; place < sessions; place++) {
    const client = await lasting(broker, `c${place}`);
    await client.subscribe(topicFilter(place));
    await client.drop();
  }
  const publisher = await clean(broker, "pub");
  await broker.advance(1);
  count = { batches: 0, records: 0, entries: 0, bytes: 0 };
  await publishAll(publisher, "t/a", 1, Array<string>(MESSAGES).fill("x"));
  return JSON.stringify(count);
}

test("a message is stored once for a filter, however many of its sessions are offline", async () => {
  const one = await storedFor(1, () => "t/#");
  assert.match(one, new RegExp(`"entries":${MESSAGES},`));
  assert.equal(await storedFor(300, () => "t/#"), one);
});

test("a message is stored once for each filter that it matches", async () => {
  const filters = ["t/#", "t/a", "+/a"];
  const three = await storedFor(30, (place) => filters[place % 3] ?? "t/#");
  assert.match(three, new RegExp(`"entries":${3 * MESSAGES},`));
});
