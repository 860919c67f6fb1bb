// What was trimmed does not stay in the files for ever: its range is rewritten when enough of it is gone.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Compaction } from "../dist/compaction.js";
import { batchOf, newDirectory, openStore } from "./support.ts";

/** More than have to be trimmed before it is worth it. A trim goes in steps, and the last may come after the rewriting. */
const INDEXES = 40_000;
const BLOCK = 1_000;
/** What was trimmed first is gone for sure. */
const CANARIES = 20_000;

/** Whether any file of the directory has these bytes in it. A file may be gone while it is looked at. */
async function isFound(directory: string, bytes: Buffer): Promise<boolean> {
  const names = await readdir(directory, { recursive: true });
  const files = names.map((name) => readFile(join(directory, name)).catch(() => Buffer.alloc(0)));
  return (await Promise.all(files)).some((file) => file.includes(bytes));
}

describe("Compaction", () => {
  it("remembers a bounded number of logs, and the one that is to be rewritten among them", async () => {
    const rewritten: string[] = [];
    const compaction = new Compaction(
      60_000,
      (from) => {
        rewritten.push(from.toString("hex"));
        return Promise.resolve();
      },
      () => assert.fail(),
    );
    compaction.trimmed(1, 0, 40_000);
    for (let logId = 2; logId < 20_000; logId++) compaction.trimmed(logId, 0, 1);
    assert.ok(compaction.logCount <= 4096, `${compaction.logCount} logs`);
    await compaction.stop();
    assert.deepEqual(rewritten, []);
  });

  it("takes messages that were delivered or have expired out of the files - attack STORE-04", async (t) => {
    const directory = await newDirectory(t);
    // Random bytes: what cannot be made shorter stands in the files as it is.
    const canary = randomBytes(64);
    const first = await openStore(t, directory);
    await first.commit(
      batchOf((batch) => {
        for (let index = 0; index < INDEXES; index += BLOCK) {
          const bytes = index < CANARIES ? canary : new Uint8Array(64);
          batch.append({ logId: 1, firstIndex: index, lastIndex: index + BLOCK - 1, bytes });
        }
      }),
    );
    await first.close();
    // Looked for while nobody writes: LevelDB moves what it finds to other files when it opens.
    assert.ok(await isFound(directory, canary));
    const store = await openStore(t, directory, { compactAfterMs: 0 });
    await store.commit(batchOf((batch) => batch.trim(1, 0, INDEXES)));
    // The time limit of the test is the only clock.
    while (await isFound(directory, canary));
    await store.close();
    assert.equal(await isFound(directory, canary), false);
  });
});
