// The kinds of values that options have: how a value is read from a file, what is accepted, how it is shown.

import { resolve } from "node:path";
import { checkTopicName } from "@heirloom/core";
import { isNetwork } from "../identity/address.ts";
import type { Kind } from "./option.ts";
import { formatDuration, formatSize, parseDuration, parseSize } from "./units.ts";

interface Range {
  readonly minimum: number;
  readonly maximum: number;
}

/** true or false. */
export const flag: Kind<boolean> = {
  expected: "true or false",
  read: (value) => (typeof value === "boolean" ? { value } : undefined),
  accepts: (value) => typeof value === "boolean",
  show: String,
};

/** Any text but the empty one. */
export const text: Kind<string> = {
  expected: "a text",
  read: (value) => (typeof value === "string" && value !== "" ? { value } : undefined),
  accepts: (value) => typeof value === "string" && value !== "",
  show: (value) => value,
};

/** A path. In a configuration file, a relative one begins at the directory of that file. */
export const path: Kind<string> = {
  ...text,
  expected: "a path",
  from: (value, directory) => resolve(directory, value),
};

/** An address, or a network such as "10.0.0.0/8". */
export const addressRange: Kind<string> = {
  ...text,
  expected: "an address or a network such as 10.0.0.0/8",
  read: (value) => (typeof value === "string" && isNetwork(value) ? { value } : undefined),
  accepts: (value) => typeof value === "string" && isNetwork(value),
};

/** The mode of a file. A text, because YAML reads 0660 as the number 660. */
export const fileMode: Kind<string> = {
  ...text,
  expected: 'octal digits in quotation marks, such as "0660"',
  read: (value) => (isFileMode(value) ? { value } : undefined),
  accepts: isFileMode,
};

function isFileMode(value: unknown): value is string {
  return typeof value === "string" && /^0?[0-7]{3}$/.test(value);
}

/** The beginning of topics, up to and with a "/": without it, "a" would also be the beginning of the topics of "ab/". */
export const mountPoint: Kind<string> = {
  ...text,
  expected: "the beginning of topics, without wildcards and with / at its end",
  read: (value) => (isMountPoint(value) ? { value } : undefined),
  accepts: isMountPoint,
};

function isMountPoint(value: unknown): value is string {
  if (typeof value !== "string" || !value.endsWith("/") || value.startsWith("$")) return false;
  return checkTopicName(value) === undefined;
}

/** A whole number. */
export function count(range: Range): Kind<number> {
  return number({
    range,
    expected: `a whole number ${between(range, String)}`,
    parse: () => undefined,
    show: String,
  });
}

/** Bytes: a whole number, or a text with a unit. */
export function size(range: Range): Kind<number> {
  const expected = `bytes, or a size such as 16MiB, ${between(range, formatSize)}`;
  const expectedOfProgram = `bytes ${between(range, String)}`;
  return number({ range, expected, expectedOfProgram, parse: parseSize, show: formatSize });
}

/** Seconds: a whole number, or a text with a unit. `never` is the value that the word "never" stands for. */
export function seconds(range: Range, never?: number): Kind<number> {
  const show = (value: number): string => (value === never ? "never" : formatDuration(value * 1_000));
  const parse = (input: string): number | undefined => {
    if (never !== undefined && input === "never") return never;
    const ms = parseDuration(input);
    return ms === undefined ? undefined : ms / 1_000;
  };
  const word = never === undefined ? "" : ', or "never"';
  return number({
    range,
    expected: `seconds, or a duration such as 2h, ${between(range, show)}${word}`,
    expectedOfProgram: `seconds ${between(range, String)}`,
    parse,
    show,
    never,
  });
}

/** Milliseconds in the program. In a file, a number means seconds as for every other duration. */
export function milliseconds(range: Range): Kind<number> {
  const inMs = number({ range, expected: "", parse: parseDuration, show: formatDuration });
  return {
    ...inMs,
    expected: `seconds, or a duration such as 500ms, ${between(range, formatDuration)}`,
    expectedOfProgram: `milliseconds ${between(range, String)}`,
    read: (value) => inMs.read(typeof value === "number" ? value * 1_000 : value),
  };
}

/** One of several values, by their names in a file. */
export function oneOf<T>(values: ReadonlyMap<string, T>): Kind<T> {
  const nameOf = (value: T): string | undefined => [...values].find(([, other]) => other === value)?.[0];
  return {
    expected: listed([...values.keys()]),
    read: (input) => {
      // YAML reads 5.0 without quotes as the number 5.
      const entry = [...values].find(
        ([name]) => name === input || (typeof input === "number" && Number(name) === input),
      );
      return entry === undefined ? undefined : { value: entry[1] };
    },
    accepts: (value) => nameOf(value) !== undefined,
    show: (value) => nameOf(value) ?? String(value),
  };
}

/** A list that is not empty, all of one kind. */
export function listOf<T>(kind: Kind<T>): Kind<readonly T[]> {
  return {
    expected: `a list, each ${kind.expected}`,
    read: (input) => {
      if (!Array.isArray(input) || input.length === 0) return undefined;
      const items = input.flatMap((item: unknown) => kind.read(item) ?? []);
      return items.length === input.length ? { value: items.map((item) => item.value) } : undefined;
    },
    accepts: (values) => {
      // A program without types may give anything.
      const items: readonly T[] = Array.isArray(values) ? values : [];
      return items.length > 0 && items.every((item) => kind.accepts(item));
    },
    show: (values) => `[${values.map((value) => kind.show(value)).join(", ")}]`,
  };
}

/** "a, b or c". */
export function listed(names: readonly string[]): string {
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} or ${names[names.length - 1]}`;
}

function number(about: {
  range: Range;
  expected: string;
  expectedOfProgram?: string;
  parse: (input: string) => number | undefined;
  show: (value: number) => string;
  never?: number | undefined;
}): Kind<number> {
  const { minimum, maximum } = about.range;
  const { expected, expectedOfProgram = expected, never } = about;
  const accepts = (value: number): boolean =>
    value === never || (Number.isInteger(value) && value >= minimum && value <= maximum);
  return {
    expected,
    expectedOfProgram,
    read: (input) => {
      const value = typeof input === "string" ? about.parse(input) : input;
      return typeof value === "number" && accepts(value) ? { value } : undefined;
    },
    accepts,
    show: about.show,
  };
}

function between(range: Range, show: (value: number) => string): string {
  return `from ${show(range.minimum)} to ${show(range.maximum)}`;
}
