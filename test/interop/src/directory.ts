// Directories of tests: fresh, below the system's own, gone afterwards.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";

/** A new empty directory. The caller removes it with `removeDirectory`. */
export function newDirectory(purpose: string): Promise<string> {
  return mkdtemp(join(tmpdir(), `heirloom-${purpose}-`));
}

export function removeDirectory(path: string): Promise<void> {
  return rm(path, { recursive: true, force: true, maxRetries: 3 });
}

/** A new empty directory that is removed when the test ends. */
export async function directoryFor(test: TestContext, purpose: string): Promise<string> {
  const path = await newDirectory(purpose);
  test.after(() => removeDirectory(path));
  return path;
}
