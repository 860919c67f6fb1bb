// What helps to test the broker and the parts that are plugged into it. Not for use in a running broker.

export { storeKit } from "./store-kit.ts";
export type { StoreCase, StoreMaker } from "./store-kit.ts";
