// The durable store passes the kit.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";

import type { Store } from "@heirloom/core";
import { storeKit } from "@heirloom/core/testing";
import type { StoreMaker } from "@heirloom/core/testing";
import { LevelStore } from "@heirloom/store-leveldb";

const directories = new WeakMap<Store, string>();

async function openIn(directory: string): Promise<Store> {
  const store = new LevelStore({ directory });
  directories.set(store, directory);
  await store.open();
  return store;
}

const maker: StoreMaker = {
  async create() {
    return openIn(join(await mkdtemp(join(tmpdir(), "heirloom-store-")), "data"));
  },
  async reopen(store) {
    await store.close();
    return openIn(directories.get(store) ?? "");
  },
  async destroy(store) {
    await store.close();
    await rm(join(directories.get(store) ?? "", ".."), { recursive: true });
  },
};

describe("LevelStore", () => {
  for (const { name, run } of storeKit()) it(name, () => run(maker));
});
