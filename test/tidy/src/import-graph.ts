// Who imports whom, types included, and which files are tied into a knot by it.

import { posix } from "node:path";
import ts from "typescript";
import type { SourceFile } from "./files.ts";

export interface Import {
  /** As it is written: `./log.ts`, `@heirloom/core`, `node:net`. */
  readonly specifier: string;
  /** The path of the file, for a relative import. */
  readonly path: string | undefined;
}

/** The imports of one file, also those of types and those at run time. */
export function importsOf(file: SourceFile): Import[] {
  return ts.preProcessFile(file.text, true, true).importedFiles.map(({ fileName: specifier }) => {
    const path = specifier.startsWith(".") ? posix.join(posix.dirname(file.path), specifier) : undefined;
    return { specifier, path };
  });
}

/** The files that one of `entries` needs, itself included, through relative imports. */
export function reachable(files: readonly SourceFile[], entries: Iterable<string>): Set<string> {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const found = new Set<string>();
  const visit = (path: string): void => {
    const file = byPath.get(path);
    if (file === undefined || found.has(path)) return;
    found.add(path);
    for (const next of importsOf(file)) if (next.path !== undefined) visit(next.path);
  };
  for (const entry of entries) visit(entry);
  return found;
}

/** Sets of files of which each one reaches all the others; a file alone is none. */
export function knots(files: readonly SourceFile[]): string[][] {
  const reach = new Map(files.map(({ path }) => [path, reachable(files, [path])]));
  const seen = new Set<string>();
  return files.flatMap(({ path }) => {
    if (seen.has(path)) return [];
    const knot = [...(reach.get(path) ?? [])].filter((other) => reach.get(other)?.has(path) === true);
    for (const member of knot) seen.add(member);
    return knot.length > 1 ? [knot.sort()] : [];
  });
}

/** The imports that make a knot, one per line. */
export function knotText(files: readonly SourceFile[], knot: readonly string[]): string {
  const lines = files
    .filter(({ path }) => knot.includes(path))
    .flatMap((file) =>
      importsOf(file)
        .filter(({ path }) => path !== undefined && knot.includes(path))
        .map(({ path }) => `  ${file.path} imports ${String(path)}`),
    );
  return ["a knot of imports:", ...lines].join("\n");
}
