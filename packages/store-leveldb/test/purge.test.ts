// What was deleted or replaced is taken out of every file after a time, wherever LevelDB and the journal have put it.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { cp, readdir, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout } from "node:timers/promises";

import { ClassicLevel } from "classic-level";

import { DamageList } from "../dist/damage-list.js";
import { DataDirectory } from "../dist/data-directory.js";
import { Journal } from "../dist/journal.js";
import { Purge } from "../dist/purge.js";
import { Reads } from "../dist/reads.js";
import { SLICE_BYTES } from "../dist/slices.js";
import {
  batchOf,
  block,
  breakTable,
  fillTables,
  found,
  keepAlive,
  newDirectory,
  openStore,
  recordsOf,
  untilOnly,
  withDatabase,
} from "./support.ts";

async function filesOf(directory: string): Promise<Set<string>> {
  return new Set((await readdir(join(directory, "leveldb"))).filter((name) => name.endsWith(".ldb")));
}

async function bytesOf(directory: string, files: Iterable<string>): Promise<number> {
  const stats = await Promise.all([...files].map((file) => stat(join(directory, "leveldb", file))));
  return stats.reduce((bytes, { size }) => bytes + size, 0);
}

describe("Purge", () => {
  keepAlive();

  it("takes records and blocks that are gone out of the files, however few they are - attack STORE-04", async (t) => {
    const directory = await newDirectory(t);
    const canaries = Array.from({ length: 4 }, () => randomBytes(64));
    const [deleted, replaced, trimmed, kept] = canaries as [Buffer, Buffer, Buffer, Buffer];
    const store = await openStore(t, directory, { purgeAfterMs: 50 });
    await store.commit(
      batchOf((batch) => {
        batch.put("retained", "a", deleted);
        batch.put("session", "b", replaced);
        batch.append({ logId: 1, firstIndex: 0, lastIndex: 0, bytes: trimmed });
        batch.append({ logId: 1, firstIndex: 1, lastIndex: 1, bytes: kept });
      }),
    );
    // From the journal to the database, and all of it stays.
    await untilOnly(join(directory, "leveldb"), canaries, [0, 1, 2, 3]);
    await store.commit(
      batchOf((batch) => {
        batch.delete("retained", "a");
        batch.put("session", "b", kept);
        batch.trim(1, 0, 1);
      }),
    );
    await untilOnly(directory, canaries, [3]);
    await store.close();
    assert.deepEqual(await found(directory, canaries), [3]);
    const next = await openStore(t, directory);
    assert.deepEqual(await recordsOf(next, "retained"), []);
    assert.deepEqual(await recordsOf(next, "session"), [["b", kept.toString("latin1")]]);
    const [block] = await next.readLog(1, 0, 1000);
    assert.equal(block?.firstIndex, 1);
    assert.deepEqual(next.damage, []);
  });

  it("rewrites every file of a large database while commits go on", async (t) => {
    const directory = await newDirectory(t);
    const canary = randomBytes(64);
    const model = new Map<string, string>();
    const first = await openStore(t, directory, { purgeAfterMs: Infinity, journalBytes: 65_536 });
    for (let round = 0; round < 200; round++) {
      await first.commit(
        batchOf((batch) => {
          for (let at = 0; at < 8; at++) {
            const key = `${"long/topic/".repeat(6)}${randomBytes(2).toString("hex")}`;
            batch.put("retained", key, canary);
            const value = randomBytes(65_536);
            if (at % 2 === 0) batch.delete("retained", key);
            else batch.put("retained", key, value);
            if (at % 2 === 0) model.delete(key);
            else model.set(key, value.toString("latin1"));
          }
          batch.put("session", "one", canary);
        }),
      );
    }
    // Written and replaced in memory: both may get to a file, and nothing newer ever lies above it.
    for (const value of [canary, Buffer.of(1)])
      await first.commit(batchOf((batch) => batch.put("session", "one", value)));
    await first.close();
    const former = await filesOf(directory);
    // Whether LevelDB has divided them into small files already depends on its thread.
    const formerBytes = await bytesOf(directory, former);
    assert.ok(formerBytes > 4 * SLICE_BYTES, `${formerBytes} bytes`);
    assert.deepEqual(await found(directory, [canary]), [0]);
    // As if it had been made long ago.
    await utimes(join(directory, "format"), 1, 1);
    const store = await openStore(t, directory, { purgeAfterMs: 3_600_000 });
    let commits = 0;
    while ((await stat(join(directory, "format"))).mtimeMs < 10_000) {
      await store.commit(batchOf((batch) => batch.put("session", `client-${commits}`, Buffer.of(2))));
      commits++;
    }
    assert.ok(commits > 10, `${commits} commits`);
    assert.deepEqual(
      [...(await filesOf(directory))].filter((file) => former.has(file)),
      [],
    );
    assert.deepEqual(await found(directory, [canary]), []);
    const records = await recordsOf(store, "retained");
    assert.deepEqual(new Map(records.map(([key, value]) => [key, value])), model);
    assert.equal((await recordsOf(store, "session")).length, commits + 1);
    await store.close();
  });

  it("rewrites every file also where all keys begin alike", async (t) => {
    const directory = await newDirectory(t);
    const values = await fillTables(t, directory, "enterprise/site-0001/area-0001/line-0001/cell/");
    // Into one level, in small files.
    await withDatabase(directory, (database) => database.compactRange(Buffer.of(0), Buffer.of(0xff)));
    const former = await filesOf(directory);
    await utimes(join(directory, "format"), 1, 1);
    const store = await openStore(t, directory, { purgeAfterMs: 3_600_000 });
    await store.commit(batchOf((batch) => batch.put("session", "one", Buffer.of(1))));
    while ((await stat(join(directory, "format"))).mtimeMs < 10_000) await setTimeout(20);
    assert.deepEqual(
      [...(await filesOf(directory))].filter((file) => former.has(file)),
      [],
    );
    assert.deepEqual(new Map(await recordsOf(store, "retained")), values);
    await store.close();
  });

  it("is done when its time cannot be noted", async (t) => {
    const directory = await newDirectory(t);
    const store = await openStore(t, directory, { purgeAfterMs: 100 });
    await rm(join(directory, "format"));
    for (let purges = 0; purges < 3; purges++) {
      const canary = randomBytes(64);
      await store.commit(batchOf((batch) => batch.put("session", "one", canary)));
      await store.commit(batchOf((batch) => batch.put("session", "one", Buffer.of(1))));
      await untilOnly(directory, [canary], []);
    }
    await store.close();
  });

  it("takes out what was replaced before LevelDB wrote it to a file", async (t) => {
    const directory = await newDirectory(t);
    const canary = randomBytes(64);
    const store = await openStore(t, directory, { purgeAfterMs: 500, journalBytes: 65_536 });
    // Both get to the database, and at once into the same file, above which nothing newer lies.
    for (const value of [canary, Buffer.of(1)]) {
      await store.commit(batchOf((batch) => batch.put("session", "one", value)));
      for (let number = 0; number < 8; number++)
        await store.commit(batchOf((batch) => batch.put("session", "other", randomBytes(16_384))));
    }
    await untilOnly(directory, [canary], []);
    assert.equal((await recordsOf(store, "session"))[0]?.[1], "\x01");
    await store.close();
  });

  it("rewrites nothing while those still read who began before: what they may see would be kept", async (t) => {
    const directory = new DataDirectory(await newDirectory(t));
    await directory.prepare();
    await directory.makeJournal();
    await directory.writeFormat();
    const database = new ClassicLevel<Buffer, Buffer>(directory.database, {
      keyEncoding: "buffer",
      valueEncoding: "buffer",
    });
    await database.open();
    const damage = new DamageList(directory.damaged);
    const journal = new Journal({ path: directory.journal, segmentBytes: 65_536, damage });
    await journal.begin();
    const reads = new Reads();
    const end = reads.begin();
    let rewritten = 0;
    const rewrite = (): Promise<void> => {
      rewritten++;
      return Promise.resolve();
    };
    let begun = (): void => undefined;
    const beginning = new Promise<void>((resolve) => (begun = resolve));
    const purge = new Purge({ database, damage, directory, journal, reads, afterMs: 1, rewrite, begun });
    purge.schedule();
    await beginning;
    for (let step = 0; step < 5; step++) await purge.step();
    assert.equal(rewritten, 0);
    end();
    while (purge.isRunning) await purge.step();
    assert.equal(rewritten, 1);
    purge.stop();
    await journal.close(true);
    await database.close();
  });

  it("leaves files alone of which LevelDB cannot read a part: rewriting them would end all writing for good", async (t) => {
    const directory = await newDirectory(t);
    await fillTables(t, directory);
    await breakTable(directory);
    await utimes(join(directory, "format"), 1, 1);
    const store = await openStore(t, directory, { purgeAfterMs: 3_600_000 });
    let commits = 0;
    const isTold = (): boolean => store.damage.some(({ place }) => place === "database");
    for (; !isTold(); commits++)
      await store.commit(batchOf((batch) => batch.put("session", `client-${commits}`, Buffer.of(1))));
    const [told] = store.damage.filter(({ place }) => place === "database");
    assert.match(told?.reason ?? "", /^LevelDB could not read a part of its files: Corruption: .+ repaired$/);
    assert.equal((await stat(join(directory, "format"))).mtimeMs, 1000);
    await store.close();
    const next = await openStore(t, directory, { purgeAfterMs: Infinity });
    assert.equal((await recordsOf(next, "session")).length, commits);
    await next.close();
  });

  it("begins with the first commit: until then what `open` found is read", async (t) => {
    const directory = await newDirectory(t);
    const first = await openStore(t, directory, { purgeAfterMs: Infinity });
    await first.commit(batchOf((batch) => batch.append(block(1, 0, 9))));
    // As after a kill: everything is in the journal.
    const killed = `${directory}-killed`;
    await cp(directory, killed, { recursive: true });
    await first.close();
    await utimes(join(killed, "format"), 1, 1);
    const store = await openStore(t, killed, { purgeAfterMs: 3_600_000 });
    // As long as a purge of so little takes.
    for (let turn = 0; turn < 50; turn++) await setTimeout(1);
    assert.deepEqual(
      (await store.loadLogs()).map(({ lastBlock }) => lastBlock.lastIndex),
      [9],
    );
    await store.commit(batchOf((batch) => batch.put("session", "one", Buffer.of(1))));
    while ((await stat(join(killed, "format"))).mtimeMs < 10_000) await setTimeout(20);
    assert.deepEqual(
      (await store.loadLogs()).map(({ lastBlock }) => lastBlock.lastIndex),
      [9],
    );
    await store.close();
  });

  it("is given up when the store is closed, and begun again at the next start", async (t) => {
    const directory = await newDirectory(t);
    const canary = randomBytes(64);
    const first = await openStore(t, directory, { purgeAfterMs: Infinity });
    await first.commit(batchOf((batch) => batch.put("session", "one", canary)));
    await first.close();
    await utimes(join(directory, "format"), 1, 1);
    for (let start = 0; start < 3; start++) {
      const store = await openStore(t, directory, { purgeAfterMs: 3_600_000 });
      await store.commit(batchOf((batch) => batch.put("session", "one", Buffer.of(start))));
      await store.close();
    }
    const store = await openStore(t, directory, { purgeAfterMs: 3_600_000 });
    await store.commit(batchOf((batch) => batch.put("session", "two", Buffer.of(3))));
    await untilOnly(directory, [canary], []);
    assert.deepEqual(await recordsOf(store, "session"), [
      ["one", "\x02"],
      ["two", "\x03"],
    ]);
    await store.close();
  });
});
