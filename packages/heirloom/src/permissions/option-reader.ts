// Reads groups of options whose form a table cannot say: what stands where, of which type, with a finding for everything
// that does not fit. For values of a program and of a file alike.

import { listed } from "../config/kinds.ts";
import { seen, unknownOption, type Finding, type OptionPath } from "../config/findings.ts";

/** One group of options. Each `read` notes what is wrong and then answers `undefined`, as for what is absent. */
export class OptionReader {
  readonly path: OptionPath;
  readonly findings: Finding[];
  readonly #values: ReadonlyMap<string, unknown>;

  private constructor(values: ReadonlyMap<string, unknown>, path: OptionPath, findings: Finding[]) {
    this.#values = values;
    this.path = path;
    this.findings = findings;
  }

  /** `undefined`, with a finding, when it is no group. */
  static of(
    value: unknown,
    path: OptionPath,
    findings: Finding[],
    known: readonly string[],
  ): OptionReader | undefined {
    const values = groupOf(value);
    if (values === undefined) {
      findings.push({ path, message: `seen ${seen(value)}, expected a group of options: ${listed(known)}` });
      return undefined;
    }
    for (const name of values.keys()) {
      if (!known.includes(name))
        findings.push({ path: [...path, name], message: unknownOption(name, known) });
    }
    return new OptionReader(values, path, findings);
  }

  /** The names of the options that are there. */
  get names(): readonly string[] {
    return [...this.#values].filter(([, value]) => value !== undefined).map(([name]) => name);
  }

  has(name: string): boolean {
    return this.#values.get(name) !== undefined;
  }

  raw(name: string): unknown {
    return this.#values.get(name);
  }

  flag(name: string): boolean | undefined {
    const value = this.raw(name);
    if (value === undefined || typeof value === "boolean") return value;
    this.refuse(name, "true or false");
    return undefined;
  }

  text(name: string): string | undefined {
    const value = this.raw(name);
    if (value === undefined || (typeof value === "string" && value !== "")) return value;
    this.refuse(name, "a text");
    return undefined;
  }

  /** A text, or a list of texts. */
  texts(name: string): readonly string[] | undefined {
    const value = this.raw(name);
    const texts = value === undefined ? undefined : textsOf(value);
    if (value !== undefined && texts === undefined) this.refuse(name, "a text or a list of texts");
    return texts;
  }

  number(name: string, minimum: number, maximum: number): number | undefined {
    const value = this.raw(name);
    if (value === undefined) return undefined;
    if (typeof value === "number" && Number.isInteger(value) && value >= minimum && value <= maximum)
      return value;
    this.refuse(name, `a whole number from ${minimum} to ${maximum}`);
    return undefined;
  }

  /** Texts by name, as in claims and headers. */
  textsByName(name: string): ReadonlyMap<string, readonly string[]> | undefined {
    const value = this.raw(name);
    if (value === undefined) return undefined;
    const group = groupOf(value);
    if (group === undefined || group.size === 0) {
      this.refuse(name, "texts by name");
      return undefined;
    }
    const result = new Map<string, readonly string[]>();
    for (const [key, item] of group) {
      const texts = textsOf(item);
      if (texts === undefined)
        this.#find([name, key], `seen ${seen(item)}, expected a text or a list of texts`);
      else result.set(key, texts);
    }
    return result;
  }

  /** Notes that an option is not what was expected. */
  refuse(name: string, expected: string): void {
    this.#find([name], `seen ${seen(this.raw(name))}, expected ${expected}`);
  }

  /** Notes what is wrong with the option `name`, or with the whole group. */
  fault(message: string, ...name: (string | number)[]): void {
    this.#find(name, message);
  }

  #find(name: readonly (string | number)[], message: string): void {
    this.findings.push({ path: [...this.path, ...name], message });
  }
}

/** A map of a file or an object of a program, as a map by name. */
export function groupOf(value: unknown): ReadonlyMap<string, unknown> | undefined {
  if (value instanceof Map)
    return new Map([...value].map(([key, item]): [string, unknown] => [String(key), item]));
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  return new Map(Object.entries(value));
}

function textsOf(value: unknown): readonly string[] | undefined {
  if (typeof value === "string" && value !== "") return [value];
  if (!Array.isArray(value) || value.length === 0) return undefined;
  const texts = value.filter((item): item is string => typeof item === "string" && item !== "");
  return texts.length === value.length ? texts : undefined;
}
