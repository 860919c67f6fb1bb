// Sizes and durations as people write them.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatDuration, formatSize, parseDuration, parseSize } from "../dist/config/units.js";

describe("parseSize", () => {
  const sizes: readonly (readonly [string, number | undefined])[] = [
    ["16MiB", 16 * 2 ** 20],
    ["16 mib", 16 * 2 ** 20],
    ["1.5KiB", 1_536],
    ["2kB", 2_000],
    ["3MB", 3e6],
    ["1GB", 1e9],
    ["1GiB", 2 ** 30],
    ["512B", 512],
    ["", undefined],
    ["16", undefined],
    ["MiB", undefined],
    ["-1MiB", undefined],
    ["1 MiB 2", undefined],
    ["1TiB", undefined],
    ["1e3B", undefined],
  ];
  for (const [text, bytes] of sizes) {
    it(`reads "${text}" as ${bytes}`, () => assert.equal(parseSize(text), bytes));
  }
});

describe("parseDuration", () => {
  const durations: readonly (readonly [string, number | undefined])[] = [
    ["250ms", 250],
    ["10s", 10_000],
    ["1.5s", 1_500],
    ["5m", 300_000],
    ["2h", 7_200_000],
    ["1h30m", 5_400_000],
    ["1h 30m", 5_400_000],
    ["7d", 604_800_000],
    ["2w", 1_209_600_000],
    ["", undefined],
    ["10", undefined],
    ["ms", undefined],
    ["-1s", undefined],
    ["1y", undefined],
    ["1h30", undefined],
    ["for ever", undefined],
  ];
  for (const [text, ms] of durations) {
    it(`reads "${text}" as ${ms}`, () => assert.equal(parseDuration(text), ms));
  }
});

describe("formatSize and formatDuration", () => {
  it("write what the parsers read", () => {
    for (const bytes of [1_024, 16 * 2 ** 20, 2 ** 30, 3 * 2 ** 30])
      assert.equal(parseSize(formatSize(bytes)), bytes);
    for (const ms of [1, 1_500, 10_000, 90_000, 86_400_000])
      assert.equal(parseDuration(formatDuration(ms)), ms);
  });

  it("leave bytes without a unit when none fits", () => assert.equal(formatSize(1_000_001), "1000001"));
});
