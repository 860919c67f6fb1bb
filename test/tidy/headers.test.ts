// Every file says its role first.

import assert from "node:assert/strict";
import { it } from "node:test";
import { filesLike } from "./src/files.ts";

it("opens each source file with a comment that says its role", () => {
  const silent = filesLike(/^(packages|test|scripts|sim|fuzz|bench|examples)\/.*\.(ts|mjs)$/)
    .filter(({ text }) => !/^(#!.*\n)?\/\/ ?\S/.test(text))
    .map(({ path }) => path);
  assert.deepEqual(silent, []);
});
