// Bytes leave a connection in the order in which they were written, none before the batch that they wait for.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Output } from "@heirloom/core/internal";
import { MemoryTransport } from "@heirloom/core/testing";
import fc from "fast-check";

function make(): { output: Output; transport: MemoryTransport; arrived: number[] } {
  const arrived: number[] = [];
  return {
    output: new Output(),
    transport: new MemoryTransport("x", (bytes) => arrived.push(...bytes)),
    arrived,
  };
}

test("sends at once what waits for nothing, and the rest batch by batch", () => {
  const { output, transport, arrived } = make();
  output.writer.u8(1);
  output.waitFor(7, 5);
  output.writer.u8(2);
  output.waitFor(8, 5);
  output.writer.u8(3);
  assert.equal(output.sendTo(transport, 6), 1);
  assert.deepEqual([arrived, output.isWaiting, output.length], [[1], true, 2]);
  assert.equal(output.sendTo(transport, 6), 0);
  output.sendTo(transport, 7);
  assert.deepEqual(arrived, [1, 2]);
  output.sendTo(transport, 8);
  assert.deepEqual([arrived, output.isWaiting], [[1, 2, 3], false]);
});

test("a batch that is on disk already, or that is waited for anyway, makes nothing wait longer", () => {
  const { output, transport, arrived } = make();
  output.waitFor(5, 5);
  output.writer.u8(1);
  output.waitFor(9, 5);
  output.waitFor(8, 5);
  output.writer.u8(2);
  output.sendTo(transport, 8);
  assert.deepEqual(arrived, [1]);
  output.sendTo(transport, 9);
  assert.deepEqual(arrived, [1, 2]);
});

test("packets that go on as they came keep their place among those that were written", () => {
  const { output, transport, arrived } = make();
  const chunk = Uint8Array.of(10, 11, 12, 13, 14, 15);
  output.forward(chunk, 0, 2);
  output.forward(chunk, 2, 3);
  output.writer.u8(1);
  output.forward(chunk, 4, 5);
  output.waitFor(3, 0);
  output.forward(chunk, 5, 6);
  assert.equal(output.length, 6);
  output.sendTo(transport, 0);
  chunk.fill(0);
  output.sendTo(transport, 3);
  assert.deepEqual(arrived, [10, 11, 12, 1, 14, 15]);
});

test("hands on a chunk that is forwarded whole itself, a large part of one as a view, a small part as a copy", () => {
  const { output, transport } = make();
  const given: Uint8Array[] = [];
  transport.write = (bytes) => {
    given.push(bytes);
    return true;
  };
  const chunk = Uint8Array.from({ length: 8 }, (_, index) => index);
  for (const end of [8, 2, 1]) {
    output.forward(chunk, 0, end);
    output.sendTo(transport, 0);
  }
  const [whole, large, small] = given;
  assert.equal(whole, chunk);
  assert.deepEqual([large?.length, large?.buffer], [2, chunk.buffer]);
  assert.deepEqual([small?.length, small?.buffer.byteLength], [1, 1]);
  // Other bytes beside it, that would stay in memory with it.
  const part = chunk.subarray(3, 4);
  output.forward(part, 0, 1);
  output.sendTo(transport, 0);
  assert.notEqual(given[3]?.buffer, chunk.buffer);
});

test("large packets that stand in different chunks leave in writes of their own and are not copied", () => {
  const { output, transport } = make();
  const given: Uint8Array[] = [];
  transport.write = (bytes) => {
    given.push(bytes);
    return true;
  };
  const [first, second] = [1, 2].map((byte) => new Uint8Array(20_000).fill(byte)) as [Uint8Array, Uint8Array];
  output.writer.u8(9);
  output.forward(first, 0, first.length);
  output.forward(second, 0, second.length);
  output.writer.u8(8);
  assert.equal(output.length, 40_002);
  assert.equal(output.sendTo(transport, 0), 40_002);
  assert.deepEqual(
    given.map((bytes) => [bytes.length, bytes[0]]),
    [
      [1, 9],
      [20_000, 1],
      [20_000, 2],
      [1, 8],
    ],
  );
  assert.deepEqual([given[1]?.buffer, given[2]?.buffer], [first.buffer, second.buffer]);
  output.forward(first, 0, first.length);
  output.forward(second, 0, second.length);
  output.clear();
  assert.deepEqual([output.length, output.sendTo(transport, 0)], [0, 0]);
});

test("a large packet behind something that waits for a batch waits too", () => {
  const { output, transport, arrived } = make();
  const large = new Uint8Array(20_000).fill(3);
  output.forward(large, 0, large.length);
  output.waitFor(7, 5);
  output.forward(large, 0, large.length);
  output.writer.u8(4);
  assert.equal(output.sendTo(transport, 6), 20_000);
  assert.deepEqual([arrived.length, output.length, output.isWaiting], [20_000, 20_001, true]);
  assert.equal(output.sendTo(transport, 7), 20_001);
  assert.deepEqual([arrived.length, arrived.at(-1)], [40_001, 4]);
});

test("forgets everything when it is cleared", () => {
  const { output, transport, arrived } = make();
  output.writer.u8(1);
  output.waitFor(3, 0);
  output.forward(Uint8Array.of(2), 0, 1);
  output.clear();
  assert.deepEqual([output.length, output.isWaiting], [0, false]);
  output.sendTo(transport, 9);
  assert.deepEqual(arrived, []);
});

test("agrees with a queue of single bytes under any mix of writing, waiting, forwarding and sending", () => {
  const large = { kind: "forward", count: 20_000 } as const;
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant("write" as const), count: fc.nat(80) }) },
    {
      weight: 4,
      arbitrary: fc.record({ kind: fc.constant("forward" as const), count: fc.integer({ min: 1, max: 50 }) }),
    },
    { weight: 1, arbitrary: fc.constant(large) },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant("wait" as const), count: fc.nat(3) }) },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant("send" as const), count: fc.nat(2) }) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const { output, transport, arrived } = make();
      const model: { byte: number; batch: number }[] = [];
      const sent: number[] = [];
      let byte = 0;
      let durable = 0;
      let waitsFor = 0;
      for (const { kind, count } of steps) {
        if (kind === "wait") {
          output.waitFor(durable + count, durable);
          waitsFor = Math.max(waitsFor, durable + count);
        } else if (kind === "send") {
          durable += count;
          output.sendTo(transport, durable);
          while (model[0] !== undefined && model[0].batch <= durable) sent.push(model.shift()?.byte ?? -1);
          assert.ok(
            Buffer.from(arrived).equals(Buffer.from(sent)),
            `${arrived.length} bytes, ${sent.length} expected`,
          );
          assert.equal(output.length, model.length);
        } else {
          const bytes = Uint8Array.from({ length: count }, () => byte++ & 0xff);
          for (const value of bytes) model.push({ byte: value, batch: waitsFor });
          if (kind === "forward") output.forward(bytes, 0, count);
          else for (const value of bytes) output.writer.u8(value);
        }
      }
    }),
  );
});
