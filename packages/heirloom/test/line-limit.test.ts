// The log under a flood: few lines, and the count of those that were left out.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LineLimit } from "../dist/cli/line-limit.js";

class Log {
  readonly lines: string[] = [];
  nowMs = 0;
  readonly limit: LineLimit = new LineLimit(
    (line) => this.lines.push(line),
    () => this.nowMs,
  );
}

describe("LineLimit", () => {
  it("prints a line a minute of one kind and source - attack LOG-02", () => {
    const log = new Log();
    for (let count = 0; count < 10_000; count++) log.limit.line("refused", "192.0.2.1", "one");
    log.limit.line("refused", "192.0.2.2", "two");
    log.limit.line("disconnected", "192.0.2.1", "three");
    assert.deepEqual(log.lines, ["one", "two", "three"]);
    log.nowMs = 60_000;
    log.limit.line("refused", "192.0.2.1", "four");
    assert.equal(log.lines.at(-1), "four");
    log.limit.flush();
    assert.equal(log.lines.at(-1), "suppressed: 9999 more lines about refused and disconnected clients");
    log.limit.flush();
    assert.equal(log.lines.length, 5);
  });

  it("prints a hundred lines a minute of all sources together - attack LOG-02", () => {
    const log = new Log();
    for (let count = 0; count < 10_000; count++) log.limit.line("refused", `source ${count}`, "x");
    assert.equal(log.lines.length, 100);
    log.limit.flush();
    assert.equal(log.lines.at(-1), "suppressed: 9900 more lines about refused and disconnected clients");
    log.nowMs = 60_000;
    log.limit.line("refused", "source 0", "y");
    assert.equal(log.lines.at(-1), "y");
  });
});
