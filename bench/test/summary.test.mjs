// Medians, ratios and verdicts of the benchmark report.
import assert from "node:assert/strict";
import { test } from "node:test";
import { spread, summarize } from "../lib/summary.mjs";

const cpu = { name: "CPU", unit: "us", of: ([report]) => report.cpu };

/** Outcomes of one row: for each broker the CPU of its runs; undefined stands for a run that failed. */
function outcomes(cpuByBroker) {
  const run = (value) => ({
    reports: [{ cpu: value ?? 1 }],
    failure: value === undefined ? "lost 1" : undefined,
  });
  return new Map(Object.entries(cpuByBroker).map(([name, values]) => [name, values.map(run)]));
}

function summarizeOne(figure, cpuByBroker) {
  const row = { name: "row", what: "", loads: [], figures: [figure] };
  return summarize([row], new Map([["row", outcomes(cpuByBroker)]])).get("row")[0];
}

test("the median of an even number of runs lies between the two in the middle", () => {
  assert.deepEqual(spread([4, 1, 3, 2]), { median: 2.5, min: 1, max: 4, runs: 4 });
  assert.deepEqual(spread([9, 1, 2]), { median: 2, min: 1, max: 9, runs: 3 });
  assert.equal(spread([]), undefined);
});

test("a failed run adds nothing to the figures", () => {
  const { byBroker } = summarizeOne(cpu, { heirloom: [3, undefined, 5] });
  assert.deepEqual(byBroker.heirloom, { median: 4, min: 3, max: 5, runs: 2 });
});

test("a broker whose runs all failed has no figure and meets no target", () => {
  const result = summarizeOne({ ...cpu, ours: 10 }, { heirloom: [undefined] });
  assert.equal(result.byBroker.heirloom, undefined);
  assert.equal(result.ours, "unknown");
});

test("the two targets of a figure are judged apart", () => {
  const result = summarizeOne({ ...cpu, ours: 0.5, ratio: 0.2 }, { heirloom: [0.6], mosquitto: [4] });
  assert.equal(result.ratio, 0.15);
  assert.equal(result.ours, "missed");
  assert.equal(result.againstMosquitto, "met");
});

test("where higher is better a target is a lower bound", () => {
  const rate = { ...cpu, ratio: 1, higherIsBetter: true };
  assert.equal(summarizeOne(rate, { heirloom: [90], mosquitto: [100] }).againstMosquitto, "missed");
  assert.equal(summarizeOne(rate, { heirloom: [110], mosquitto: [100] }).againstMosquitto, "met");
});

test("a target can be a multiple of heirloom's own figure in another row", () => {
  const rows = [
    { name: "base", what: "", loads: [], figures: [cpu] },
    {
      name: "ws",
      what: "",
      loads: [],
      figures: [{ ...cpu, ownBase: { row: "base", figure: "CPU", times: 3 } }],
    },
  ];
  const measured = (base, ws) =>
    new Map([
      ["base", outcomes({ heirloom: [base] })],
      ["ws", outcomes({ heirloom: [ws] })],
    ]);
  assert.equal(summarize(rows, measured(1, 3)).get("ws")[0].ours, "met");
  assert.equal(summarize(rows, measured(1, 3.1)).get("ws")[0].ours, "missed");
  assert.equal(summarize(rows, measured(undefined, 3)).get("ws")[0].ours, "unknown");
});
