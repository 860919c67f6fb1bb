// What a disk refuses or breaks off in the middle of a write, as the store's caller sees it.

import assert from "node:assert/strict";
import fs from "node:fs";
import { cp } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { describe, it } from "node:test";

import { batchOf, keysOf, newDirectory, openStore } from "./support.ts";

type Done = (error: NodeJS.ErrnoException | null, written: number) => void;

/** While `run` runs, each write takes half of its bytes and fails when it is asked for the rest. */
async function failingWith(code: string, run: () => Promise<void>): Promise<void> {
  const { write } = fs;
  let isHalf = true;
  const failing = (file: number, bytes: Buffer, start: number, length: number, at: number, done: Done) => {
    if (isHalf) write(file, bytes, start, Math.ceil(length / 2), at, done);
    else process.nextTick(done, Object.assign(new Error(`${code}: refused`), { code }), 0);
    isHalf = !isHalf;
  };
  Object.assign(fs, { write: failing });
  syncBuiltinESMExports();
  try {
    await run();
  } finally {
    Object.assign(fs, { write });
    syncBuiltinESMExports();
  }
}

const put = (key: string, byteCount: number) =>
  batchOf((batch) => batch.put("session", key, Buffer.alloc(byteCount, key)));

describe("JournalFile", () => {
  it("acknowledges nothing any more after an error that leaves unknown what is on disk", async (t) => {
    const directory = await newDirectory(t);
    const store = await openStore(t, directory);
    await store.commit(put("a", 100));
    await failingWith("EIO", () => assert.rejects(store.commit(put("b", 5000)), { code: "STORE_FAILED" }));
    await assert.rejects(store.commit(put("c", 100)), { code: "STORE_FAILED" });
    await store.close();
    const again = await openStore(t, directory);
    assert.deepEqual(await keysOf(again, "session"), ["a"]);
    assert.deepEqual(again.damage, []);
  });

  it("gives the place of a record that found no space to the next one, and nothing of it is left", async (t) => {
    const directory = await newDirectory(t);
    const store = await openStore(t, directory);
    await store.commit(put("a", 100));
    for (const byteCount of [20_000, 5000, 100]) {
      const full = () => assert.rejects(store.commit(put("b", byteCount)), { code: "STORE_FULL" });
      await failingWith("ENOSPC", full);
      await store.commit(put(`c${byteCount}`, 10));
    }
    const killed = await newDirectory(t);
    await cp(directory, killed, { recursive: true });
    const again = await openStore(t, killed);
    assert.deepEqual(await keysOf(again, "session"), ["a", "c100", "c20000", "c5000"]);
    assert.deepEqual(again.damage, []);
  });
});
