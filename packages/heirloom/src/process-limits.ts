// What the system allows this process. Linux tells it in a file; elsewhere only a shell does.

import { readFileSync } from "node:fs";

/** How many files it may have open; `undefined` where that cannot be told. */
export function openFilesLimit(): number | undefined {
  return softLimit("Max open files");
}

/** Bytes of a core dump, which holds everything that the process knew; 0 = there is none. */
export function coreDumpLimit(): number | undefined {
  return softLimit("Max core file size");
}

function softLimit(name: string): number | undefined {
  try {
    const text = readFileSync("/proc/self/limits", "utf8");
    const soft = new RegExp(`^${name}\\s+(\\d+|unlimited)`, "m").exec(text)?.[1];
    if (soft === undefined) return undefined;
    return soft === "unlimited" ? Infinity : Number(soft);
  } catch {
    return undefined;
  }
}
