// Random Topic Names and Filters from few levels, so that they match often, and a reference matcher that shares
// nothing with the package: it splits and compares lists.

import fc from "fast-check";

const level = fc.constantFrom("", "a", "b", "$a", "é", "a long level of its own", "__proto__", "constructor");

export const topicName: fc.Arbitrary<string> = fc
  .array(level, { minLength: 1, maxLength: 5 })
  .map((levels) => levels.join("/"))
  .filter((name) => name !== "");

export const topicFilter: fc.Arbitrary<string> = fc
  .tuple(
    fc.array(fc.oneof({ arbitrary: level, weight: 2 }, fc.constant("+")), { maxLength: 4 }),
    fc.option(fc.constant("#"), { nil: undefined }),
  )
  .map(([levels, hash]) => (hash === undefined ? levels : [...levels, hash]).join("/"))
  .filter((filter) => filter !== "");

/** Section 4.7 in lists: slow, recursive and plain. */
export function referenceMatches(name: string, filter: string): boolean {
  if (name.startsWith("$") && /^[+#]/.test(filter)) return false;
  return levelsMatch(name.split("/"), filter.split("/"));
}

function levelsMatch(names: string[], filters: string[]): boolean {
  const [filter, ...filtersLeft] = filters;
  if (filter === undefined) return names.length === 0;
  if (filter === "#") return true;
  const [name, ...namesLeft] = names;
  if (name === undefined) return false;
  return (filter === "+" || filter === name) && levelsMatch(namesLeft, filtersLeft);
}
