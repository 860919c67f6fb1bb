// How a case fails: with a sentence that says what was seen and what was expected.
import { inspect, isDeepStrictEqual } from "node:util";

/** The broker did something else than the standard says. */
export class ConformanceError extends Error {
  readonly code = "ERR_NOT_CONFORMANT";
}

/** The case cannot run against this broker; the message is the reason. */
export class SkipError extends Error {
  readonly code = "ERR_SKIPPED";
}

export function fail(message: string): never {
  throw new ConformanceError(message);
}

export function equal(seen: unknown, expected: unknown, what: string): void {
  if (!isDeepStrictEqual(seen, expected)) fail(`${what}: saw ${show(seen)}, expected ${show(expected)}`);
}

export function oneOf<T>(seen: T, expected: readonly T[], what: string): void {
  if (!expected.includes(seen)) fail(`${what}: saw ${show(seen)}, expected one of ${show(expected)}`);
}

export function truthy(holds: boolean, what: string): asserts holds {
  if (!holds) fail(what);
}

export function show(value: unknown): string {
  return inspect(value, { breakLength: Infinity, maxStringLength: 80, maxArrayLength: 20, depth: 4 });
}

export function code(value: number): string {
  return `0x${value.toString(16).padStart(2, "0")}`;
}

/**
 * Runs `check` for each labelled row, `width` at once; fails with all rows that failed, each under its label.
 * A row has to bring its own connections.
 */
export async function forEach<const Rows extends readonly (readonly [label: string, row: unknown])[]>(
  rows: Rows,
  check: (row: Rows[number][1]) => Promise<void>,
  width: number = 4,
): Promise<void> {
  const waiting = [...rows];
  const failures: string[] = [];
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [label, row] = next;
      try {
        await check(row);
      } catch (error) {
        if (error instanceof SkipError) throw error;
        failures.push(`${label}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  };
  await Promise.all(Array.from({ length: width }, work));
  const more = failures.length > 12 ? [`and ${failures.length - 12} more`] : [];
  if (failures.length > 0) fail([...failures.slice(0, 12), ...more].join("\n     "));
}
