// The limits that end a connection: each with the reason code that MQTT 5.0 names for it, and with a counter.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createPublish, PacketType, type Packet } from "@heirloom/codec";
import { createTestBroker, type TestBrokerOptions } from "heirloom/testing";
import { connectPacket, WireClient, type ConnectInit } from "./wire-client.ts";

interface Case {
  readonly limits: TestBrokerOptions["limits"];
  readonly init?: ConnectInit;
  /** What is sent behind CONNECT. */
  readonly packets?: readonly Packet[];
  readonly reasonCode: number;
}

const qos2 = (packetId: number): Packet => createPublish({ topicName: "t", qos: 2, packetId });
/** Properties as they stand on the wire: 0x26, a name and a value. */
const withProperties = (count: number): Packet =>
  createPublish({
    topicName: "t",
    forwarded: Uint8Array.from(Array.from({ length: count }, () => [0x26, 0, 1, 0x6b, 0, 1, 0x76]).flat()),
  });

const CASES: Readonly<Record<string, Case>> = {
  maximumPacketSize: {
    limits: { maximumPacketSize: 100 },
    packets: [createPublish({ topicName: "t", payload: Buffer.alloc(200) })],
    reasonCode: 0x95,
  },
  topicLength: {
    limits: { topicLength: 10 },
    packets: [createPublish({ topicName: "t".repeat(11) })],
    reasonCode: 0x90,
  },
  topicLevels: {
    limits: { topicLevels: 3 },
    packets: [createPublish({ topicName: "a/b/c/d" })],
    reasonCode: 0x90,
  },
  userProperties: { limits: { userProperties: 2 }, packets: [withProperties(3)], reasonCode: 0x97 },
  receiveMaximum: {
    limits: { receiveMaximum: 2 },
    packets: [1, 2, 3].map(qos2),
    reasonCode: 0x93,
  },
  topicAliasMaximum: {
    limits: { topicAliasMaximum: 2 },
    packets: [createPublish({ topicName: "t", topicAlias: 3 })],
    reasonCode: 0x94,
  },
  maximumQoS: { limits: { maximumQoS: 1 }, packets: [qos2(1)], reasonCode: 0x9b },
  retainAvailable: {
    limits: { retainAvailable: false },
    packets: [createPublish({ topicName: "t", retain: true, payload: Buffer.from("x") })],
    reasonCode: 0x9a,
  },
  publishRate: {
    limits: { publishRate: 1, ratePolicy: "disconnect" },
    packets: Array.from({ length: 5 }, () => createPublish({ topicName: "t" })),
    reasonCode: 0x96,
  },
  packetRate: {
    limits: { packetRate: 1, ratePolicy: "disconnect" },
    packets: Array.from({ length: 5 }, () => ({ type: PacketType.PINGREQ })),
    reasonCode: 0x96,
  },
  willBytes: {
    limits: { willBytes: 10 },
    init: {
      will: {
        ...{ topicName: "w", payload: Buffer.alloc(20), qos: 0, retain: false },
        ...{ willDelayInterval: 0, messageExpiryInterval: -1, forwarded: new Uint8Array() },
      },
    },
    reasonCode: 0x97,
  },
};

describe("a client beyond a limit", () => {
  for (const [name, { limits, init = {}, packets = [], reasonCode }] of Object.entries(CASES)) {
    it(`is told 0x${reasonCode.toString(16)}, which is counted: ${name}`, async (context) => {
      const broker = await createTestBroker(limits === undefined ? {} : { limits });
      context.after(() => broker.stop());
      const client = new WireClient(broker.connect());
      client.send(connectPacket(5, init));
      for (const packet of packets) client.send(packet);
      let told: number | undefined;
      for (let came = await client.next(); came !== "closed"; came = await client.next()) {
        if ("reasonCode" in came) told = came.reasonCode;
      }
      await broker.settle();
      assert.equal(told, reasonCode);
      assert.deepEqual([...broker.reasonCounts], [[reasonCode, 1]]);
      assert.equal(broker.counters.connectionsOpen, 0);
    });
  }

  for (const [limits, reasonCode] of [
    [{ connections: 1 }, 0x89],
    [{ sessions: 1 }, 0x97],
  ] as const) {
    it(`is told 0x${reasonCode.toString(16)}, which is counted: ${Object.keys(limits).join()}`, async (context) => {
      const broker = await createTestBroker({ limits });
      context.after(() => broker.stop());
      const first = new WireClient(broker.connect());
      assert.equal(await first.connect({ clientId: "first" }), 0);
      assert.equal(await new WireClient(broker.connect()).connect({ clientId: "second" }), reasonCode);
      await broker.settle();
      assert.deepEqual([...broker.reasonCounts], [[reasonCode, 1]]);
    });
  }

  it("is counted when its CONNECT is too large, of which not even the version is read: maximumConnectSize", async (context) => {
    const broker = await createTestBroker({ limits: { maximumConnectSize: 64 } });
    context.after(() => broker.stop());
    const client = new WireClient(broker.connect());
    assert.equal(await client.connect({ clientId: "c".repeat(100) }), "closed");
    await broker.settle();
    assert.deepEqual([...broker.reasonCounts], [[0x95, 1]]);
  });

  it("is counted when it says nothing in time: connectTimeout", async (context) => {
    const broker = await createTestBroker({ limits: { connectTimeoutMs: 1_000 } });
    context.after(() => broker.stop());
    broker.connect();
    await broker.advance("1s");
    assert.deepEqual([...broker.reasonCounts], [[0xa0, 1]]);
  });

  it("is counted when it is there no more: Keep Alive", async (context) => {
    const broker = await createTestBroker();
    context.after(() => broker.stop());
    assert.equal(await new WireClient(broker.connect()).connect({ keepAlive: 10 }), 0);
    await broker.advance("15s");
    assert.deepEqual([...broker.reasonCounts], [[0x8d, 1]]);
  });
});
