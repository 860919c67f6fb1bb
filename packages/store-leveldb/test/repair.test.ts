// A database that does not open any more is rebuilt from what can be read, and a copy of it is kept.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { cp, mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { StoreBatch, StoreError } from "@heirloom/core";
import { LevelStore, repairStore } from "@heirloom/store-leveldb";

import {
  batchOf,
  breakTable,
  fillTables,
  keysOf,
  newDirectory,
  openStore,
  recordsOf,
  withDatabase,
} from "./support.ts";

describe("repair", () => {
  let directory: string;

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "heirloom-repair-"));
    const store = new LevelStore({ directory: join(directory, "data") });
    await store.open();
    const batch = new StoreBatch();
    for (let index = 0; index < 100; index++) batch.put("session", `client-${index}`, new Uint8Array(100));
    await store.commit(batch);
    await store.close();
  });

  after(async () => {
    await rm(directory, { recursive: true });
  });

  it("does nothing to a database that opens", async () => {
    assert.deepEqual(await repairStore(join(directory, "data")), { outcome: "intact", damage: [] });
  });

  it("tells what LevelDB drops when it opens, because the next start does not find it any more", async (t) => {
    const path = await newDirectory(t);
    const store = await openStore(t, path);
    await store.commit(batchOf((batch) => batch.put("session", "a", Buffer.alloc(1000, "b"))));
    await store.close();
    const database = join(path, "leveldb");
    const name = (await readdir(database)).find((each) => each.endsWith(".log")) ?? "";
    const bytes = await readFile(join(database, name));
    bytes[bytes.indexOf("bbbb") + 100] = 0xff;
    await writeFile(join(database, name), bytes);
    const { outcome, damage } = await repairStore(path);
    assert.equal(outcome, "intact");
    assert.deepEqual(
      damage.map(({ place }) => place),
      [`write-ahead log ${name}`],
    );
    assert.deepEqual(await readFile(damage[0]?.setAside ?? ""), bytes);
  });

  it("leaves the journal of a process that was killed to the next start", async (t) => {
    const running = await newDirectory(t);
    const killed = await openStore(t, running);
    await killed.commit(batchOf((batch) => batch.put("session", "only in the journal", Buffer.from("1"))));
    const path = await newDirectory(t);
    await cp(running, path, { recursive: true });
    const database = join(path, "leveldb");
    const manifest = (await readdir(database)).find((each) => each.startsWith("MANIFEST")) ?? "";
    await truncate(join(database, manifest), 10);
    assert.equal((await repairStore(path)).outcome, "rebuilt");
    const store = await openStore(t, path);
    assert.deepEqual(await keysOf(store, "session"), ["only in the journal"]);
    assert.deepEqual(store.damage, []);
  });

  it("rebuilds a database whose list of files is damaged, keeps a copy, and everything that can be read is there", async () => {
    const database = join(directory, "data", "leveldb");
    const manifest = (await readdir(database)).find((name) => name.startsWith("MANIFEST"));
    assert.ok(manifest !== undefined);
    await truncate(join(database, manifest), 10);
    const store = new LevelStore({ directory: join(directory, "data") });
    await assert.rejects(store.open(), StoreError);
    const repair = await repairStore(join(directory, "data"));
    assert.equal(repair.outcome, "rebuilt");
    assert.ok(repair.setAside !== undefined && existsSync(join(repair.setAside, manifest)));
    await store.open();
    let count = 0;
    for await (const records of store.load("session")) count += records.length;
    await store.close();
    assert.equal(count, 100);
  });

  it("rebuilds a database of which a part cannot be read, and all the rest is there", async (t) => {
    const path = await newDirectory(t);
    const values = await fillTables(t, path);
    await breakTable(path);
    const { outcome, setAside, damage } = await repairStore(path);
    assert.equal(outcome, "rebuilt");
    assert.ok(setAside !== undefined && existsSync(setAside));
    assert.deepEqual(damage, []);
    assert.equal(
      existsSync(join(path, "leveldb", "lost")),
      false,
      "what was replaced stands in the copy only",
    );
    await withDatabase(path, (database) => {
      assert.equal(
        database.getProperty("leveldb.num-files-at-level0"),
        "0",
        "what is newer lies above what is older",
      );
      return Promise.resolve();
    });
    assert.deepEqual(await repairStore(path), { outcome: "intact", damage: [] });
    const store = await openStore(t, path);
    const records = await recordsOf(store, "retained");
    assert.ok(records.length < values.size, "nothing was broken");
    assert.ok(records.length > values.size - 10, `${records.length} of ${values.size}`);
    for (const [key, value] of records) assert.ok(value === values.get(key), key);
    await store.commit(batchOf((batch) => batch.put("session", "new", Buffer.of(1))));
    assert.deepEqual(store.damage, []);
  });

  it("refuses what is no data directory", async () => {
    await writeFile(join(directory, "file"), "");
    await assert.rejects(repairStore(directory), { code: "STORE_FORMAT" });
  });
});
