// What clients deleted leaves the data directory of a broker with the usual options.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, utimes } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout } from "node:timers/promises";
import { createBroker } from "heirloom";

async function isFound(directory: string, bytes: Buffer): Promise<boolean> {
  const names = await readdir(directory, { recursive: true });
  const files = names.map((name) => readFile(join(directory, name)).catch(() => Buffer.alloc(0)));
  return (await Promise.all(files)).some((file) => file.includes(bytes));
}

describe("a broker with the usual options", () => {
  it("takes a deleted retained message out of its files when they are a day old - attack STORE-04", async (t) => {
    const data = await mkdtemp(join(tmpdir(), "heirloom-purge-"));
    t.after(() => rm(data, { recursive: true }));
    const canary = randomBytes(64);
    const options = { port: 0, data };
    const first = await createBroker(options);
    await first.publish("a", canary, { retain: true });
    await first.stop();
    const second = await createBroker(options);
    await second.publish("a", "", { retain: true });
    await second.stop();
    assert.ok(await isFound(data, canary), "a day has not gone by");
    await utimes(join(data, "format"), 1, 1);
    const third = await createBroker(options);
    await third.publish("b", "something to be stored", { qos: 1, retain: true });
    // The time limit of the test is the only clock.
    while (await isFound(data, canary)) await setTimeout(20);
    await third.stop();
  });
});
