// What mutations keep: the largest length, the seed's order, and, most of the time, packets that end where they say.

import assert from "node:assert/strict";
import { test } from "node:test";
import { PacketReader } from "@heirloom/codec";
import { PACKETS } from "#fuzz/dictionary";
import { framesOf, propertiesAt } from "#fuzz/frames";
import { Mutator } from "#fuzz/mutator";
import { Random } from "#fuzz/random";

const INPUT = Uint8Array.from([9, 8, ...PACKETS.slice(0, 30).flatMap((packet) => [...packet])]);

function mutations(count: number, maximumLength: number): Uint8Array[] {
  const mutator = new Mutator(new Random(5), { headerBytes: 2, maximumLength });
  return Array.from({ length: count }, () => mutator.mutate(INPUT, INPUT));
}

test("every packet of the dictionary is one that a client may send", () => {
  for (const packet of PACKETS) {
    const isRead = ([3, 4, 5] as const).some((version) => {
      const reader = new PacketReader({ side: "server", version });
      reader.push(packet);
      try {
        return reader.next() !== undefined && reader.bufferedBytes === 0;
      } catch {
        return false;
      }
    });
    assert.ok(isRead, Buffer.from(packet).toString("hex"));
  }
});

test("keeps to the largest length and makes the same for the same seed", () => {
  const first = mutations(2_000, 100);
  assert.ok(first.every(({ length }) => length <= 100));
  assert.deepEqual(mutations(2_000, 100), first);
});

test("leaves most packets whole: their lengths are right", () => {
  const inputs = mutations(2_000, 4_096);
  const whole = inputs.filter((input) => framesOf(input, 2, input.length).length >= 25);
  assert.ok(whole.length > inputs.length / 2, `${whole.length} of ${inputs.length}`);
});

test("finds the packets of a stream and where their properties are", () => {
  const stream = Buffer.from("c000320e0003612f6200010502000000017882090001000003612f6202", "hex");
  const frames = framesOf(stream, 0, stream.length);
  assert.deepEqual(
    frames.map(({ start, body, end }) => [start, body, end]),
    [
      [0, 2, 2],
      [2, 4, 18],
      [18, 20, 29],
    ],
  );
  assert.deepEqual(
    frames.slice(1).map((frame) => propertiesAt(stream, frame)),
    [11, 22],
  );
});
