// The public names of the package `@heirloom/store-leveldb`, one by one.

export { LevelStore } from "./level-store.ts";
export type { LevelStoreOptions } from "./level-store.ts";
export { repairStore } from "./repair.ts";
export type { Repair } from "./repair.ts";
