// The files of the repository that people write: what git tracks or would track.

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The top of the clone. */
export const ROOT: string = fileURLToPath(new URL("../../../../", import.meta.url));

export interface SourceFile {
  /** Relative to the root, with `/`. */
  readonly path: string;
  readonly text: string;
}

/** All files whose path matches, in order. */
export function filesLike(pattern: RegExp): SourceFile[] {
  const listed = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], {
    cwd: ROOT,
    encoding: "utf8",
  });
  return listed
    .split("\n")
    .filter((path) => pattern.test(path) && existsSync(ROOT + path))
    .sort()
    .map((path) => ({ path, text: read(path) }));
}

/** The text of a file, by its path from the root. */
export function read(path: string): string {
  return readFileSync(ROOT + path, "utf8");
}

/** The sources of the packages, without their tests. */
export const SOURCES: readonly SourceFile[] = filesLike(/^packages\/[^/]+\/src\/.*\.ts$/);
