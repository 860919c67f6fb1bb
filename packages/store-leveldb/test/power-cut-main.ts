// Cuts the power for longer than the test does: `node packages/store-leveldb/dist-test/power-cut-main.js FIRST_SEED SEEDS`. Ends at
// the first seed that fails, and names it.

import { PowerCutRun } from "./power-cut-run.ts";

const [first = 1, count = 100] = process.argv.slice(2).map(Number);
for (let seed = first; seed < first + count; seed++) {
  try {
    await new PowerCutRun(seed, 12).run(5);
  } catch (error) {
    console.error(`seed ${seed} failed`);
    throw error;
  }
}
console.log(`seeds ${first} to ${first + count - 1} passed`);
