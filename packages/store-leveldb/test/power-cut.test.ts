// Whatever a power cut leaves of the last write, every commit that was resolved is there, and no more than the one under way.

import { describe, it } from "node:test";

import { PowerCutRun } from "./power-cut-run.ts";

describe("LevelStore and power cuts", () => {
  for (const seed of [1, 2]) {
    it(`has what was resolved after cuts at any write, sector by sector, seed ${seed}`, async () => {
      await new PowerCutRun(seed, 8).run(3);
    });
  }

  it("has it also when everything is rewritten again and again meanwhile", async () => {
    await new PowerCutRun(3, 8, 1).run(3);
  });
});
