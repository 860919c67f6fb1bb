// Builds the library that makes the disk of a server slow or lets it fail; see bad-disk.c.

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Program, unlessInstalled } from "#interop/program";

const SOURCE = fileURLToPath(new URL("../../src/bad-disk.c", import.meta.url));

/** For the option `skip` of a test: why there can be no bad disk here. */
export function unlessBadDisk(): string | false {
  return process.platform === "linux" ? unlessInstalled("cc") : "needs LD_PRELOAD and /proc";
}

/** Builds the library in `directory`. @returns its path, for LD_PRELOAD. */
export async function buildBadDisk(directory: string): Promise<string> {
  const library = join(directory, "bad-disk.so");
  await Program.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, SOURCE, "-ldl"]);
  return library;
}
