// The reference page says what the program does.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { serverLimits } from "../dist/config/server-limits.js";
import { parseConfig } from "../dist/config/file.js";
import { LISTENER_OPTIONS } from "../dist/config/listener-options.js";
import { GENERAL_OPTIONS, LIMIT_OPTIONS } from "../dist/config/options.js";
import { configurationPage } from "../dist/config/page.js";

describe("docs/reference/configuration.md", () => {
  it("is what the options say; otherwise run packages/heirloom/dist/config/write-page.js", async () => {
    const page = await readFile(new URL("../../../docs/reference/configuration.md", import.meta.url), "utf8");
    assert.equal(page, configurationPage());
  });

  it("has every option once", () => {
    const page = configurationPage();
    for (const table of [GENERAL_OPTIONS, LISTENER_OPTIONS, LIMIT_OPTIONS]) {
      for (const { name } of Object.values(table)) assert.ok(page.includes(`### ${name}\n`), name);
    }
  });

  it("has an example that can be used", () => {
    const example = /```yaml\n(.*?)```/s.exec(configurationPage())?.[1];
    assert.ok(example !== undefined);
    assert.equal(parseConfig(example, "example").options.listeners?.length, 2);
  });

  it("shows defaults that mean the default when they are written into a file", () => {
    for (const [field, value] of Object.entries(serverLimits())) {
      // That of memory depends on the machine.
      if (value === undefined || field === "memoryBytes") continue;
      const option = Object.entries(LIMIT_OPTIONS).find(([name]) => name === field)?.[1];
      assert.ok(option !== undefined, field);
      const { options } = parseConfig(`${option.name}: ${option.default}`, "example");
      assert.deepEqual(Object.entries(options.limits ?? {}), [[field, value]]);
    }
  });
});
