// A second process is kept out, and what was committed is there after the process was killed.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import type { ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";

import { LevelStore } from "@heirloom/store-leveldb";

import { keysOf, newDirectory, openStore } from "./support.ts";

type Child = ChildProcessByStdio<null, Readable, null>;

function startChild(directory: string, journalBytes = 16_777_216): Child {
  const script = fileURLToPath(new URL("crash-child.js", import.meta.url));
  return spawn(process.execPath, [script, directory, String(journalBytes)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
}

/** Lets the child commit `count` times, kills it, and returns the number of the last commit that it spoke of. */
async function killAfter(child: Child, count: number): Promise<number> {
  const exited = once(child, "exit");
  let last = -1;
  for await (const line of createInterface({ input: child.stdout })) {
    last = Number(line);
    if (last >= count) child.kill("SIGKILL");
  }
  await exited;
  return last;
}

describe("LevelStore and processes", () => {
  it("keeps a second process out with STORE_LOCKED, within a second, and names the directory - attack STORE-06", async (t) => {
    const directory = await newDirectory(t);
    const child = startChild(directory);
    t.after(() => child.kill("SIGKILL"));
    await once(child.stdout, "data");
    const start = performance.now();
    const opening = new LevelStore({ directory }).open();
    await assert.rejects(opening, (error: unknown) => {
      assert.ok(error instanceof Error && "code" in error);
      assert.equal(error.code, "STORE_LOCKED");
      assert.ok(error.message.includes(directory));
      return true;
    });
    assert.ok(performance.now() - start < 1000);
    const last = await killAfter(child, 0);
    assert.equal((await keysOf(await openStore(t, directory), "session")).length >= last, true);
  });

  it("keeps out a second store of the same process", async (t) => {
    const directory = await newDirectory(t);
    await openStore(t, directory);
    await assert.rejects(new LevelStore({ directory }).open(), { code: "STORE_LOCKED" });
  });

  // A small journal is being applied to the database when the process is killed, most of the time.
  for (const [count, journalBytes] of [
    [1, undefined],
    [50, undefined],
    [400, undefined],
    [50, 65_536],
    [217, 65_536],
    [400, 65_536],
  ] as const) {
    const journal = journalBytes === undefined ? "" : ` with a journal of ${journalBytes} bytes`;
    it(`has every commit that was resolved when the process is killed after ${count}${journal}`, async (t) => {
      const directory = await newDirectory(t);
      const last = await killAfter(startChild(directory, journalBytes), count);
      assert.ok(last >= count);
      const store = await openStore(t, directory);
      assert.deepEqual(store.damage, []);

      const records = new Map<string, Uint8Array>();
      for await (const group of store.load("broker"))
        for (const [key, value] of group) records.set(key, value);
      const stored = Number(Buffer.from(records.get("number") ?? []).toString());
      assert.ok(stored >= last, `commit ${stored} stored, ${last} was resolved`);
      assert.equal((await keysOf(store, "session")).length, stored + 1, "one session per commit");
      const [extent] = await store.loadLogs();
      assert.equal(extent?.lastBlock.lastIndex, stored * 3 + 2, "the log ends with the same commit");
      for (let index = Math.max(0, stored - 99) * 3; index < stored * 3;) {
        const [first] = await store.readLog(1, index, 1);
        assert.equal(first?.firstIndex, index);
        index = first.lastIndex + 1;
      }
    });
  }
});
