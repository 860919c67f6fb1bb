// Node's module hooks: what is fuzzed is instrumented as it is loaded. Runs in the hooks' own thread.

import type { InitializeHook, LoadHook } from "node:module";
import { instrument } from "./instrument.ts";

export interface HooksData {
  /** One number: how many counters were given out. */
  readonly counterCount: Int32Array;
}

const INSTRUMENTED = new RegExp(
  [
    /\/packages\/(codec|core)\/dist\/(?!testing\/).*\.js$/,
    /\/packages\/heirloom\/dist\/transports\/proxy-protocol\.js$/,
    // Faults that tests plant.
    /\/fuzz\/dist-test\/planted\/.*\.js$/,
  ]
    .map(({ source }) => source)
    .join("|"),
);
let counterCount: Int32Array = new Int32Array(1);

export const initialize: InitializeHook<HooksData> = (data) => {
  counterCount = data.counterCount;
};

export const load: LoadHook = async (url, context, nextLoad) => {
  const loaded = await nextLoad(url, context);
  if (!INSTRUMENTED.test(url) || loaded.source === undefined) return loaded;
  const text = typeof loaded.source === "string" ? loaded.source : new TextDecoder().decode(loaded.source);
  const { code, count } = instrument(text, Atomics.load(counterCount, 0));
  Atomics.add(counterCount, 0, count);
  return { ...loaded, source: code };
};
