// Node's module hooks: the codec and the core are instrumented as they are loaded. Runs in the hooks' own thread.

import type { InitializeHook, LoadHook } from "node:module";
import { instrument } from "./instrument.ts";

export interface HooksData {
  /** One number: how many counters were given out. */
  readonly counterCount: Int32Array;
}

/** The last are faults that tests plant. */
const INSTRUMENTED =
  /\/packages\/(codec|core)\/dist\/(?!testing\/).*\.js$|\/fuzz\/dist-test\/planted\/.*\.js$/;
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
