// Floods against the real broker on real sockets, in its own process: memory stays within the limits in force, counters show
// what happened, and a client beside it misses nothing.

import { test } from "node:test";
import { runFlood } from "./src/flood.ts";
import { FLOODS } from "./src/floods/index.ts";

for (const flood of FLOODS) {
  test(flood.title, async () => {
    await runFlood(flood, 1);
  });
}
