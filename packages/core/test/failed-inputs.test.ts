// A fault of the decoder's own ends one connection, and what it failed on is kept.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createPublish, encodePacket, type Packet, PacketType, type ProtocolVersion } from "@heirloom/codec";
import { MemoryBroker, utf8 } from "@heirloom/core/testing";
import { clean } from "./support.ts";

/** Bytes of which the one at `index` cannot be read at first: whatever the decoder does there fails in the middle. */
function failingAt(bytes: Uint8Array, index: number): Uint8Array {
  let hasFailed = false;
  return new Proxy(bytes, {
    get(target, key): unknown {
      if (!hasFailed && key === String(index)) {
        hasFailed = true;
        throw new RangeError("a fault of ours");
      }
      return Reflect.get(target, key, target);
    },
  });
}

/** One packet of each type that a client sends behind CONNECT, with all that it may have. */
function packetsOf(version: ProtocolVersion): Uint8Array[] {
  const userProperties = [["name", "value"]] as const;
  const properties = version === 5 ? { userProperties } : {};
  const common = { packetId: 7, properties };
  const acks = [PacketType.PUBACK, PacketType.PUBREC, PacketType.PUBREL, PacketType.PUBCOMP];
  const options = { qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const;
  const packets: Packet[] = [
    createPublish({ topicName: "a/\u00e4", qos: 2, packetId: 7, payload: utf8("x") }),
    ...acks.map((type) => ({ type, packetId: 7, reasonCode: version === 5 ? 0x80 : 0 })),
    { type: PacketType.SUBSCRIBE, subscriptions: [{ topicFilter: "a/+", ...options }], ...common },
    { type: PacketType.UNSUBSCRIBE, topicFilters: ["a/b"], ...common },
    { type: PacketType.PINGREQ },
    { type: PacketType.DISCONNECT, reasonCode: version === 5 ? 4 : 0, properties },
  ];
  if (version === 5) {
    const authenticationMethod = "m";
    packets.push({ type: PacketType.AUTH, reasonCode: 0x18, properties: { authenticationMethod } });
  }
  // PUBREL knows no 0x80.
  return packets.map((packet) =>
    encodePacket(
      packet.type === PacketType.PUBREL || packet.type === PacketType.PUBCOMP
        ? { ...packet, reasonCode: 0 }
        : packet,
      version,
    ),
  );
}

for (const version of [3, 4, 5] as const) {
  test(`a fault of the decoder at any byte of any packet of version ${version} ends its connection only - attack PARSE-21`, async () => {
    const broker = await MemoryBroker.start();
    const other = await clean(broker, "other");
    let failures = 0;
    for (const packet of packetsOf(version)) {
      for (let index = 0; index < packet.length; index++) {
        const client = await clean(broker, "c", {}, version);
        client.sendBytes(failingAt(packet, index));
        await broker.settle();
        const hasFailed = broker.counters.decoderFailures > failures;
        failures = broker.counters.decoderFailures;
        // Each packet is read up to its payload; what only a handler reads is no matter of the decoder.
        if (index < 4) assert.ok(hasFailed, `byte ${index} of ${Buffer.from(packet).toString("hex")}`);
        if (hasFailed) {
          assert.deepEqual(client.words(), version === 5 ? ["DISCONNECT 0x80"] : []);
          assert.ok(client.isClosed);
        }
        await client.drop();
      }
    }
    assert.equal(broker.counters.parseErrors, failures);
    assert.equal(broker.eventsOf("decoderFailed").length, failures);
    assert.deepEqual(await other.ping(), ["PINGRESP"]);
    assert.equal(broker.failure, undefined);
  });
}

test("a fault at any byte of CONNECT ends its connection only, and the last inputs are kept - attack PARSE-21", async () => {
  const broker = await MemoryBroker.start();
  const connect = encodePacket(
    {
      ...{ type: PacketType.CONNECT, protocolVersion: 5, clientId: "c", cleanStart: true, keepAlive: 0 },
      ...{ username: "u", password: utf8("p"), properties: { receiveMaximum: 7 } },
    },
    5,
  );
  for (let index = 0; index < 20; index++) {
    const client = broker.client("c");
    client.sendBytes(failingAt(connect, index));
    await broker.settle();
    assert.deepEqual([client.words(), client.isClosed], [[], true], `byte ${index}`);
  }
  const kept = broker.broker.failedInputs;
  assert.deepEqual([broker.counters.decoderFailures, kept.length], [20, 16]);
  assert.deepEqual([...(kept.at(-1)?.bytes ?? [])], [...connect]);
  assert.equal(kept[0]?.error.message, "a fault of ours");
  assert.equal(kept.at(-1)?.remoteAddress, "memory:c");
});
