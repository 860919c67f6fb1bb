// Reading files anew: all or nothing, one after the other.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Reloader } from "../dist/reload.js";

describe("Reloader", () => {
  it("changes everything when all are prepared - attack CFG-01", async () => {
    const reloader = new Reloader();
    const steps: string[] = [];
    for (const name of ["a", "b"]) {
      reloader.add({
        prepare: () => {
          steps.push(`prepare ${name}`);
          return Promise.resolve(() => steps.push(`change ${name}`));
        },
      });
    }
    await reloader.reload();
    assert.deepEqual(steps, ["prepare a", "prepare b", "change a", "change b"]);
  });

  it("changes nothing when one of them cannot be prepared, and can be called again - attack CFG-01", async () => {
    const reloader = new Reloader();
    let changes = 0;
    let isBroken = true;
    reloader.add({ prepare: () => Promise.resolve(() => changes++) });
    reloader.add({
      prepare: () => (isBroken ? Promise.reject(new Error("broken")) : Promise.resolve(() => changes++)),
    });
    await assert.rejects(reloader.reload(), /broken/);
    assert.equal(changes, 0);
    isBroken = false;
    await reloader.reload();
    assert.equal(changes, 2);
  });

  it("does one reload after the other", async () => {
    const reloader = new Reloader();
    let underWay = 0;
    let most = 0;
    reloader.add({
      prepare: async () => {
        most = Math.max(most, ++underWay);
        await Promise.resolve();
        return () => underWay--;
      },
    });
    await Promise.all([reloader.reload(), reloader.reload(), reloader.reload()]);
    assert.equal(most, 1);
  });
});
