// The data directory is created for its owner only, and one that is not ours, or of another version, is left alone.

import assert from "node:assert/strict";
import { mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";

import { LevelStore } from "@heirloom/store-leveldb";

import { batchOf, newDirectory, openStore, withDatabase } from "./support.ts";

describe("DataDirectory", () => {
  it(
    "is created with its parents, for its owner only, with a format file",
    { skip: process.platform === "win32" },
    async (t) => {
      const directory = join(await newDirectory(t), "deeper");
      await openStore(t, directory);
      assert.equal((await stat(directory)).mode & 0o777, 0o700);
      assert.equal(await readFile(join(directory, "format"), "utf8"), "heirloom-store-leveldb 2\n");
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
