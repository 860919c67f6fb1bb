// How much memory this process may have, and how much of it before load is shed.

import { totalmem } from "node:os";

/** The rest is for the system, and for what comes between two looks. */
const USABLE_PART = 0.75;

/** Bytes of memory above which load is shed unless an option says otherwise. */
export function defaultMemoryBytes(): number {
  return Math.floor(availableBytes(process.constrainedMemory(), totalmem()) * USABLE_PART);
}

/** @param constrained what a container allows; 0 or more than there is = nothing was said. */
export function availableBytes(constrained: number | undefined, total: number): number {
  return constrained !== undefined && constrained > 0 && constrained < total ? constrained : total;
}
