// What a packet announces costs nothing: memory grows as its bytes arrive. Counted in the instrumented codec.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Coverage } from "#fuzz/coverage";
import { varint } from "#fuzz/frames";

const LARGEST = 268_435_455;
/** Small packets get a first buffer of this size. */
const FIRST_BYTES = 2_048;

const coverage = new Coverage();
// Behind the hooks, so that it is the instrumented one.
const { PacketReader } = await import("@heirloom/codec");

test("a reader asks for no more than four times the bytes that came, whatever the packet announces", () => {
  assert.ok(coverage.counterCount > 500);
  const firstByte = fc.constantFrom(0x10, 0x30, 0x32, 0x82, 0xa2);
  const chunks = fc.array(fc.uint8Array({ minLength: 1, maxLength: 3_000 }), { maxLength: 12 });
  fc.assert(
    fc.property(
      firstByte,
      fc.integer({ min: 50_000, max: LARGEST }),
      chunks,
      (first, announced, arriving) => {
        coverage.clear();
        const reader = new PacketReader({ side: "server", version: 5 });
        const header = Uint8Array.from([first, ...varint(announced)]);
        let arrivedBytes = 0;
        for (const chunk of [header, ...arriving]) {
          reader.push(chunk);
          arrivedBytes += chunk.length;
          assert.equal(reader.next(), undefined);
          assert.equal(reader.bufferedBytes, arrivedBytes);
        }
        assert.ok(
          coverage.allocatedBytes <= FIRST_BYTES + 4 * arrivedBytes,
          `${coverage.allocatedBytes} bytes for ${arrivedBytes}`,
        );
      },
    ),
    { numRuns: 500 },
  );
});
