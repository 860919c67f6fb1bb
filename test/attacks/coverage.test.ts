// The attacks that tests name exist, each attack has a test or a reason, and docs/security-coverage.md says so.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { it } from "node:test";
import { IS_STRICT, missing, page, problems, readCoverage, summary } from "./src/coverage.ts";
import { ROOT } from "./src/rows.ts";
import { idsIn, titlesOf } from "./src/titles.ts";

const coverage = readCoverage();
const RELAXED = IS_STRICT ? false : "parts of the server are still being written";

it("names attacks that are in the table, and gives reasons only where there is no test", () => {
  assert.deepEqual(problems(coverage), []);
});

it("has read the table and the tests", () => {
  assert.equal(new Set(coverage.attacks.map(({ id }) => id)).size, 182);
  assert.ok(coverage.titles.size > 50, `${coverage.titles.size} attacks have tests`);
});

it("has a test or a reason for each attack", { skip: RELAXED }, () => {
  assert.deepEqual(missing(coverage), []);
});

it("is what the page says; otherwise run `npm run attacks`", { skip: RELAXED }, () => {
  assert.equal(readFileSync(`${ROOT}docs/security-coverage.md`, "utf8"), page(coverage));
});

it("finds ids in titles: one, several, in templates, and nowhere else", () => {
  const source = `
    // attack PARSE-01 in a comment
    test("one - attack PARSE-02", () => { assert.ok(true, "attack PARSE-03"); });
    t.test(\`\${name} of two - attacks PARSE-04, PARSE-05 and PARSE-06\`, { skip: false }, () => {});
    const flood = { title: "each - 5.0 [MQTT-3.1.0-1] - attack MEM-01 - attack MEM-02" };
  `;
  assert.deepEqual(
    titlesOf("a.test.ts", source).map(({ title, ids }) => [title, ids]),
    [
      ["one - attack PARSE-02", ["PARSE-02"]],
      ["... of two - attacks PARSE-04, PARSE-05 and PARSE-06", ["PARSE-04", "PARSE-05", "PARSE-06"]],
      ["each - 5.0 [MQTT-3.1.0-1] - attack MEM-01 - attack MEM-02", ["MEM-01", "MEM-02"]],
    ],
  );
  assert.deepEqual(idsIn("under attack by PARSE-01"), []);
});

it("counts tests and reasons, and leaves open what comes later or is missing", () => {
  const attacks = ["PARSE-01", "PARSE-02", "PARSE-03", "ADMIN-01"].map((id) => ({
    id,
    attack: "a",
    required: "r",
  }));
  const titles = new Map([
    ["PARSE-01", [{ path: "a.test.ts", title: "one - attack PARSE-01", ids: ["PARSE-01"] }]],
    ["PARSE-99", [{ path: "a.test.ts", title: "none - attack PARSE-99", ids: ["PARSE-99"] }]],
  ]);
  const small = {
    attacks,
    titles,
    reasons: new Map([
      ["PARSE-02", "cannot be"],
      ["PARSE-01", "needless"],
    ]),
    differences: new Map([
      ["PARSE-01", "other"],
      ["PARSE-03", ""],
    ]),
  };
  assert.equal(summary(small), "attacks covered 2/4");
  assert.deepEqual(missing(small), ["PARSE-03"]);
  assert.deepEqual(problems(small), [
    "a.test.ts: no attack PARSE-99 in the table",
    "reasons.tsv: PARSE-01 has a test",
    "differences.tsv: no test of PARSE-03",
    "differences.tsv: PARSE-03 has no text",
  ]);
  assert.match(
    page(small),
    /\| PARSE-01 \| a \| r \| \[a\.test\.ts\]\(\.\.\/a\.test\.ts\): one<br>Difference: other \|\n/,
  );
  assert.match(
    page(small),
    /\| PARSE-03 \| a \| r \| missing \|\n\| ADMIN-01 \| a \| r \| open: the dashboard comes later \|/,
  );
});
