// What is written to the database when it finds no space.

import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";

import { ClassicLevel } from "classic-level";

import { DamageList } from "../dist/damage-list.js";
import { DataDirectory } from "../dist/data-directory.js";
import { DatabaseWriter } from "../dist/database-writer.js";
import { Journal } from "../dist/journal.js";
import { Overlay } from "../dist/overlay.js";
import { Reads } from "../dist/reads.js";
import { StoredLogs } from "../dist/stored-logs.js";
import { newDirectory } from "./support.ts";

describe("DatabaseWriter", () => {
  it("writes nothing behind a trim that found no space, at the end neither, and keeps the journal", async (t) => {
    const directory = new DataDirectory(await newDirectory(t));
    await directory.prepare();
    await directory.makeJournal();
    const encodings = { keyEncoding: "buffer", valueEncoding: "buffer" } as const;
    const database = new ClassicLevel<Buffer, Buffer>(join(directory.path, "leveldb"), encodings);
    await database.open();
    // To delete takes space too.
    database.clear = () => Promise.reject(new Error("no space left on device"));
    let puts = 0;
    database.put = () => {
      puts++;
      return Promise.resolve();
    };
    const damage = new DamageList(directory.damaged);
    const journal = new Journal({ path: directory.journal, segmentBytes: 65_536, damage });
    const writer = new DatabaseWriter({
      database,
      directory,
      damage,
      journal,
      overlay: new Overlay(),
      stored: new StoredLogs(),
      reads: new Reads(),
      compactAfterMs: 60_000,
      purgeAfterMs: Infinity,
      journalBytes: 524_288,
    });
    writer.trim(1, 0, 10);
    assert.equal(await writer.finish(), false, "the journal is needed");
    assert.equal(puts, 0);
    await journal.close(false);
    await database.close();
  });
});
