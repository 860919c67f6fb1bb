// What an option is: its name, the kind of its values, its default and what the reference page says of it.

import type { Finding, OptionPath } from "./findings.ts";

/** One kind of value. `T` is what the program works with, in the unit of its name. */
export interface Kind<T> {
  /** What a file may have, in words that follow "expected". */
  readonly expected: string;
  /** What a program may give, where that differs: it has no units in texts. */
  readonly expectedOfProgram?: string;
  /** Reads a value as it stands in a file. `undefined` when it is not of this kind, or out of range. */
  read(value: unknown): { readonly value: T } | undefined;
  /** Whether a value that a program gave is in range. */
  accepts(value: T): boolean;
  /** How a value is written in a file. */
  show(value: T): string;
  /** Of a path: the same as seen from a directory. */
  from?(value: T, directory: string): T;
  /** Of a value that has options of its own. */
  readonly group?: Group<T>;
}

/** One option as it stands in a file. */
export interface Option<T> {
  readonly name: string;
  readonly kind: Kind<T>;
  /** The default in words or as it is written in a file. */
  readonly default: string;
  /** One or two sentences for the reference page. */
  readonly description: string;
}

/** One option for each field of `T`. */
export type OptionTable<T> = { readonly [Field in keyof T]-?: Option<NonNullable<T[Field]>> };

/** An option whose value has options of its own. What is wrong is reported with the path of the one that is wrong. */
export interface Group<T> {
  /** Its options, for the reference page. */
  readonly options: readonly Option<unknown>[];
  readonly isList: boolean;
  read(value: unknown, path: OptionPath, findings: Finding[], directory: string | undefined): T | undefined;
  check(value: T, path: OptionPath, findings: Finding[]): void;
}
