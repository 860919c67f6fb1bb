// What one listener may be told to do otherwise than the others, on real sockets: each option holds there, and only there.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { createPublish, PacketType, type Packet, type ProtocolVersion } from "@heirloom/codec";
import { createBroker, type Broker, type BrokerOptions, type ListenerOptions } from "heirloom";
import { connectTcp, readAll } from "./support.ts";
import { connectPacket, WireClient, type ConnectInit } from "./wire-client.ts";

interface Started {
  readonly broker: Broker;
  /** A client that has sent CONNECT, and the answer; `index` of the listener. */
  readonly connect: (
    index: number,
    init?: ConnectInit,
    version?: ProtocolVersion,
  ) => Promise<{ client: WireClient; answer: Packet | "closed" }>;
}

/** Two listeners: one with `options`, and one without any. */
async function started(
  context: TestContext,
  options: ListenerOptions,
  more: BrokerOptions = {},
): Promise<Started> {
  const host = "127.0.0.1";
  const listeners = [
    { name: "special", host, port: 0, ...options },
    { name: "plain", host, port: 0 },
  ];
  const broker = await createBroker({ store: "memory", listeners, ...more });
  context.after(() => broker.stop());
  let number = 0;
  const connect: Started["connect"] = async (index, init = {}, version = 5) => {
    const client = new WireClient(await connectTcp(context, broker.listeners[index]?.port ?? 0), version);
    client.send(connectPacket(version, { clientId: `c${number++}`, ...init }));
    return { client, answer: await client.next() };
  };
  return { broker, connect };
}

function connackOf(answer: Packet | "closed"): Extract<Packet, { type: typeof PacketType.CONNACK }> {
  assert.ok(answer !== "closed" && answer.type === PacketType.CONNACK);
  return answer;
}

describe("a listener of several", () => {
  it("lets in anonymous clients where that was said of it, and only there - attack AUTHN-08", async (context) => {
    const { connect } = await started(
      context,
      { allowAnonymous: true },
      { authentication: [({ username }) => (username === "alice" ? { account: "alice" } : "unknown")] },
    );
    const codes = async (init: ConnectInit): Promise<number[]> =>
      Promise.all([0, 1].map(async (index) => connackOf((await connect(index, init)).answer).reasonCode));
    assert.deepEqual(await codes({}), [0, 0x87]);
    assert.deepEqual(await codes({ username: "alice" }), [0, 0]);
    // Who says a name is not anonymous.
    assert.deepEqual(await codes({ username: "bob" }), [0x86, 0x86]);
  });

  it("keeps anonymous clients out where that was said of it", async (context) => {
    const { connect } = await started(
      context,
      { allowAnonymous: false },
      { allowAnonymous: true, authentication: [() => "unknown"] },
    );
    assert.equal(connackOf((await connect(0)).answer).reasonCode, 0x87);
    assert.equal(connackOf((await connect(1)).answer).reasonCode, 0);
  });

  for (const [accepted, versions] of [
    [[5], [5]],
    [
      [3, 4],
      [3, 4],
    ],
  ] as const) {
    it(`takes the versions of MQTT that are its own: ${versions.join(", ")}`, async (context) => {
      const { connect } = await started(context, { protocolVersions: accepted });
      for (const version of [3, 4, 5] as const) {
        const isAccepted = accepted.some((one) => one === version);
        const refused = version === 5 ? 0x84 : 1;
        const { reasonCode } = connackOf((await connect(0, {}, version)).answer);
        assert.equal(reasonCode, isAccepted ? 0 : refused, `version ${version}`);
        assert.equal(connackOf((await connect(1, {}, version)).answer).reasonCode, 0);
      }
    });
  }

  it("announces limits of its own, and holds clients to them", async (context) => {
    const own = { maximumPacketSize: 100, receiveMaximum: 2, topicAliasMaximum: 1, keepAliveMaximum: 7 };
    const { connect } = await started(context, own);
    const special = await connect(0, { keepAlive: 60 });
    const plain = await connect(1, { keepAlive: 60 });
    const { maximumPacketSize, receiveMaximum, topicAliasMaximum, serverKeepAlive } = connackOf(
      special.answer,
    ).properties;
    assert.deepEqual(
      { maximumPacketSize, receiveMaximum, topicAliasMaximum, keepAliveMaximum: serverKeepAlive },
      own,
    );
    const others = connackOf(plain.answer).properties;
    assert.equal(others.maximumPacketSize, 16 * 1_048_576);
    assert.deepEqual(
      [others.receiveMaximum, others.topicAliasMaximum, others.serverKeepAlive],
      [undefined, 64, undefined],
    );
    const large = createPublish({ topicName: "t", payload: Buffer.alloc(200), qos: 1, packetId: 1 });
    for (const { client } of [special, plain]) client.send(large);
    assert.equal(await special.client.disconnected(), 0x95);
    const answer = await plain.client.next();
    assert.ok(answer !== "closed" && answer.type === PacketType.PUBACK);
  });

  it("has so many connections of its own at the same time; more are closed at once, and told", async (context) => {
    const { broker, connect } = await started(context, { connections: 1 });
    const reasons: string[] = [];
    broker.on("refused", ({ reason }) => void reasons.push(reason));
    const first = await connect(0);
    assert.equal(connackOf(first.answer).reasonCode, 0);
    const second = await connectTcp(context, broker.listeners[0]?.port ?? 0);
    assert.equal((await readAll(second).catch(() => Buffer.alloc(0))).length, 0);
    assert.deepEqual(reasons, ["1 connections are open"]);
    assert.equal(broker.counters.connectionsRefused, 1);
    assert.equal(connackOf((await connect(1)).answer).reasonCode, 0);
  });
});
