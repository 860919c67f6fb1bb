// docs/reference/command-line.md shows what `heirloom --help` prints.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { it } from "node:test";
import { read, ROOT } from "./src/files.ts";

it("documents the options of the command line", () => {
  const help = execFileSync(process.execPath, ["packages/heirloom/dist/cli/main.js", "--help"], {
    cwd: ROOT,
    encoding: "utf8",
  });
  const shown = /```text\n([^]*?)```/.exec(read("docs/reference/command-line.md"))?.[1];
  assert.equal(shown, help);
});
