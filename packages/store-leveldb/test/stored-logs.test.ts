// Only what is in the database is deleted from it.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { StoredLogs } from "../dist/stored-logs.js";
import { block } from "./support.ts";

describe("StoredLogs", () => {
  it("gives the part of a trim that is in the database, once", () => {
    const logs = new StoredLogs();
    logs.found([{ logId: 1, firstIndex: 10, lastBlock: block(1, 20, 29) }]);
    assert.equal(logs.trim(2, 100), undefined);
    assert.equal(logs.trim(1, 10), undefined);
    assert.deepEqual(logs.trim(1, 15), { firstIndex: 10, endIndex: 15 });
    assert.equal(logs.trim(1, 15), undefined);
    logs.added(1, 30, 39);
    assert.deepEqual(logs.trim(1, 1000), { firstIndex: 15, endIndex: 40 });
    assert.equal(logs.has(1), false);
    logs.added(1, 1000, 1009);
    assert.equal(logs.has(1), true);
    assert.deepEqual(logs.trim(1, 1005), { firstIndex: 1000, endIndex: 1005 });
  });
});
