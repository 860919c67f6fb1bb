// What text from clients becomes before it reaches a terminal or a file.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { printable } from "../dist/cli/printable.js";

describe("printable", () => {
  it("leaves one line without control characters, whatever comes in - attack LOG-01, attack PARSE-14", () => {
    for (let code = 0; code <= 0xffff; code++) {
      const line = printable(`a${String.fromCharCode(code)}b`);
      assert.doesNotMatch(line, /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
      assert.ok(line.startsWith("a") && line.endsWith("b"));
    }
  });

  it("shows what was there - attack LOG-01", () => {
    assert.equal(
      printable("a\r\nheirloom: all is well\u001b[2J"),
      "a\\u{d}\\u{a}heirloom: all is well\\u{1b}[2J",
    );
    assert.equal(printable("admin\u202egnp.exe"), "admin\\u{202e}gnp.exe");
    assert.equal(printable("\u{e0041}\ud800"), "\\u{e0041}\\u{d800}");
    assert.equal(printable("%s %d %j ${x}"), "%s %d %j ${x}");
    assert.equal(printable("Größe 温度 🙂"), "Größe 温度 🙂");
  });

  it("cuts off what is too long before it looks at it - attack JS-04", () => {
    const line = printable("\u0000".repeat(2 ** 28));
    assert.ok(line.length < 20_000, String(line.length));
  });
});
