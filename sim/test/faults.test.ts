import assert from "node:assert/strict";
import { test } from "node:test";
import { FAULTS, judgeTheJudge } from "@heirloom/sim";

test(`finds each of ${FAULTS.length} planted faults within its number of seeds`, async () => {
  const findings = await judgeTheJudge(1);
  const missed = findings.filter(({ seeds }) => seeds === undefined).map(({ fault }) => fault.name);
  assert.deepEqual(missed, []);
});
