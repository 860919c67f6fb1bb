// The graph of imports that the layers are checked with.

import assert from "node:assert/strict";
import { it } from "node:test";
import type { SourceFile } from "./src/files.ts";
import { importsOf, knots, reachable } from "./src/import-graph.ts";

const FILES: readonly SourceFile[] = [
  { path: "a/entry.ts", text: 'export { one } from "./one.ts";\nexport const two = "./dead.ts";' },
  { path: "a/one.ts", text: 'import type { Two } from "../b/two.ts";\nimport "node:fs";' },
  { path: "b/two.ts", text: 'const one = await import("../a/one.ts");' },
  { path: "a/dead.ts", text: 'import { one } from "./one.ts";' },
];

it("sees imports of types, exports from elsewhere and imports at run time, and no other text", () => {
  assert.deepEqual(
    FILES.map((file) => importsOf(file).map(({ path, specifier }) => path ?? specifier)),
    [["a/one.ts"], ["b/two.ts", "node:fs"], ["a/one.ts"], ["a/one.ts"]],
  );
});

it("finds files that import each other", () => {
  assert.deepEqual(knots(FILES), [["a/one.ts", "b/two.ts"]]);
});

it("finds what an entry needs", () => {
  assert.deepEqual([...reachable(FILES, ["a/entry.ts"])].sort(), ["a/entry.ts", "a/one.ts", "b/two.ts"]);
});
