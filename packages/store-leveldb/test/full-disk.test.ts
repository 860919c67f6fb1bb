// A full disk refuses commits, keeps what was committed readable, and goes on when there is space again.
// The disk is a small tmpfs; mounting it takes root on Linux.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtemp, rm, rmdir, stat, statfs, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { TestContext } from "node:test";

import { StoreError } from "@heirloom/core";
import type { StoreBatch } from "@heirloom/core";
import { LevelStore } from "@heirloom/store-leveldb";

import { batchOf, block, keysOf } from "./support.ts";

const DISK_BYTES = 24 * 1024 * 1024;

/** Mounts a small disk for one test, or skips the test and says why. Under CI a missing disk is a failure. */
async function mountDisk(t: TestContext): Promise<string | undefined> {
  const directory = await mkdtemp(join(tmpdir(), "heirloom-disk-"));
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${DISK_BYTES}`, "tmpfs", directory], { stdio: "pipe" });
  } catch (error) {
    await rmdir(directory);
    if (process.env["CI"] === "true") throw error;
    t.skip(`a tmpfs cannot be mounted: ${error instanceof Error ? error.message.trim() : "no reason given"}`);
    return undefined;
  }
  t.after(async () => {
    execFileSync("umount", [directory]);
    await rmdir(directory);
  });
  return directory;
}

/** Fills the disk until only `freeBytes` are left; returns the file to remove. */
async function fillDisk(disk: string, freeBytes: number): Promise<string> {
  const file = join(disk, "ballast");
  const { bavail, bsize } = await statfs(disk);
  try {
    await writeFile(file, Buffer.alloc(Math.max(0, bavail * bsize - freeBytes)));
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOSPC")) throw error;
    // The store wrote meanwhile, and there was less: some of it is given back.
    const { size } = await stat(file);
    await truncate(file, Math.max(0, size - freeBytes));
  }
  return file;
}

const value = Buffer.alloc(10_000, 7);

function numbered(number: number): StoreBatch {
  return batchOf((batch) => {
    batch.put("session", String(number).padStart(6, "0"), value);
    batch.put("broker", "last", Buffer.from(String(number)));
    batch.append(block(1, number, number, 10_000));
  });
}

/** Commits numbered records and blocks from `next` on until the store is full; returns the first number that failed. */
async function commitUntilFull(store: LevelStore, next: number): Promise<number> {
  for (let number = next; ; number++) {
    try {
      await store.commit(numbered(number));
    } catch (error) {
      assert.ok(error instanceof StoreError);
      assert.equal(error.code, "STORE_FULL", error.message);
      return number;
    }
  }
}

async function checkContents(store: LevelStore, count: number): Promise<void> {
  assert.equal((await keysOf(store, "session")).length, count);
  const [extent] = await store.loadLogs();
  assert.equal(extent?.lastBlock.lastIndex, count - 1);
  for await (const [record] of store.load("broker"))
    assert.equal(Buffer.from(record?.[1] ?? []).toString(), `${count - 1}`);
  assert.deepEqual(store.damage, []);
}

describe("LevelStore on a full disk", () => {
  it("refuses with STORE_FULL, stays readable, and goes on when there is space again - attack STORE-02", async (t) => {
    const disk = await mountDisk(t);
    if (disk === undefined) return;
    const directory = join(disk, "data");
    const store = new LevelStore({ directory });
    await store.open();
    try {
      let next = 0;
      for (const freeBytes of [1_000_000, 100_001, 4096]) {
        const ballast = await fillDisk(disk, freeBytes);
        next = await commitUntilFull(store, next);
        for (let again = 0; again < 3; again++) {
          assert.equal(await commitUntilFull(store, next), next, "full stays full");
          assert.equal((await store.readLog(1, Math.max(0, next - 1), 1)).length, next > 0 ? 1 : 0);
        }
        if (next > 0) await checkContents(store, next);

        await rm(ballast);
        // Another batch than the one that failed: nothing of that one may be left.
        await store.commit(batchOf((batch) => batch.put("group", `round-${freeBytes}`, value)));
        await checkContents(store, next);
        for (let more = 0; more < 20; more++, next++) {
          await store.commit(numbered(next));
        }
        await checkContents(store, next);
      }
      await store.close();
      await store.open();
      await checkContents(store, next);
      assert.equal((await keysOf(store, "group")).length, 3);
    } finally {
      await store.close();
    }
  });

  it("goes on in the journal while the database finds no space, refuses when the journal is full, and recovers", async (t) => {
    const disk = await mountDisk(t);
    if (disk === undefined) return;
    const directory = join(disk, "data");
    const store = new LevelStore({ directory, journalBytes: 2 * 1024 * 1024 });
    await store.open();
    try {
      let next = 0;
      for (const freeBytes of [50_000, 4096]) {
        // All files of the journal are in use once: it needs no more space from then on.
        for (let more = 0; more < 250; more++, next++) await store.commit(numbered(next));
        const ballast = await fillDisk(disk, freeBytes);
        const full = await commitUntilFull(store, next);
        assert.ok(full > next, "the journal took some");
        next = full;
        for (let again = 0; again < 3; again++) assert.equal(await commitUntilFull(store, next), next);
        await checkContents(store, next);
        await rm(ballast);
        await store.commit(batchOf((batch) => batch.put("group", `round-${freeBytes}`, value)));
        await checkContents(store, next);
      }
      const ballast = await fillDisk(disk, 4096);
      next = await commitUntilFull(store, next);
      await store.close();
      await rm(ballast);
      await store.open();
      await checkContents(store, next);
      assert.equal((await keysOf(store, "group")).length, 2);
    } finally {
      await store.close();
    }
  });

  it("refuses to open with STORE_FULL when there is no space for a new data directory", async (t) => {
    const disk = await mountDisk(t);
    if (disk === undefined) return;
    await fillDisk(disk, 0);
    await assert.rejects(new LevelStore({ directory: join(disk, "data") }).open(), { code: "STORE_FULL" });
  });
});
