// What is broken in the database is found, told, put aside and never served.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, it } from "node:test";
import type { TestContext } from "node:test";

import { ClassicLevel } from "classic-level";
import { DamageList } from "../dist/damage-list.js";
import { LevelReader } from "../dist/level-reader.js";
import { Reads } from "../dist/reads.js";
import { batchOf, block, keysOf, newDirectory, openStore, withDatabase } from "./support.ts";

/** Flips one bit of the value under each of the keys that `isChosen`. */
async function flipBits(directory: string, isChosen: (key: Buffer) => boolean, at: number): Promise<void> {
  await withDatabase(directory, async (database) => {
    for (const [key, value] of await database.iterator().all()) {
      if (!isChosen(key)) continue;
      const place = at < 0 ? value.length + at : at;
      value[place] = (value[place] ?? 0) ^ 0x10;
      await database.put(key, value);
    }
  });
}

async function storeThreeBlocks(t: TestContext): Promise<string> {
  const directory = await newDirectory(t);
  const store = await openStore(t, directory);
  await store.commit(
    batchOf((batch) => {
      for (const first of [0, 10, 20]) batch.append(block(1, first, first + 9));
      batch.append(block(2, 5, 5));
    }),
  );
  await store.close();
  return directory;
}

const isBlock = (logId: number, lastIndex: number) => (key: Buffer) =>
  key[0] === 0x40 && key.readUInt32BE(1) === logId && key.readUIntBE(5, 6) === lastIndex;

