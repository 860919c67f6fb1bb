// What a session reads from its logs while these are cut at the queue's limit.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type DamagedBlock, MemoryStore, type StoredBlock } from "@heirloom/core";
import { MemoryBroker } from "@heirloom/core/testing";
import { clean, lasting } from "./support.ts";

/** Reads that take until they are let go. What they give is what was stored when they began. */
class SlowReads extends MemoryStore {
  isSlow = false;
  /** Index of an entry whose block is damaged. */
  damagedIndex = -1;
  readonly #waiting: (() => void)[] = [];

  override async readLog(
    ...all: Parameters<MemoryStore["readLog"]>
  ): Promise<readonly (StoredBlock | DamagedBlock)[]> {
    const blocks = (await super.readLog(...all)).map((block) =>
      block.firstIndex === this.damagedIndex ? { ...block, damaged: true as const } : block,
    );
    if (this.isSlow) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return blocks;
  }

  letGo(): void {
    this.isSlow = false;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

/** So large that one read brings few messages. */
const PAYLOAD = "x".repeat(40_000);
const LIMIT = 20;

test("what was cut at the limit while a read was under way is all that is lost - attack STORE-01", async () => {
  const store = new SlowReads();
  const limits = { queueMessages: LIMIT, logCacheBytes: 0 };
  const broker = await MemoryBroker.start({ store, limits });
  const sub = await lasting(broker, "sub");
  await sub.subscribe("t/#");
  await sub.drop();
  const pub = await clean(broker, "pub");
  let number = 0;
  const publish = async (count: number): Promise<void> => {
    while (count-- > 0) await pub.publish({ topicName: `t/${number++}`, qos: 1, payload: PAYLOAD });
  };
  await publish(LIMIT);
  store.isSlow = true;
  const back = broker.client("sub");
  await back.connect({ cleanStart: false, properties: { sessionExpiryInterval: 3600 } });
  await publish(10);
  // Queues are cut to their limit now and then.
  await broker.advance(2);
  store.letGo();
  await broker.settle();
  const numbers = back.words().flatMap((words) => /PUBLISH \d+ t\/(\d+) /.exec(words)?.[1] ?? []);
  assert.equal(broker.counters.damagedEntries, 0);
  assert.deepEqual(
    numbers,
    Array.from({ length: LIMIT }, (_, place) => String(place + 10)),
  );
  assert.equal(broker.counters.discardedAtLimit, 10);
});

test("behind a damaged message, one that is published while this shows is not lost with it - attack STORE-01", async () => {
  const store = new SlowReads();
  const broker = await MemoryBroker.start({ store, limits: { logCacheBytes: 0 } });
  const sub = await lasting(broker, "sub");
  await sub.subscribe("t/#");
  await sub.drop();
  const pub = await clean(broker, "pub");
  await pub.publish({ topicName: "t/damaged", qos: 1 });
  store.damagedIndex = 0;
  store.isSlow = true;
  const back = broker.client("sub");
  await back.connect({ cleanStart: false, properties: { sessionExpiryInterval: 3600 } });
  await pub.publish({ topicName: "t/intact", qos: 1 });
  // Its batch is on disk, and its block has left the memory.
  await broker.settle();
  store.letGo();
  await broker.settle();
  const topics = back.words().flatMap((words) => /PUBLISH \d+ (t\/\w+) /.exec(words)?.[1] ?? []);
  assert.deepEqual(topics, ["t/intact"]);
  assert.equal(broker.counters.damagedEntries, 1);
});

test("a read that ends when its session has gone takes nothing from the one that has the ClientId now", async () => {
  const store = new SlowReads();
  const broker = await MemoryBroker.start({ store, limits: { logCacheBytes: 0 } });
  const sub = await lasting(broker, "sub");
  await sub.subscribe("t");
  await sub.drop();
  const pub = await clean(broker, "pub");
  for (const payload of ["1", "2", "3"]) await pub.publish({ topicName: "t", qos: 1, payload });
  await broker.advance(2);
  // The blocks are gone by the time they are read.
  store.damagedIndex = 0;
  store.isSlow = true;
  const back = await lasting(broker, "sub");
  await back.drop();
  const next = await lasting(broker, "sub", { cleanStart: true });
  await next.subscribe("u");
  await next.drop();
  await pub.publish({ topicName: "u", qos: 1, payload: "4" });
  await broker.advance(3);
  store.letGo();
  await broker.advance(3);
  assert.deepEqual(broker.eventsOf("damaged"), []);
  store.damagedIndex = -1;
  await broker.restart();
  const again = broker.client("sub");
  assert.deepEqual(await again.connect({ cleanStart: false, properties: { sessionExpiryInterval: 3600 } }), [
    "CONNACK 0x00 present=1",
    'PUBLISH 1 u qos=1 dup=0 "4"',
  ]);
});
