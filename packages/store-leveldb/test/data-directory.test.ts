// The data directory is created for its owner only, and one that is not ours, or of another version, is left alone.

import assert from "node:assert/strict";
import { mkdir, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";

import { LevelStore } from "@heirloom/store-leveldb";

import { DataDirectory } from "../dist/data-directory.js";
import { batchOf, newDirectory, openStore, recordsOf, withDatabase } from "./support.ts";

describe("DataDirectory", () => {
  it(
    "is created with its parents, for its owner only, with a format file - attack CFG-03",
    { skip: process.platform === "win32" },
    async (t) => {
      const directory = join(await newDirectory(t), "deeper");
      await openStore(t, directory);
      assert.equal((await stat(directory)).mode & 0o777, 0o700);
      assert.equal(await readFile(join(directory, "format"), "utf8"), "heirloom-store-leveldb 2\n");
    },
  );

  it(
    "counts no bytes of a log file that LevelDB removes meanwhile",
    { skip: process.platform === "win32" },
    async (t) => {
      const directory = new DataDirectory(await newDirectory(t));
      await mkdir(directory.database, { recursive: true });
      await writeFile(join(directory.database, "000001.log"), "12345");
      await symlink("gone", join(directory.database, "000002.log"));
      assert.equal(await directory.writeAheadBytes(), 5);
    },
  );

  it("may be an empty directory, or a new file system", async (t) => {
    const directory = await newDirectory(t);
    await mkdir(join(directory, "lost+found"), { recursive: true });
    await openStore(t, directory);
  });

  it("is opened again when the first start broke off before the format file was written", async (t) => {
    const directory = await newDirectory(t);
    await mkdir(directory);
    await withDatabase(directory, () => Promise.resolve());
    await openStore(t, directory);
    assert.ok((await readdir(directory)).includes("format"));
  });

  it("of version 1 is opened with all it has, and is of version 2 from then on", async (t) => {
    const directory = await newDirectory(t);
    const text = await readFile(new URL("../test/fixtures/format-1.json", import.meta.url), "utf8");
    const files: unknown = JSON.parse(text);
    assert.ok(typeof files === "object" && files !== null);
    for (const [name, bytes] of Object.entries(files)) {
      await mkdir(dirname(join(directory, name)), { recursive: true });
      await writeFile(join(directory, name), Buffer.from(String(bytes), "base64"));
    }
    assert.equal(await readFile(join(directory, "format"), "latin1"), "heirloom-store-leveldb 1\n");
    for (let round = 0; round < 2; round++) {
      const store = await openStore(t, directory);
      assert.equal(await readFile(join(directory, "format"), "latin1"), "heirloom-store-leveldb 2\n");
      assert.deepEqual(await recordsOf(store, "session"), [
        ["device-1", "state of device-1"],
        ["device-2", "state of device-2"],
      ]);
      assert.deepEqual(await recordsOf(store, "retained"), [["room/temperature", "21"]]);
      assert.deepEqual(await recordsOf(store, "delivery"), [["1", "in flight"]]);
      assert.deepEqual(
        (await store.readLog(1, 20, 10_000)).map(({ firstIndex, lastIndex }) => [firstIndex, lastIndex]),
        [
          [20, 29],
          [30, 39],
          [40, 49],
        ],
      );
      assert.deepEqual(store.damage, []);
      await store.close();
    }
  });

  const refused: readonly [name: string, prepare: (directory: string) => Promise<void>, message: RegExp][] = [
    [
      "another version of the format",
      async (directory) => {
        await mkdir(directory);
        await writeFile(join(directory, "format"), "heirloom-store-leveldb 3\n");
        await mkdir(join(directory, "leveldb"));
        await writeFile(join(directory, "leveldb", "CURRENT"), "");
      },
      /has format version 3, expected .* version 2$/,
    ],
    [
      "a format file of something else",
      async (directory) => {
        await mkdir(directory);
        await writeFile(join(directory, "format"), "something\n");
      },
      /format file that starts with "something\\n"/,
    ],
    [
      "files that are not ours",
      async (directory) => {
        await mkdir(directory);
        await writeFile(join(directory, "mosquitto.db"), "");
      },
      /has no format file but holds "mosquitto.db"/,
    ],
    ["a file in its place", (directory) => writeFile(directory, ""), /is a file, expected a directory/],
    [
      "a format file but no database",
      async (directory) => {
        await mkdir(directory);
        await writeFile(join(directory, "format"), "heirloom-store-leveldb 1\n");
      },
      /has a format file but no database/,
    ],
    [
      "records but no format file",
      async (directory) => {
        const store = new LevelStore({ directory });
        await store.open();
        await store.commit(batchOf((batch) => batch.put("session", "a", Buffer.from("1"))));
        await store.close();
        await rm(join(directory, "format"));
      },
      /holds a database, expected a format file/,
    ],
  ];
  for (const [name, prepare, message] of refused) {
    it(`is refused with STORE_FORMAT when there is ${name}`, async (t) => {
      const directory = await newDirectory(t);
      await prepare(directory);
      const opening = new LevelStore({ directory }).open();
      await assert.rejects(opening, { name: "StoreError", code: "STORE_FORMAT", message });
    });
  }
});
