// Connections that say nothing: they are there, and cost no work.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createTestBroker } from "heirloom/testing";
import { WireClient } from "./wire-client.ts";

const CONNECTIONS = 100;

describe("connections that say nothing", () => {
  it("make the broker do nothing, however many they are - attack CPU-03", async (context) => {
    const broker = await createTestBroker({ limits: { connectTimeoutMs: 3_600_000 } });
    context.after(() => broker.stop());
    /** Turns and writes of a minute in which nobody sends. The broker looks at its memory, whoever is there. */
    const workOfMinute = async (): Promise<readonly number[]> => {
      const { turns, writes, batches } = broker.counters;
      await broker.advance("1m");
      return [
        broker.counters.turns - turns,
        broker.counters.writes - writes,
        broker.counters.batches - batches,
      ];
    };
    const [turnsAlone = 0] = await workOfMinute();
    assert.ok(turnsAlone > 0);
    for (let index = 0; index < CONNECTIONS; index++) {
      const client = new WireClient(broker.connect());
      const properties = { sessionExpiryInterval: 3_600 };
      assert.equal(await client.connect({ clientId: `c${index}`, properties }), 0);
      // One that is half open, and one that has begun its CONNECT.
      broker.connect();
      broker.connect().write(Uint8Array.of(0x10));
    }
    await broker.settle();
    assert.equal(broker.counters.connectionsOpen, 3 * CONNECTIONS);
    const [turns = 0, writes, batches] = await workOfMinute();
    // One more or less falls into a minute.
    assert.ok(Math.abs(turns - turnsAlone) <= 1, `${turns} turns, ${turnsAlone} without them`);
    assert.deepEqual([writes, batches], [0, 0]);
    assert.equal(broker.counters.connectionsOpen, 3 * CONNECTIONS);
  });
});
