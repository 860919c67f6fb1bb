// The limits' defaults of a server: those of the core, and those that depend on the machine or on real networks.

import { DEFAULT_LIMITS, type Limits } from "@heirloom/core";
import { defaultMemoryBytes } from "../memory.ts";

/**
 * Seconds. Keep Alive 0 or of many hours would let a client hold a connection without ever showing that it is there; a
 * client of 5.0 is told to ping more often, one of 3.x is missed all the same.
 */
export const DEFAULT_KEEP_ALIVE_MAXIMUM = 1_200;

export function serverLimits(): Limits {
  return {
    ...DEFAULT_LIMITS,
    keepAliveMaximum: DEFAULT_KEEP_ALIVE_MAXIMUM,
    memoryBytes: defaultMemoryBytes(),
  };
}
