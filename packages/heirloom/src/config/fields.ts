// Reading and checking groups of options by their tables, for files and for programs.

import { seen, unknownOption, type Finding, type OptionPath } from "./findings.ts";
import type { OptionTable } from "./options.ts";

/** Reads those options of a table that are there. */
export function readFields<T>(
  values: ReadonlyMap<unknown, unknown>,
  table: OptionTable<T>,
  path: OptionPath,
  findings: Finding[],
): Partial<T> {
  const fields: Partial<T> = {};
  for (const field in table) {
    const { name, kind } = table[field];
    if (!values.has(name)) continue;
    const read = kind.read(values.get(name));
    if (read === undefined) {
      const message = `seen ${seen(values.get(name))}, expected ${kind.expected}`;
      findings.push({ path: [...path, name], message });
    } else {
      fields[field] = read.value;
    }
  }
  return fields;
}

/** Reports options that a table does not have. */
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

/** The names of a table, as they stand in a file. */
export function namesOf<T>(table: OptionTable<T>): string[] {
  const names: string[] = [];
  for (const field in table) names.push(table[field].name);
  return names;
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
    if (kind.accepts(value)) continue;
    const expected = kind.expectedOfProgram ?? kind.expected;
    findings.push({ path: [...path, field], message: `seen ${seen(value)}, expected ${expected}` });
  }
}
