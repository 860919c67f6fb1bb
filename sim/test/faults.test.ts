// The judge is judged: each planted fault is found within its number of seeds.

import assert from "node:assert/strict";
import { test } from "node:test";
import { FAULTS } from "@heirloom/sim";
import { runCommand } from "./command.ts";

test(`finds each of ${FAULTS.length} planted faults within its number of seeds`, async () => {
  const { exitCode, stdout } = await runCommand("--faults", "--processes", "2");
  assert.doesNotMatch(stdout, /NOT FOUND/);
  assert.match(stdout, new RegExp(`${FAULTS.length} of ${FAULTS.length} planted faults found`));
  assert.equal(exitCode, 0);
});
