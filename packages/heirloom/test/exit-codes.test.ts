// Which error ends the process with which code.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { StoreError } from "@heirloom/core";
import { ConfigError, ListenError } from "heirloom";
import { exitCodeOf } from "../dist/cli/exit-codes.js";

describe("exitCodeOf", () => {
  const codes: readonly (readonly [error: unknown, code: number | undefined])[] = [
    [new ConfigError([{ option: "", message: "wrong" }]), 78],
    [new ListenError("taken"), 69],
    [new StoreError("STORE_LOCKED", "locked"), 69],
    [new StoreError("STORE_FORMAT", "of another version"), 65],
    [new StoreError("STORE_FULL", "full"), 74],
    [new StoreError("STORE_FAILED", "broken"), 74],
    [new TypeError("a fault of ours"), undefined],
    ["thrown text", undefined],
  ];
  for (const [error, code] of codes) {
    it(`gives ${code} for ${String(error)}`, () => assert.equal(exitCodeOf(error), code));
  }
});
