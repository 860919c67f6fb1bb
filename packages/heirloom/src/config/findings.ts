// What is found wrong while options are read and checked, and how it becomes a ConfigError.

import { ConfigError } from "../errors.ts";

/** Names of options and indexes of lists, from the outside in. */
export type OptionPath = readonly (string | number)[];

export interface Finding {
  readonly path: OptionPath;
  readonly message: string;
}

/** @throws ConfigError when there are findings. `locate` tells the line of an option in the file. */
export function throwFindings(
  findings: readonly Finding[],
  file?: string,
  locate?: (path: OptionPath) => number | undefined,
): void {
  if (findings.length === 0) return;
  const problems = findings.map(({ path, message }) => {
    const line = locate?.(path);
    return { option: pathText(path), message, ...(line === undefined ? {} : { line }) };
  });
  // Those of the file first, from top to bottom.
  problems.sort((one, other) => (one.line ?? 0) - (other.line ?? 0));
  throw new ConfigError(problems, file);
}

/** The message for an option that does not exist, with the one that was probably meant. */
export function unknownOption(name: string, known: readonly string[]): string {
  const meant = nearest(name, known);
  return meant === undefined ? "there is no such option" : `there is no such option; did you mean ${meant}?`;
}

/** A value as it was seen, short enough for a message. */
export function seen(value: unknown): string {
  if (value === null || value === undefined) return "nothing";
  if (value instanceof Map) return "a group of options";
  if (Array.isArray(value))
    return value.length === 0 ? "an empty list" : shortened(`[${value.map(seenInList).join(", ")}]`);
  switch (typeof value) {
    case "string":
      return shortened(JSON.stringify(value));
    case "number":
    case "bigint":
    case "boolean":
      return String(value);
    default:
      return `a value of type ${typeof value}`;
  }
}

function seenInList(item: unknown): string {
  return typeof item === "object" && item !== null ? "..." : seen(item);
}

function shortened(text: string): string {
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

function pathText(path: OptionPath): string {
  return path.reduce<string>(
    (text, step) => (typeof step === "number" ? `${text}[${step}]` : text === "" ? step : `${text}.${step}`),
    "",
  );
}

/** The known name with the fewest changes, if they are few for its length. */
function nearest(name: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** Characters to insert, delete or replace to make one text of the other (Levenshtein). */
function editDistance(one: string, other: string): number {
  let previous = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let row = 1; row <= one.length; row++) {
    const current = [row];
    for (let column = 1; column <= other.length; column++) {
      const replaced = (previous[column - 1] ?? 0) + (one[row - 1] === other[column - 1] ? 0 : 1);
      current.push(Math.min(replaced, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[other.length] ?? 0;
}
