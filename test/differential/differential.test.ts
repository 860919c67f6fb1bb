// The same conversations with heirloom and with Debian's mosquitto: what differs is allowed by the standard.

import assert from "node:assert/strict";
import { test } from "node:test";
import { directoryFor } from "#interop/directory";
import { unlessInstalled } from "#interop/program";
import { pathWithSbin, startHeirloom, startMosquitto } from "./src/brokers.ts";
import { compare } from "./src/compare.ts";
import { makePlan } from "./src/plan.ts";
import { play } from "./src/play.ts";

const STEPS = 60;
const SEEDS = [1, 2, 3, 18, 24] as const;

process.env["PATH"] = pathWithSbin();

for (const seed of SEEDS) {
  test(
    `conversation ${seed}: heirloom and mosquitto say the same, but for what the standard leaves open`,
    { skip: unlessInstalled("mosquitto") },
    async (t) => {
      const directory = await directoryFor(t, "differential");
      const plan = makePlan(seed, STEPS);
      const heirloom = await startHeirloom(directory);
      t.after(() => heirloom.stop());
      const mosquitto = await startMosquitto(directory);
      t.after(() => mosquitto.stop());
      const ours = await play(heirloom.port, plan);
      const { allowed, unexplained } = compare(plan, ours, await play(mosquitto.port, plan));
      assert.deepEqual(unexplained, []);
      for (const [name, count] of allowed) t.diagnostic(`${count} times: ${name}`);
      // A conversation in which nobody hears anything would show nothing.
      const heard = ours
        .flatMap((step) => [...step.values()].flat())
        .filter((line) => line.startsWith("PUBLISH"));
      assert.ok(heard.length >= 10, `only ${heard.length} messages came`);
    },
  );
}
