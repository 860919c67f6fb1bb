// Measures memory: what is still in use after a garbage collection.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collectGarbage: unknown = runInNewContext("gc");

/** Bytes in use on the heap and in typed arrays, after a full garbage collection. */
export function bytesInUse(): number {
  if (typeof collectGarbage === "function") collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
