// What a broker tells about its sessions and shared groups, and that the numbers add up.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { SessionInfo } from "@heirloom/core";
import { MemoryBroker } from "@heirloom/core/testing";
import { clean, lasting, publishAll, resume } from "./support.ts";

function infoOf(broker: MemoryBroker, clientId: string): SessionInfo {
  return broker.broker.sessionInfo(clientId) ?? assert.fail(`no session ${clientId}`);
}

test("tells what waits for an offline session, and what became of it", async () => {
  const broker = await MemoryBroker.start({ limits: { sendMaximum: 1 } });
  const sub = await lasting(broker, "sub");
  await sub.subscribe("t");
  await sub.drop();
  const pub = await clean(broker, "pub");
  await publishAll(pub, "t", 1, ["1", "2"]);
  const offline = infoOf(broker, "sub");
  assert.equal(offline.isConnected, false);
  assert.deepEqual([offline.waitingMessages, offline.inFlight, offline.subscriptions], [2, 0, 1]);
  assert.ok(offline.waitingBytes > 0);
  const { client } = await resume(broker, "sub");
  assert.deepEqual([infoOf(broker, "sub").waitingMessages, infoOf(broker, "sub").inFlight], [1, 1]);
  await client.puback(1);
  await client.puback(2, 0x83);
  const { counts, waitingMessages, inFlight } = infoOf(broker, "sub");
  assert.deepEqual([waitingMessages, inFlight], [0, 0]);
  assert.deepEqual([counts.taken, counts.delivered, counts.droppedRefused], [2, 1, 1]);
  assert.equal(broker.broker.sessionInfo("nobody"), undefined);
});

test("counts what a restart finds in flight as taken, so that the numbers of the new process balance", async () => {
  const broker = await MemoryBroker.start();
  const sub = await lasting(broker, "sub");
  await sub.subscribe("t");
  const pub = await clean(broker, "pub");
  await publishAll(pub, "t", 1, ["1", "2"]);
  await broker.restart();
  const { counts, inFlight } = infoOf(broker, "sub");
  assert.deepEqual([counts.taken, inFlight, counts.delivered], [2, 2, 0]);
});

test("a repetition that is too large for the client's new Maximum Packet Size is counted once, as such", async () => {
  const broker = await MemoryBroker.start();
  const sub = await lasting(broker, "sub");
  await sub.subscribe("t");
  await publishAll(await clean(broker, "pub"), "t", 1, ["x".repeat(100)]);
  await sub.drop();
  await resume(broker, "sub", { properties: { maximumPacketSize: 50 } });
  assert.deepEqual([broker.counters.droppedTooLarge, broker.counters.droppedRefused], [1, 0]);
  const { counts } = infoOf(broker, "sub");
  assert.deepEqual([counts.taken, counts.droppedTooLarge, counts.droppedRefused], [1, 1, 0]);
});

test("what sessions and groups counted that are over stays in the sums", async () => {
  const broker = await MemoryBroker.start();
  const sub = await lasting(broker, "sub");
  await sub.subscribe(["t", "$share/g/u"]);
  await sub.drop();
  const pub = await clean(broker, "pub");
  await publishAll(pub, "t", 1, ["1"]);
  await publishAll(pub, "u", 1, ["2"]);
  const [group] = broker.broker.sharedGroups();
  assert.deepEqual(
    [group?.shareName, group?.topicFilter, group?.members, group?.waitingMessages],
    ["g", "u", 1, 1],
  );
  await clean(broker, "sub");
  assert.deepEqual([...broker.broker.sharedGroups()], []);
  assert.equal(broker.broker.endedCounts.discardedWithSession, 2);
  assert.equal(broker.counters.discardedWithSession, 2);
  assert.deepEqual(
    [...broker.broker.sessions()].map(({ clientId, isLasting }) => [clientId, isLasting]),
    [
      ["pub", false],
      ["sub", false],
    ],
  );
});
