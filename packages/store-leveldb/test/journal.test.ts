// What a crash leaves in the journal is there again; what was damaged in it is told, put aside and never served.

import assert from "node:assert/strict";
import { cp, mkdir, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { describe, it } from "node:test";
import type { TestContext } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";

import type { LevelStore } from "@heirloom/store-leveldb";

import { DamageList } from "../dist/damage-list.js";
import { JournalFile } from "../dist/journal-file.js";
import { Journal } from "../dist/journal.js";
import { batchOf, block, newDirectory, openStore, recordsOf, withDatabase } from "./support.ts";

const STATE_KEY = Buffer.of(0x50);

/** What a process leaves that is killed when nothing is under way: a copy of its directory while it runs. */
async function crashAfter(
  t: TestContext,
  build: (store: LevelStore, directory: string) => Promise<void>,
  journalBytes = 16_777_216,
): Promise<string> {
  const directory = await newDirectory(t);
  const store = await openStore(t, directory, { journalBytes });
  await build(store, directory);
  const copy = await newDirectory(t);
  await cp(directory, copy, { recursive: true });
  await store.close();
  return copy;
}

/** Commits the records a, b and c, each with a block. */
async function commitThree(store: LevelStore): Promise<void> {
  for (const [index, key] of ["a", "b", "c"].entries()) {
    await store.commit(
      batchOf((batch) => {
        batch.put("session", key, Buffer.alloc(200, key));
        batch.append(block(1, index, index));
      }),
    );
  }
}

const keysAndBlocks = async (store: LevelStore): Promise<string> => {
  const keys = (await recordsOf(store, "session")).map(([key]) => key);
  const blocks = (await store.readLog(1, 0, 100_000)).map(({ firstIndex }) => firstIndex);
  return `${keys.join("")} ${blocks.join("")}`;
};

async function journalOf(directory: string): Promise<string[]> {
  const names = await readdir(join(directory, "journal"));
  return names.sort().map((name) => join(directory, "journal", name));
}

/** Changes the bytes of the only file of the journal; `at` gets the offsets of the records a, b and c and the end. */
async function change(
  directory: string,
  apply: (bytes: Buffer, at: readonly [number, number, number, number]) => void,
): Promise<void> {
  const [path = ""] = await journalOf(directory);
  const bytes = await readFile(path);
  const salt = bytes.subarray(15, 23);
  // A salt stands at the start and at the end of each record; the first record is empty.
  const salts: number[] = [];
  for (let at = bytes.indexOf(salt, 64); at !== -1; at = bytes.indexOf(salt, at + 1)) salts.push(at);
  assert.equal(salts.length, 8);
  apply(bytes, [salts[2] ?? 0, salts[4] ?? 0, salts[6] ?? 0, (salts[7] ?? 0) + 8]);
  await writeFile(path, bytes);
}

/** Waits until the files of the journal have fewer bytes together. */
async function untilSmaller(directory: string, byteCount: number): Promise<void> {
  const deadline = performance.now() + 10_000;
  for (;;) {
    const files = await Promise.all((await journalOf(directory)).map((path) => stat(path)));
    const seen = files.reduce((sum, { size }) => sum + size, 0);
    if (seen < byteCount) return;
    assert.ok(performance.now() < deadline, `${seen} bytes, expected fewer than ${byteCount}`);
    await nextTurn();
  }
}

function flip(bytes: Buffer, at: number): void {
  bytes[at] = (bytes[at] ?? 0) ^ 0x10;
}

describe("journal", () => {
  it("has everything after a crash; an orderly end leaves it empty", async (t) => {
    const directory = await crashAfter(t, commitThree);
    for (let round = 0; round < 2; round++) {
      const store = await openStore(t, directory);
      assert.equal(await keysAndBlocks(store), "abc 012");
      assert.deepEqual(store.damage, []);
      await store.close();
      assert.deepEqual(await journalOf(directory), []);
    }
  });

  it("leaves out a last record that was not written to its end, wherever it broke off, and goes on - attack STORE-01", async (t) => {
    const crashed = await crashAfter(t, commitThree);
    for (const part of [0.01, 0.05, 0.1, 0.5, 0.9, 0.99]) {
      const directory = await newDirectory(t);
      await cp(crashed, directory, { recursive: true });
      await change(directory, (bytes, [, , c, end]) => bytes.fill(0, c + Math.ceil((end - c) * part), end));
      let store = await openStore(t, directory);
      assert.equal(await keysAndBlocks(store), "ab 01");
      await store.commit(batchOf((batch) => batch.put("session", "d", Buffer.from("4"))));
      const again = await newDirectory(t);
      await cp(directory, again, { recursive: true });
      store = await openStore(t, again);
      assert.equal(await keysAndBlocks(store), "abd 01", "the torn end is no gap at the next start either");
      assert.deepEqual(store.damage, []);
    }
  });

  for (const [what, place] of [
    ["header", 9],
    ["body", 25],
    ["checksum", -12],
    ["end", -1],
  ] as const) {
    it(`tells a record in the middle with a flipped bit in its ${what}, puts it aside, and serves those behind it - attack STORE-01`, async (t) => {
      const directory = await crashAfter(t, commitThree);
      await change(directory, (bytes, [, b, c]) => {
        // The end of the record is followed by zeros.
        let end = c;
        while (bytes[end - 1] === 0) end--;
        flip(bytes, place < 0 ? end + place : b + place);
      });
      const store = await openStore(t, directory);
      assert.equal((await recordsOf(store, "session")).map(([key]) => key).join(""), "ac");
      const [damage] = store.damage;
      assert.match(damage?.place ?? "", /^journal 0000001.journal, \d+ bytes from \d+ on$/);
      assert.equal((await readFile(damage?.setAside ?? "")).includes("b".repeat(200)), true);
      assert.equal(store.damage.length, 1);
    });
  }

  it("tells a last record that was written to its end and has a flipped bit", async (t) => {
    const directory = await crashAfter(t, commitThree);
    await change(directory, (bytes, [, , c]) => flip(bytes, c + 40));
    const store = await openStore(t, directory);
    assert.equal(await keysAndBlocks(store), "ab 01");
    const [damage] = store.damage;
    assert.match(
      damage?.reason ?? "",
      /^a record with a wrong checksum, the last one: damaged, or never ack/,
    );
    await store.commit(batchOf((batch) => batch.put("session", "d", Buffer.from("4"))));
    const again = await newDirectory(t);
    await cp(directory, again, { recursive: true });
    const next = await openStore(t, again);
    assert.equal(await keysAndBlocks(next), "abd 01");
    assert.deepEqual(next.damage, [], "it was told once");
  });

  it("tells the ends of its logs when a start applies a part of it", async (t) => {
    const directory = await crashAfter(t, async (store) => {
      for (let index = 0; index < 30; index++)
        await store.commit(batchOf((batch) => batch.append(block(1 + (index % 2), index, index, 10_000))));
    });
    const store = await openStore(t, directory, { journalBytes: 65_536 });
    const ends = (await store.loadLogs()).map(({ firstIndex, lastBlock }) => [
      firstIndex,
      lastBlock.lastIndex,
    ]);
    assert.deepEqual(ends, [
      [0, 28],
      [1, 29],
    ]);
  });

  it("never takes a refused record for the one that was acknowledged with its number, when a purge came between", async (t) => {
    const path = await newDirectory(t);
    await mkdir(path, { recursive: true });
    const damage = new DamageList(`${path}-damaged`);
    const journal = new Journal({ path, segmentBytes: 65_536, damage });
    const put = (key: string): Promise<unknown> =>
      journal.append(batchOf((batch) => batch.put("session", key, Buffer.of(1))));
    await journal.begin();
    await put("before");
    // As a disk that finds at the sync only that it is full.
    const write = JournalFile.prototype.write;
    const full = t.mock.method(
      JournalFile.prototype,
      "write",
      async function (this: JournalFile, ...what: Parameters<JournalFile["write"]>) {
        await write.apply(this, what);
        throw new Error("no space left on device");
      },
    );
    await assert.rejects(put("refused"));
    full.mock.restore();
    await journal.empty();
    await put("acknowledged");
    const crashed = await newDirectory(t);
    await cp(path, crashed, { recursive: true });
    await journal.close(false);
    const keys: string[] = [];
    const next = new Journal({ path: crashed, segmentBytes: 65_536, damage });
    const nothing = (): void => undefined;
    const sink = {
      record: (_: unknown, key: string) => keys.push(key),
      delete: nothing,
      block: nothing,
      trim: nothing,
    };
    await next.recover(undefined, () => sink);
    assert.deepEqual(keys, ["before", "acknowledged"]);
    assert.deepEqual(damage.found, []);
    await next.close(false);
  });

  it("is no missing one after a commit that was larger than all of it", async (t) => {
    const directory = await crashAfter(
      t,
      async (store, directory) => {
        await store.commit(batchOf((batch) => batch.put("retained", "large", Buffer.alloc(1_000_000, 7))));
        await untilSmaller(directory, 131_072);
      },
      65_536,
    );
    const store = await openStore(t, directory);
    assert.equal((await recordsOf(store, "retained"))[0]?.[1].length, 1_000_000);
    assert.deepEqual(store.damage, []);
  });

  it("has no more files after many starts that broke off", async (t) => {
    let directory = await crashAfter(t, commitThree);
    for (let start = 0; start < 40; start++) {
      const store = await openStore(t, directory);
      const next = await newDirectory(t);
      await cp(directory, next, { recursive: true });
      await store.close();
      directory = next;
    }
    const { length } = await journalOf(directory);
    assert.ok(length <= 33, `${length} files`);
    assert.equal(await keysAndBlocks(await openStore(t, directory)), "abc 012");
  });

  it("tells a file without a header", async (t) => {
    const directory = await crashAfter(t, commitThree);
    await change(directory, (bytes) => flip(bytes, 10));
    const store = await openStore(t, directory);
    assert.equal(await keysAndBlocks(store), " ");
    assert.deepEqual(
      store.damage.map(({ place }) => place.split(",")[0]),
      ["journal 0000001.journal", "the journal"],
    );
  });

  it("tells a journal that is gone, and one of whose files is gone", async (t) => {
    const gone = await crashAfter(t, commitThree);
    await rm(join(gone, "journal"), { recursive: true });
    assert.equal((await openStore(t, gone)).damage[0]?.place, "the journal");

    const directory = await crashAfter(t, commitFiles, 65_536);
    const [, second = ""] = await journalOf(directory);
    await rm(second);
    const store = await openStore(t, directory);
    const [damage] = store.damage;
    assert.match(damage?.place ?? "", /^journal, commits \d+ to \d+$/);
    assert.equal(store.damage.length > 0, true);
  });

  it("takes a file that ends in the middle of a record for a torn one", async (t) => {
    const directory = await crashAfter(t, commitThree);
    const [path = ""] = await journalOf(directory);
    await change(directory, () => undefined);
    const bytes = await readFile(path);
    await truncate(path, bytes.lastIndexOf("c".repeat(50)));
    const store = await openStore(t, directory);
    assert.equal(await keysAndBlocks(store), "ab 01");
    assert.deepEqual(store.damage, []);
  });

  it("never takes a payload for a record", async (t) => {
    const directory = await crashAfter(t, async (store) => {
      await commitThree(store);
      // A record of another journal, at every place where one could begin.
      const other = join(dirname(await newDirectory(t)), "other");
      const stranger = await openStore(t, other);
      await stranger.commit(batchOf((batch) => batch.put("session", "forged", Buffer.from("x"))));
      const [path = ""] = await journalOf(other);
      const forged = (await readFile(path)).subarray(64, 256);
      for (let shift = 0; shift < 32; shift++) {
        const payload = Buffer.concat([Buffer.alloc(shift), forged]);
        await store.commit(batchOf((batch) => batch.put("retained", `t${shift}`, payload)));
      }
    });
    const [path = ""] = await journalOf(directory);
    const bytes = await readFile(path);
    const salt = bytes.subarray(15, 23);
    for (let at = bytes.indexOf(salt, 1000); at !== -1; at = bytes.indexOf(salt, at + 1)) flip(bytes, at);
    await writeFile(path, bytes);
    const store = await openStore(t, directory);
    assert.equal((await keysAndBlocks(store)).includes("forged"), false);
  });

  it("may be applied again after all steps but the last", async (t) => {
    const directory = await crashAfter(t, commitMany);
    const before = await newDirectory(t);
    await cp(directory, before, { recursive: true });
    let state: Buffer | undefined;
    await withDatabase(directory, async (database) => {
      state = await database.get(STATE_KEY);
    });
    const store = await openStore(t, directory);
    const expected = [await recordsOf(store, "session"), await store.readLog(1, 150, 100_000)];
    await store.close();
    // The database has everything, and its state and the journal are those of the time before.
    await withDatabase(directory, (database) => database.put(STATE_KEY, state ?? Buffer.of()));
    await cp(join(before, "journal"), join(directory, "journal"), { recursive: true });
    for (let round = 0; round < 2; round++) {
      const again = await openStore(t, directory);
      assert.deepEqual([await recordsOf(again, "session"), await again.readLog(1, 150, 100_000)], expected);
      assert.deepEqual(again.damage, []);
      await again.close();
    }
  });

  it("is read as a whole when nothing says how far it was applied", async (t) => {
    const directory = await crashAfter(t, commitFiles, 65_536);
    const whole = await openStore(t, directory, { journalBytes: 65_536 });
    const expected = await recordsOf(whole, "session");
    const crashed = await newDirectory(t);
    await cp(directory, crashed, { recursive: true });
    await withDatabase(crashed, (database) => database.put(STATE_KEY, Buffer.from("nonsense")));
    const store = await openStore(t, crashed, { journalBytes: 65_536 });
    assert.deepEqual(await recordsOf(store, "session"), expected);
    assert.deepEqual(
      store.damage.map(({ place }) => place),
      ["the state of the journal"],
    );
  });

  it("keeps its bound on disk, also after a commit that is larger than all of it", async (t) => {
    const directory = await newDirectory(t);
    const store = await openStore(t, directory, { journalBytes: 65_536 });
    const large = Buffer.alloc(1_000_000, 7);
    await store.commit(batchOf((batch) => batch.put("retained", "large", large)));
    for (let number = 0; number < 300; number++)
      await store.commit(batchOf((batch) => batch.put("session", `${number}`, Buffer.alloc(1000))));
    const sizes = await Promise.all(
      (await journalOf(directory)).map(async (path) => (await readFile(path)).length),
    );
    assert.ok(sizes.length <= 12, `${sizes.length} files`);
    assert.ok(Math.max(...sizes) <= 131_072, `files of ${sizes.join(", ")} bytes`);
    assert.equal((await recordsOf(store, "session")).length, 300);
    assert.equal((await recordsOf(store, "retained"))[0]?.[1].length, 1_000_000);
  });

  it("cuts down the file of a large commit that a crash left when it was applied already", async (t) => {
    const directory = await crashAfter(t, async (store) => {
      await store.commit(batchOf((batch) => batch.put("retained", "large", Buffer.alloc(3_000_000, 7))));
      await commitThree(store);
    });
    const journal = await newDirectory(t);
    await cp(join(directory, "journal"), journal, { recursive: true });
    await (await openStore(t, directory)).close();
    // The database has everything, and the crash came before the files were cut down.
    await cp(journal, join(directory, "journal"), { recursive: true });
    const store = await openStore(t, directory);
    const sizes = await Promise.all(
      (await journalOf(directory)).map(async (path) => (await stat(path)).size),
    );
    assert.ok(Math.max(...sizes) <= 131_072, `files of ${sizes.join(", ")} bytes`);
    assert.equal(await keysAndBlocks(store), "abc 012");
    assert.deepEqual(store.damage, []);
  });

  it("keeps a file with damage that could not be copied", async (t) => {
    const directory = await crashAfter(t, commitThree);
    await change(directory, (bytes, [, b]) => flip(bytes, b + 25));
    const tried = await newDirectory(t);
    await cp(directory, tried, { recursive: true });
    const [{ setAside = "" } = {}] = (await openStore(t, tried)).damage;
    // Nothing can be written where the copy is to stand.
    await mkdir(join(directory, "damaged", basename(setAside)), { recursive: true });
    const store = await openStore(t, directory);
    const [damage] = store.damage;
    assert.match(damage?.reason ?? "", /could not be copied/);
    assert.equal(damage?.setAside, undefined);
    assert.equal((await recordsOf(store, "session")).map(([key]) => key).join(""), "ac");
    await store.close();
    assert.deepEqual(await journalOf(directory), []);
    const kept = await readFile(join(directory, "damaged", "0000001.journal-1"));
    assert.ok(kept.includes("b".repeat(170)));
    const again = await openStore(t, directory);
    assert.equal((await recordsOf(again, "session")).map(([key]) => key).join(""), "ac");
    assert.ok(
      again.damage.every(({ place }) => !place.startsWith("journal")),
      "it is told once",
    );
  });

  it("keeps a file without a header that could not be copied", async (t) => {
    const directory = await crashAfter(t, commitThree);
    await change(directory, (bytes) => flip(bytes, 10));
    const tried = await newDirectory(t);
    await cp(directory, tried, { recursive: true });
    const [{ setAside = "" } = {}] = (await openStore(t, tried)).damage;
    const obstacle = join(directory, "damaged", basename(setAside));
    await mkdir(obstacle, { recursive: true });
    const store = await openStore(t, directory);
    await commitThree(store);
    await store.close();
    const [path = ""] = await journalOf(directory);
    assert.ok((await readFile(path)).includes("b".repeat(200)));
    await rm(obstacle, { recursive: true });
    const again = await openStore(t, directory);
    assert.equal(again.damage[0]?.setAside, obstacle);
    await again.close();
    assert.deepEqual(await journalOf(directory), []);
  });

  it("tells a file that is gone in front of one that is damaged itself", async (t) => {
    const directory = await crashAfter(t, commitFiles, 65_536);
    const [, second = "", third = ""] = await journalOf(directory);
    await rm(second);
    const bytes = await readFile(third);
    const salt = bytes.subarray(15, 23);
    // In the second record of it: a salt stands at the start and at the end of each.
    let at = 64;
    for (let salts = 0; salts < 2; salts++) at = bytes.indexOf(salt, at + 1);
    flip(bytes, at + 100);
    await writeFile(third, bytes);
    const places = (await openStore(t, directory)).damage.map(({ place }) => place);
    assert.equal(
      places.filter((place) => place.startsWith("journal 0000003.journal")).length,
      1,
      places.join("; "),
    );
    assert.equal(places.filter((place) => place.startsWith("journal, commits")).length, 1, places.join("; "));
  });

  it("leaves alone what is no file of the journal", async (t) => {
    const directory = await newDirectory(t);
    await mkdir(join(directory, "journal"), { recursive: true });
    await writeFile(join(directory, "journal", "note.txt"), "mine");
    const store = await openStore(t, directory);
    await commitThree(store);
    await store.close();
    assert.deepEqual(await readdir(join(directory, "journal")), ["note.txt"]);
  });
});

/** Commits until several files are in use. */
async function commitFiles(store: LevelStore): Promise<void> {
  for (let number = 0; number < 40; number++)
    await store.commit(batchOf((batch) => batch.put("session", `${number % 30}`, Buffer.alloc(900, number))));
}

/** Records that are replaced and deleted, a log that grows and is trimmed. */
async function commitMany(store: LevelStore): Promise<void> {
  for (let number = 0; number < 300; number++) {
    await store.commit(
      batchOf((batch) => {
        batch.put("session", `${number % 70}`, Buffer.from(`value ${number}`));
        if (number % 3 === 0) batch.delete("session", `${(number + 5) % 70}`);
        batch.append(block(1, number, number));
        if (number === 200) batch.trim(1, 0, 150);
      }),
    );
  }
}
