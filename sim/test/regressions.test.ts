// Plans that once led to a violation; each is played again.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { type Plan, simulate } from "@heirloom/sim";

interface Regression {
  /** What the broker promises in this story and did not keep once. */
  readonly story: string;
  readonly plan: Plan;
}

const folder = new URL("../regressions/", import.meta.url);
const names = readdirSync(folder).filter((name) => name.endsWith(".json"));

for (const name of names) {
  const { story, plan }: Regression = JSON.parse(readFileSync(new URL(name, folder), "utf8"));
  test(`${story} (${name})`, async () => {
    const { violations } = await simulate(plan);
    assert.deepEqual(violations, []);
  });
}

test("has regressions", () => {
  assert.ok(names.length > 0);
});
