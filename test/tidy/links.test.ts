// Links between the pages lead somewhere.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { posix } from "node:path";
import { it } from "node:test";
import { filesLike, ROOT } from "./src/files.ts";

it("has no link to a file that is not there", () => {
  const broken = filesLike(/\.md$/).flatMap(({ path, text }) =>
    [...text.matchAll(/\]\((?!https?:|mailto:|#)([^)#\s]+)/g)]
      .map(([, target = ""]) => posix.join(posix.dirname(path), target))
      .filter((target) => !existsSync(ROOT + target))
      .map((target) => `${path}: ${target}`),
  );
  assert.deepEqual(broken, []);
});
