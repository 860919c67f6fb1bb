// What of a session is written with a batch.

import assert from "node:assert/strict";
import { test } from "node:test";
import { StoreBatch } from "@heirloom/core";
import { MemoryBroker } from "@heirloom/core/testing";
import { SessionState } from "../dist/sessions/session-state.js";
import { lasting } from "./support.ts";

test("a session that is over is deleted once: another may have its ClientId by then", () => {
  const session = { sessionId: 7, clientId: "c", stretches: new Map([[1, {}]]) };
  const turn = { save: () => undefined };
  const state = new SessionState(
    ...([turn, session] as unknown as ConstructorParameters<typeof SessionState>),
  );
  const [first, second] = [new StoreBatch(), new StoreBatch()];
  state.ended();
  state.save(first, 1);
  assert.deepEqual(
    first.records.map(({ table, key, value }) => [table, key, value]),
    [
      ["session", "c", undefined],
      ["delivery", "7", undefined],
      ["received", "7", undefined],
      ["subscription", "7/1", undefined],
    ],
  );
  // A read for it ends now.
  state.deliveryChanged();
  state.save(second, 2);
  assert.deepEqual(second.records, []);
});

test("a session that was deleted on a full disk is gone when there is space", async () => {
  const broker = await MemoryBroker.start();
  const client = await lasting(broker, "c");
  await client.subscribe("t");
  broker.disk.state = "full";
  await client.drop();
  const next = broker.client("c");
  next.sendConnect({ cleanStart: true });
  await broker.advance(1);
  broker.disk.state = "ok";
  await broker.advance(3);
  await next.drop();
  await broker.restart();
  const again = broker.client("c");
  assert.deepEqual(await again.connect({ cleanStart: false }), ["CONNACK 0x00 present=0"]);
  assert.equal(broker.counters.subscriptions, 0);
});
