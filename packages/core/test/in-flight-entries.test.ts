// Messages that were in flight are read again for whoever is connected, and for nobody else.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Block, type Cursor, InFlightEntries } from "@heirloom/core/internal";

/** A session that has index 3 of a log in flight, and the reads that it asks for. */
function make(): {
  entries: InFlightEntries;
  place: Parameters<InFlightEntries["at"]>[0];
  reads: ((page: Block[]) => void)[];
  pumped: () => number;
} {
  const reads: ((page: Block[]) => void)[] = [];
  let pumped = 0;
  const context = {
    logs: { readBlocks: () => new Promise<Block[]>((resolve) => reads.push(resolve)) },
    pumps: { add: () => pumped++ },
  };
  const session = { pump: () => undefined };
  const cursor = { log: { logId: 7, recent: () => undefined } } as unknown as Cursor;
  return {
    entries: new InFlightEntries(context as never, session as never),
    place: { stretchId: 1, cursor, index: 3, group: undefined },
    reads,
    pumped: () => pumped,
  };
}

test("a page is asked for once it is needed, and the session goes on when it is there", async () => {
  const { entries, place, reads, pumped } = make();
  assert.equal(entries.at(place), "reading");
  reads[0]?.([]);
  await Promise.resolve();
  assert.equal(pumped(), 1);
  assert.equal(entries.at(place), undefined, "nothing stands there any more");
});

test("a page that arrives when the connection is gone is not kept", async () => {
  const { entries, place, reads, pumped } = make();
  assert.equal(entries.at(place), "reading");
  entries.drop();
  reads[0]?.([Block.begin(7, 0, 0)]);
  await Promise.resolve();
  assert.equal(pumped(), 0);
  assert.equal(entries.at(place), "reading", "it is read anew for the next connection");
  assert.equal(reads.length, 2);
});
