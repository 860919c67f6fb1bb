// Which store a broker writes to.

import { MemoryStore, type Store } from "@heirloom/core";

import type { Settings } from "./config/settings.ts";

/** Makes the store of the settings; does not open it. LevelDB is only loaded when it is asked for. */
export async function makeStore({
  store,
  data,
  purgeInterval,
}: Pick<Settings, "store" | "data" | "purgeInterval">): Promise<Store> {
  if (store === "memory") return new MemoryStore();
  const { LevelStore } = await import("@heirloom/store-leveldb");
  return new LevelStore({ directory: data, purgeAfterMs: purgeInterval * 1_000 });
}
