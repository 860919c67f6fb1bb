// A commit that LevelDB drops while it recovers does not disappear in silence.

import assert from "node:assert/strict";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";

import { batchOf, keysOf, newDirectory, openStore } from "./support.ts";

describe("checkWriteAheadLogs", () => {
  it("tells and keeps a log file of which LevelDB dropped a commit", async (t) => {
    const directory = await newDirectory(t);
    const store = await openStore(t, directory);
    for (const key of ["a", "b", "c"]) {
      await store.commit(batchOf((batch) => batch.put("session", key, Buffer.alloc(1000, key))));
    }
    await store.close();
    const database = join(directory, "leveldb");
    const name = (await readdir(database)).find((each) => each.endsWith(".log")) ?? "";
    const bytes = await readFile(join(database, name));
    bytes[bytes.indexOf("bbbb") + 100] = 0x00;
    await writeFile(join(database, name), bytes);

    const reopened = await openStore(t, directory);
    assert.ok(!(await keysOf(reopened, "session")).includes("b"));
    const [damage, other] = reopened.damage;
    assert.equal(damage?.place, `write-ahead log ${name}`);
    assert.equal(other?.place, "the journal", "that it was applied and removed is lost with the rest");
    assert.equal(reopened.damage.length, 2);
    assert.match(damage.reason, /dropped \d+ bytes: Corruption: checksum mismatch/);
    assert.deepEqual(await readFile(damage.setAside ?? ""), bytes);
  });

  it("keeps nothing when nothing was dropped", async (t) => {
    const directory = await newDirectory(t);
    const store = await openStore(t, directory);
    await store.commit(batchOf((batch) => batch.put("session", "a", Buffer.from("1"))));
    await store.close();
    const damaged = join(directory, "damaged");
    await mkdir(damaged, { recursive: true });
    await writeFile(join(damaged, "pending-1-000003.log"), "left by a start that was killed");
    const reopened = await openStore(t, directory);
    assert.deepEqual(reopened.damage, []);
    assert.deepEqual(await readdir(damaged), []);
  });
});