describe("LevelReader", () => {
  for (const [what, at] of [
    ["first byte", 0],
    ["last byte of the checksum", -1],
  ] as const) {
    it(`leaves out a record with a flipped bit in its ${what}, tells it and puts it aside`, async (t) => {
      const directory = await newDirectory(t);
      const store = await openStore(t, directory);
      await store.commit(
        batchOf((batch) => {
          for (const key of ["a", "b", "c"]) batch.put("session", key, Buffer.from(`secret ${key}`));
        }),
      );
      await store.close();
      await flipBits(directory, (key) => key.equals(Buffer.from("\u0002b")), at);

      const reopened = await openStore(t, directory);
      assert.deepEqual(await keysOf(reopened, "session"), ["a", "c"]);
      assert.deepEqual(await keysOf(reopened, "session"), ["a", "c"]);
      assert.equal(reopened.damage.length, 1, "told once, however often it is read");
      const [damage] = reopened.damage;
      assert.equal(damage?.place, 'table session, key "b"');
      assert.match(damage.reason, /^checksum [0-9a-f]{8}, expected [0-9a-f]{8}$/);
      assert.ok(damage.setAside?.startsWith(directory) === true);
      const copy = await readFile(damage.setAside ?? "");
      assert.equal(copy.readUInt32BE(0), 2);
      assert.equal(copy.toString("latin1", 4, 6), "\u0002b");
      assert.equal(copy.length, 4 + 2 + "secret b".length + 4);
    });
  }

  it("finds a value that stands under another key", async (t) => {
    const directory = await newDirectory(t);
    const store = await openStore(t, directory);
    await store.commit(batchOf((batch) => batch.put("session", "a", Buffer.from("1"))));
    await store.close();
    await withDatabase(directory, async (database) => {
      const value = await database.get(Buffer.from("\u0002a"));
      assert.ok(value);
      await database.put(Buffer.from("\u0002b"), value);
    });
    const reopened = await openStore(t, directory);
    assert.deepEqual(await keysOf(reopened, "session"), ["a"]);
    assert.equal(reopened.damage[0]?.place, 'table session, key "b"');
  });

  it("finds keys that are no UTF-8, too short values, and tables that nobody knows", async (t) => {
    const directory = await newDirectory(t);
    await (await openStore(t, directory)).close();
    await withDatabase(directory, async (database) => {
      await database.put(Buffer.of(0x02, 0xff), Buffer.from("abcdefgh"));
      await database.put(Buffer.of(0x03, 0x61), Buffer.from("abc"));
      await database.put(Buffer.of(0x40, 0, 0, 0), Buffer.from("abcdefgh"));
      for (const tag of [0x00, 0x09, 0x41, 0xff])
        await database.put(Buffer.of(tag, 0x61), Buffer.from("abcdefgh"));
    });
    const store = await openStore(t, directory);
    assert.deepEqual(await keysOf(store, "session"), []);
    assert.deepEqual(await keysOf(store, "subscription"), []);
    assert.deepEqual(await store.loadLogs(), []);
    assert.deepEqual(
      store.damage.map(({ place, reason }) => `${place}: ${reason}`),
      [
        "key 0061 of 2 bytes: no known table",
        "key 0961 of 2 bytes: no known table",
        "key 4161 of 2 bytes: no known table",
        "key ff61 of 2 bytes: no known table",
        "block key 40000000: 4 bytes, expected 11",
        "table session, key 02ff: key is no UTF-8",
        'table subscription, key "a": 3 bytes, expected at least 4',
      ],
    );
    assert.ok(store.damage.every(({ setAside }) => setAside !== undefined));
  });

  for (const [what, at] of [
    ["first index", 0],
    ["entries", 20],
  ] as const) {
    it(`returns a block with a flipped bit in its ${what} as damaged, in its place`, async (t) => {
      const directory = await storeThreeBlocks(t);
      await flipBits(directory, isBlock(1, 19), at);
      const store = await openStore(t, directory);
      const damaged = { logId: 1, firstIndex: 10, lastIndex: 19, damaged: true };
      const fromStart = await store.readLog(1, 0, 100_000);
      assert.deepEqual(fromStart[1], damaged);
      assert.deepEqual(
        fromStart.map(({ firstIndex }) => firstIndex),
        [0, 10, 20],
      );
      const fromMiddle = await store.readLog(1, 15, 100_000);
      assert.deepEqual(fromMiddle[0], damaged, "also when the read begins with it");
      assert.deepEqual(
        store.damage.map(({ place }) => place),
        ["log 1, block that ends with entry 19"],
      );
    });
  }

  it("tells the extent of a log whose first and last block are damaged", async (t) => {
    const directory = await storeThreeBlocks(t);
    await flipBits(directory, (key) => isBlock(1, 9)(key) || isBlock(1, 29)(key), 20);
    const store = await openStore(t, directory);
    const [extent, other] = await store.loadLogs();
    assert.equal(extent?.firstIndex, 0);
    assert.deepEqual(extent.lastBlock, { logId: 1, firstIndex: 20, lastIndex: 29, damaged: true });
    assert.equal(other?.lastBlock.lastIndex, 5);
    assert.equal(store.damage.length, 2);
  });

  it("is not taken for reading when the database is not open", async (t) => {
    const directory = await newDirectory(t);
    const database = new ClassicLevel<Buffer, Buffer>(directory, {
      keyEncoding: "buffer",
      valueEncoding: "buffer",
    });
    await database.open();
    await database.close();
    const reads = new Reads();
    const reader = new LevelReader(database, new DamageList(`${directory}-damaged`), reads);
    await assert.rejects(reader.readLog(1, 0, 1000), { code: "LEVEL_DATABASE_NOT_OPEN" });
    await assert.rejects(reader.findForeign(), { code: "LEVEL_DATABASE_NOT_OPEN" });
    await reads.ended();
  });

  it("tells a gap between two blocks", async (t) => {
    const directory = await storeThreeBlocks(t);
    await withDatabase(directory, async (database) => {
      for (const key of await database.keys().all()) if (isBlock(1, 19)(key)) await database.del(key);
    });
    const store = await openStore(t, directory);
    assert.deepEqual(
      (await store.readLog(1, 0, 100_000)).map(({ firstIndex }) => firstIndex),
      [0, 20],
    );
    assert.equal(store.damage[0]?.place, "log 1, between entry 9 and entry 20");
  });
});
