// Options in tables: how a table is read from a file, and how the values of a program are checked against it.
// A group is an option whose value has a table of its own.

import { seen, unknownOption, type Finding, type OptionPath } from "./findings.ts";
import type { Group, Kind, Option, OptionTable } from "./option.ts";

/** One group of options. Those named in `required` have no default. */
export function group<T extends object>(
  table: OptionTable<T>,
  required: readonly (keyof T & string)[] = [],
): Kind<T> {
  const expected = `options: ${namesOf(table).join(", ")}`;
  return groupKind(expected, {
    options: optionsOf(table),
    isList: false,
    read: (value, path, findings, directory) =>
      readGroup(value, table, required, { path, findings, directory }),
    check: (value, path, findings) => checkGroup(value, table, required, path, findings),
  });
}

/** A list of groups, not empty. */
export function groups<T extends object>(
  table: OptionTable<T>,
  required: readonly (keyof T & string)[] = [],
): Kind<readonly T[]> {
  const expected = `a list, each with options: ${namesOf(table).join(", ")}`;
  return groupKind<readonly T[]>(expected, {
    options: optionsOf(table),
    isList: true,
    read: (value, path, findings, directory) => {
      if (!Array.isArray(value) || value.length === 0) {
        findings.push({ path, message: `seen ${seen(value)}, expected ${expected}` });
        return undefined;
      }
      return value.flatMap(
        (item: unknown, index) =>
          readGroup(item, table, required, { path: [...path, index], findings, directory }) ?? [],
      );
    },
    check: (values, path, findings) => {
      const items: readonly T[] = Array.isArray(values) ? values : [];
      if (items.length === 0) findings.push({ path, message: `seen ${seen(values)}, expected ${expected}` });
      items.forEach((item, index) => checkGroup(item, table, required, [...path, index], findings));
    },
  });
}

function groupKind<T>(expected: string, described: Group<T>): Kind<T> {
  return {
    expected,
    group: described,
    read: (value) => {
      const read = described.read(value, [], [], undefined);
      return read === undefined ? undefined : { value: read };
    },
    accepts: (value) => {
      const findings: Finding[] = [];
      described.check(value, [], findings);
      return findings.length === 0;
    },
    show: () => expected,
  };
}

/** Where a value stands, and what goes with reading it. */
interface Place {
  readonly path: OptionPath;
  readonly findings: Finding[];
  readonly directory: string | undefined;
}

function readGroup<T extends object>(
  value: unknown,
  table: OptionTable<T>,
  required: readonly (keyof T & string)[],
  { path, findings, directory }: Place,
): T | undefined {
  if (!(value instanceof Map)) {
    const message = `seen ${seen(value)}, expected options: ${namesOf(table).join(", ")}`;
    findings.push({ path, message });
    return undefined;
  }
  reportUnknown(value, namesOf(table), path, findings);
  const fields = readFields(value, table, path, findings, directory);
  const absent = required.filter((field) => !value.has(table[field].name));
  reportAbsent(absent, table, path, findings);
  return isComplete<T>(fields, required) ? fields : undefined;
}

function isComplete<T extends object>(
  fields: Partial<T>,
  required: readonly (keyof T & string)[],
): fields is T {
  return required.every((field) => fields[field] !== undefined);
}

function checkGroup<T extends object>(
  value: T,
  table: OptionTable<T>,
  required: readonly (keyof T & string)[],
  path: OptionPath,
  findings: Finding[],
): void {
  // A program without types may give anything.
  const given: unknown = value;
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    findings.push({
      path,
      message: `seen ${seen(given)}, expected options: ${Object.keys(table).join(", ")}`,
    });
    return;
  }
  checkFields(value, table, path, findings);
  reportAbsent(
    required.filter((field) => value[field] === undefined),
    table,
    path,
    findings,
  );
}

function reportAbsent<T extends object>(
  absent: readonly (keyof T & string)[],
  table: OptionTable<T>,
  path: OptionPath,
  findings: Finding[],
): void {
  for (const field of absent) {
    const { name, kind } = table[field];
    findings.push({ path: [...path, name], message: `seen nothing, expected ${kind.expected}` });
  }
}

/** Reads those options of a table that are there. Relative paths begin at `directory`, if there is one. */
export function readFields<T>(
  values: ReadonlyMap<unknown, unknown>,
  table: OptionTable<T>,
  path: OptionPath,
  findings: Finding[],
  directory?: string,
): Partial<T> {
  const fields: Partial<T> = {};
  for (const field in table) {
    const { name, kind } = table[field];
    if (!values.has(name)) continue;
    const value = readOne(values.get(name), kind, { path: [...path, name], findings, directory });
    if (value !== undefined) fields[field] = value;
  }
  return fields;
}

function readOne<T>(value: unknown, kind: Kind<T>, place: Place): T | undefined {
  const { path, findings, directory } = place;
  if (kind.group !== undefined) return kind.group.read(value, path, findings, directory);
  const read = kind.read(value);
  if (read === undefined) {
    findings.push({ path, message: `seen ${seen(value)}, expected ${kind.expected}` });
    return undefined;
  }
  return directory === undefined || kind.from === undefined ? read.value : kind.from(read.value, directory);
}

/** Checks ranges and names; what a file gave has been read already, what a program gives may be anything. */
export function checkFields<T extends object>(
  values: Partial<T>,
  table: OptionTable<T>,
  path: OptionPath,
  findings: Finding[],
): void {
  for (const name of Object.keys(values)) {
    if (Object.hasOwn(table, name)) continue;
    findings.push({ path: [...path, name], message: unknownOption(name, Object.keys(table)) });
  }
  for (const field in table) {
    const value = values[field];
    if (value === undefined || value === null) continue;
    const { kind } = table[field];
    if (kind.group !== undefined) {
      kind.group.check(value, [...path, field], findings);
    } else if (!kind.accepts(value)) {
      const expected = kind.expectedOfProgram ?? kind.expected;
      findings.push({ path: [...path, field], message: `seen ${seen(value)}, expected ${expected}` });
    }
  }
}

/** Reports the options of a file that do not exist. */
export function reportUnknown(
  values: ReadonlyMap<unknown, unknown>,
  known: readonly string[],
  path: OptionPath,
  findings: Finding[],
): void {
  for (const key of values.keys()) {
    const name = String(key);
    if (known.includes(name)) continue;
    findings.push({ path: [...path, name], message: unknownOption(name, known) });
  }
}

/** The names of a table's options as they stand in a file. */
export function namesOf<T>(table: OptionTable<T>): string[] {
  const names: string[] = [];
  for (const field in table) names.push(table[field].name);
  return names;
}

/** A table's options in their order. */
export function optionsOf<T>(table: OptionTable<T>): Option<unknown>[] {
  const options: Option<unknown>[] = [];
  for (const field in table) options.push(table[field]);
  return options;
}
