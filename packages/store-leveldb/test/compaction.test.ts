// What was trimmed does not stay in the files for ever: its range is rewritten when enough of it is gone.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import { Compaction } from "../dist/compaction.js";
import { blockKey } from "../dist/keys.js";
import { Reads } from "../dist/reads.js";
import { batchOf, found, keepAlive, newDirectory, openStore, untilOnly } from "./support.ts";

/** More than have to be trimmed before it is worth it. A trim goes in steps, and the last may come after the rewriting. */
const INDEXES = 40_000;
const BLOCK = 1_000;
/** What was trimmed first is gone for sure. */
const CANARIES = 20_000;

function compactionOf(
  afterMs: number,
  compact: (from: Buffer, to: Buffer) => Promise<void>,
  { reads = new Reads(), failed = (error: unknown): unknown => assert.fail(String(error)) } = {},
): Compaction {
  return new Compaction({ afterMs, compact, reads, failed });
}

describe("Compaction", () => {
  keepAlive();

  it("remembers a bounded number of logs, and the one that is to be rewritten among them", async () => {
    const rewritten: string[] = [];
    const compaction = compactionOf(60_000, (from) => {
      rewritten.push(from.toString("hex"));
      return Promise.resolve();
    });
    compaction.trimmed(1, 0, 40_000);
    for (let logId = 2; logId < 20_000; logId++) compaction.trimmed(logId, 0, 1);
    assert.ok(compaction.logCount <= 4096, `${compaction.logCount} logs`);
    await compaction.stop();
    assert.deepEqual(rewritten, []);
  });

  it("rewrites what comes to be worth it while it runs, and what it could not rewrite", async () => {
    const ranges: string[] = [];
    const failures: unknown[] = [];
    await new Promise<void>((done) => {
      const compact = async (from: Buffer): Promise<void> => {
        ranges.push(from.toString("hex"));
        if (ranges.length === 1) {
          compaction.trimmed(2, 0, 40_000);
          await new Promise((resolve) => setTimeout(resolve, 5)); // a timer begun by the trim would run off meanwhile
          throw new Error("no space left on device");
        }
        if (ranges.length === 4) done();
      };
      const compaction = compactionOf(0, compact, { failed: (error) => failures.push(error) });
      compaction.trimmed(1, 0, 40_000);
    });
    const [first, second] = [1, 2].map((logId) => blockKey(logId, 0).toString("hex"));
    assert.deepEqual(ranges, [first, second, first, ""]);
    assert.equal(failures.length, 1);
  });

  it("waits for the reads that keep replaced files, and then has LevelDB look at the files again", async () => {
    const reads = new Reads();
    const end = reads.begin();
    const ranges: string[] = [];
    let rewritten = (): void => undefined;
    const next = (): Promise<void> => new Promise((resolve) => (rewritten = resolve));
    const compaction = compactionOf(
      0,
      (from) => {
        ranges.push(from.toString("hex"));
        rewritten();
        return Promise.resolve();
      },
      { reads },
    );
    compaction.trimmed(1, 0, 40_000);
    await next();
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(ranges, [blockKey(1, 0).toString("hex")]);
    const again = next();
    reads.begin(); // one that begins later sees the new files only
    end();
    await again;
    assert.deepEqual(ranges.slice(1), [""]);
    await compaction.stop();
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
    assert.deepEqual(await found(directory, [canary]), [0]);
    const store = await openStore(t, directory, { compactAfterMs: 0 });
    await store.commit(batchOf((batch) => batch.trim(1, 0, INDEXES)));
    await untilOnly(directory, [canary], []);
    await store.close();
    assert.deepEqual(await found(directory, [canary]), []);
  });
});
