// docs/reference/conformance.md says which case shows which statement.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { markdown, readSpec } from "@heirloom/conformance";

const page = new URL("../../../docs/reference/conformance.md", import.meta.url);

test("the page is what dist/trace.js makes; otherwise run `node test/conformance/dist/trace.js docs/reference/conformance.md`", async () => {
  assert.equal(await readFile(page, "utf8"), markdown(await readSpec()));
});
