// Which store a broker writes to.

import { MemoryStore, type Store } from "@heirloom/core";

/** Makes the store of that kind; does not open it. LevelDB is only loaded when it is asked for. */
export async function makeStore(kind: "leveldb" | "memory", directory: string): Promise<Store> {
  if (kind === "memory") return new MemoryStore();
  const { LevelStore } = await import("@heirloom/store-leveldb");
  return new LevelStore({ directory });
}
