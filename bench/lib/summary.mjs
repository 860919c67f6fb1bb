// From the outcomes of runs to figures: medians, spreads, ratios and whether a target is met. No I/O.

/** @typedef {import("./rows.mjs").Figure} Figure */
/** @typedef {import("./rows.mjs").Row} Row */

/**
 * @typedef {object} RunOutcome one run of a row against one broker
 * @property {import("./rows.mjs").LoadReport[]} reports in the order of the row's loads
 * @property {string | undefined} failure
 *
 * @typedef {{median: number, min: number, max: number, runs: number}} Spread
 *
 * @typedef {"met" | "missed" | "unknown" | "none"} Verdict
 *
 * @typedef {object} FigureResult
 * @property {Figure} figure
 * @property {Record<string, Spread | undefined>} byBroker undefined where no run held its checks
 * @property {number | undefined} ratio heirloom's median over Mosquitto's
 * @property {Verdict} ours
 * @property {Verdict} againstMosquitto
 */

/**
 * @param {number[]} values
 * @returns {Spread | undefined} undefined when there are no values
 */
export function spread(values) {
  if (values.length === 0) return undefined;
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  return { median, min: sorted[0], max: sorted.at(-1), runs: sorted.length };
}

/**
 * The figures of all rows.
 *
 * @param {Row[]} rows
 * @param {Map<string, Map<string, RunOutcome[]>>} outcomes by row name, then by broker name
 * @returns {Map<string, FigureResult[]>} by row name
 */
export function summarize(rows, outcomes) {
  const results = new Map();
  for (const row of rows) {
    results.set(
      row.name,
      row.figures.map((figure) => summarizeFigure(figure, outcomes.get(row.name), results)),
    );
  }
  return new Map(rows.map((row) => [row.name, results.get(row.name)]));
}

/** The rows that a target refers to stand before it, so `earlier` has them. */
function summarizeFigure(figure, runsByBroker, earlier) {
  const byBroker = {};
  for (const [name, runs] of runsByBroker) {
    const good = runs.filter((run) => run.failure === undefined);
    byBroker[name] = spread(good.map((run) => figure.of(run.reports)).filter(Number.isFinite));
  }
  const own = byBroker.heirloom?.median;
  const peer = byBroker.mosquitto?.median;
  const ratio = own === undefined || !peer ? undefined : own / peer;
  return {
    figure,
    byBroker,
    ratio,
    ours: verdict(own, ownLimit(figure, earlier), figure.higherIsBetter),
    againstMosquitto: verdict(ratio, figure.ratio, figure.higherIsBetter),
  };
}

/**
 * What heirloom's figure may be.
 *
 * @returns {number | undefined | null} undefined: there is no such target; null: its base was not measured
 */
function ownLimit(figure, results) {
  if (figure.ownBase === undefined) return figure.ours;
  const { row, figure: name, times } = figure.ownBase;
  const base = results.get(row)?.find((result) => result.figure.name === name)?.byBroker.heirloom;
  return base === undefined ? null : base.median * times;
}

/** @returns {Verdict} */
function verdict(value, limit, higherIsBetter = false) {
  if (limit === undefined) return "none";
  if (value === undefined || limit === null) return "unknown";
  return (higherIsBetter ? value >= limit : value <= limit) ? "met" : "missed";
}
