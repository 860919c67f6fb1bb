// How much memory a process may have.

import assert from "node:assert/strict";
import { totalmem } from "node:os";
import { describe, it } from "node:test";
import { availableBytes, defaultMemoryBytes } from "../dist/memory.js";

describe("the ceiling of memory", () => {
  it("is three quarters of what a container allows, otherwise of the machine - attack MEM-02", () => {
    assert.equal(availableBytes(500, 1_000), 500);
    assert.equal(availableBytes(undefined, 1_000), 1_000);
    assert.equal(availableBytes(0, 1_000), 1_000);
    // What Linux says where nothing is set.
    assert.equal(availableBytes(2 ** 63, 1_000), 1_000);
    const ceiling = defaultMemoryBytes();
    assert.ok(Number.isInteger(ceiling) && ceiling > 0 && ceiling <= 0.75 * totalmem());
  });
});
