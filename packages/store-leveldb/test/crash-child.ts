// A process that commits until it is killed, and says after each commit which one is done. Started by the test of crashes.

import { LevelStore } from "@heirloom/store-leveldb";

import { batchOf, block } from "./support.ts";

const directory = process.argv[2];
if (directory === undefined) throw new Error("no directory seen, expected one as the first argument");
const store = new LevelStore({ directory, journalBytes: Number(process.argv[3]) });
await store.open();
for (let number = 0; ; number++) {
  await store.commit(
    batchOf((batch) => {
      batch.put("broker", "number", Buffer.from(String(number)));
      batch.put("session", `client-${number}`, Buffer.alloc(200, number % 251));
      batch.append(block(1, number * 3, number * 3 + 2, 2000));
      if (number >= 100) batch.trim(1, (number - 100) * 3, (number - 99) * 3);
    }),
  );
  process.stdout.write(`${number}\n`);
}
