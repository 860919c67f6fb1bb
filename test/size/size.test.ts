// A short form of `npm run size`: memory does not grow with the queue, restarts do not read it, and drains are in order.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Harness, residentBytes } from "./src/harness.ts";

const MESSAGES = 40_000;
const PAYLOAD_BYTES = 2_048;

describe("a long queue", () => {
  let harness: Harness;

  before(async () => {
    harness = await Harness.create();
  });

  after(async () => {
    await harness.remove();
  });

  it("stays on disk, survives a restart and is drained completely and in order, and its space is given back", async () => {
    await harness.start();
    await harness.makeOfflineSessions(1, "size/#");
    await harness.publish("size/warm-up", 1);
    const residentBefore = residentBytes();
    await harness.drain("device-0", 1);
    await harness.publish("size/a", MESSAGES, PAYLOAD_BYTES);
    // 80 MiB were queued. What the process holds is buffers and caches, not the queue.
    assert.ok(
      harness.broker.counters.logCacheBytes <= 8_388_608,
      `${harness.broker.counters.logCacheBytes} bytes of blocks`,
    );
    assert.ok(residentBytes() - residentBefore < 400 * 1_048_576);
    await harness.stop();
    assert.ok((await harness.diskBytes()) > MESSAGES * PAYLOAD_BYTES);
    await harness.start();
    assert.equal(harness.broker.counters.logCacheBytes, 0, "a restart reads no queue");
    await harness.drain("device-0", MESSAGES);
    // Trims and compaction come by themselves; the test's time limit ends the wait if they do not.
    while ((await harness.diskBytes()) > (MESSAGES * PAYLOAD_BYTES) / 2) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await harness.stop();
  });
});
