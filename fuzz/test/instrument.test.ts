// The transform keeps what a module does, and counts each of its blocks.

import assert from "node:assert/strict";
import { test } from "node:test";
import { instrument } from "#fuzz/instrument";

const SOURCE = `
export class Sum { #total = 0; add(n) { if (n > 2) this.#total += n; else for (const x of [n]) this.#total -= x; return this; }
  get total() { return this.#total; } }
export const pick = (a, b) => a ? b || "none" : b ?? "nothing";
export function kind(n) { switch (n) { case 1: return "one"; default: { try { return n.kind; } catch { return "?"; } } } }
export function count(n) { let c = 0; while (n > 0) n--, c++; do c++; while (false); if (c) { if (n) c = -1; } else c = 7; return c; }
export const zeros = (n) => new Uint8Array(n).length;
export const shown = (list) => list.map((x) => ({ x })).filter(({ x }) => x && x > 1).length;
export const answers = () => [
  new Sum().add(5).add(1).total,
  pick(1, ""), pick(1, "b"), pick(0, null), pick(0, ""),
  kind(1), kind({ kind: "k" }), kind(undefined),
  count(0), count(3), zeros(9), shown([0, 1, 2]),
];
`;

/** What the module's functions give for some arguments. */
async function answers(code: string): Promise<unknown> {
  const url = `data:text/javascript;base64,${Buffer.from(code).toString("base64")}`;
  const module: { answers: () => unknown } = await import(url);
  return module.answers();
}

test("a module does the same when it is instrumented, and every counter is reached", async () => {
  const { code, count } = instrument(SOURCE, 3);
  const hits = new Uint16Array(64);
  let allocated = 0;
  globalThis.fuzzProbe = {
    hits,
    allocating: (size) => {
      if (typeof size === "number") allocated += size;
      return size;
    },
  };
  assert.deepEqual(await answers(code), await answers(SOURCE));
  assert.equal(allocated, 9);
  const reached = [...hits.keys()].filter((counter) => hits[counter] !== 0);
  // All but the two that this module never gets to: `c = -1` and `c = 7`.
  assert.deepEqual([reached.at(0), reached.length], [3, count - 2]);
});

test("keeps every line where it was", () => {
  const { code } = instrument(SOURCE, 0);
  assert.equal(code.split("\n").length, SOURCE.split("\n").length);
});
