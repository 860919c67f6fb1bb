// The page that compares brokers: nothing that failed is left out, nothing is explained that did not fail.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Explanation, type Result, resultsPage, unexplained } from "@heirloom/conformance";

const failed: Result = {
  id: ["5.0 [MQTT-3.1.0-2]"],
  title: "a second CONNECT closes",
  version: "5.0",
  contract: false,
  status: "fail",
  reason: "it stayed open",
  ms: 1,
};
const runs = [
  { broker: "mosquitto", results: [failed, { ...failed, version: "3.1.1", id: ["3.1.1 [MQTT-3.1.0-2]"] }] },
  { broker: "aedes", results: [{ ...failed, status: "pass" }] },
  {
    broker: "heirloom",
    results: [{ ...failed, contract: true, title: "beyond the standard: it is polite" }],
  },
] as const;
const known: readonly Explanation[] = [
  { broker: "mosquitto", title: "a second CONNECT closes", seen: "the connection stays open" },
];

test("a failure without an explanation and an explanation without a failure are noticed", () => {
  assert.deepEqual(unexplained(runs, known), []);
  assert.deepEqual(unexplained(runs, []), ["not explained: mosquitto: a second CONNECT closes"]);
  assert.deepEqual(unexplained([], known), ["did not fail: mosquitto: a second CONNECT closes"]);
});

test("a failure has its statements of each version and what was seen, in one line", () => {
  const lines = resultsPage(runs, known).split("\n");
  assert.ok(lines.includes("- **3.1.1 [MQTT-3.1.0-2], 5.0 [MQTT-3.1.0-2]**: the connection stays open"));
});

test("what goes beyond the standard counts in no sum", () => {
  const page = resultsPage(runs, known);
  assert.match(page, /\| heirloom \| 0 \/ 0 \/ 0 \| 0 \/ 0 \/ 0 \| 0 \/ 0 \/ 0 \|/);
  assert.match(page, /\| it is polite \| no \| skipped \| skipped \|/);
});
