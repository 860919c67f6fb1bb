// Mount points: nobody sees or reaches anything outside of its own, on whatever path.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type Packet, PacketType, readForwardedProperties, writeForwardedProperties } from "@heirloom/codec";
import type { Listener } from "@heirloom/core";
import { MemoryBroker, TestClient } from "@heirloom/core/testing";

/** Clients of one broker on listeners with different mount points. */
class Mounted {
  readonly broker: MemoryBroker;
  readonly #listeners = new Map<string, Listener>();

  constructor(broker: MemoryBroker) {
    this.broker = broker;
  }

  static async start(): Promise<Mounted> {
    return new Mounted(await MemoryBroker.start());
  }

  client(mountPoint: string, name: string, version: 3 | 4 | 5 = 5): TestClient {
    const listener = this.#listeners.get(mountPoint) ?? {
      name: mountPoint,
      allowAnonymous: true,
      mountPoint,
    };
    this.#listeners.set(mountPoint, listener);
    const accept = (transport: TestClient["transport"]): ReturnType<MemoryBroker["broker"]["accept"]> =>
      this.broker.broker.accept(transport, listener);
    return new TestClient(
      name,
      version,
      accept,
      () => this.broker.settle(),
      () => {},
    );
  }
}

/** What a client got, as topics with their payloads; a topic alias that stands for a name is resolved. */
function received(client: TestClient): { topicName: string; payload: string; responseTopic?: string }[] {
  const aliases = new Map<number, string>();
  return client.take().flatMap((packet: Packet) => {
    if (packet.type !== PacketType.PUBLISH) return [];
    if (packet.topicAlias !== 0 && packet.topicName !== "") aliases.set(packet.topicAlias, packet.topicName);
    const topicName = packet.topicName === "" ? (aliases.get(packet.topicAlias) ?? "") : packet.topicName;
    const payload = Buffer.from(packet.source.subarray(packet.payloadStart, packet.payloadEnd)).toString();
    const { responseTopic } = packet.forwarded.length === 0 ? {} : readForwardedProperties(packet.forwarded);
    return [{ topicName, payload, ...(responseTopic === undefined ? {} : { responseTopic }) }];
  });
}

const respondTo = (responseTopic: string): Uint8Array => writeForwardedProperties({ responseTopic });

describe("a mount point", () => {
  it("is put before topics that come in and taken from those that go out - attack AUTHZ-16", async () => {
    const mounted = await Mounted.start();
    const outside = mounted.client("", "outside");
    const [one, other] = [mounted.client("a/", "one"), mounted.client("a/", "other")];
    for (const client of [outside, one, other]) await client.connect();
    await outside.subscribe("#");
    await one.subscribe("x/+");
    await other.publish({ topicName: "x/y", payload: "qos 0" });
    await other.publish({ topicName: "x/y", payload: "qos 1", qos: 1, packetId: 1 });
    assert.deepEqual(received(outside), [
      { topicName: "a/x/y", payload: "qos 0" },
      { topicName: "a/x/y", payload: "qos 1" },
    ]);
    assert.deepEqual(received(one), [
      { topicName: "x/y", payload: "qos 0" },
      { topicName: "x/y", payload: "qos 1" },
    ]);
    await outside.publish({ topicName: "a/x/z", payload: "from outside" });
    assert.deepEqual(received(one), [{ topicName: "x/z", payload: "from outside" }]);
    await one.unsubscribe("x/+");
    await outside.publish({ topicName: "a/x/z", payload: "later" });
    assert.deepEqual(received(one), []);
  });

  it("holds for retained messages, wills, aliases and what is sent again - attack AUTHZ-16", async () => {
    const mounted = await Mounted.start();
    const outside = mounted.client("", "outside");
    await outside.connect();
    await outside.subscribe("#");
    const one = mounted.client("a/", "one");
    await one.connect({ will: { topicName: "will", payload: "gone", retain: true } });
    await one.publish({ topicName: "t", topicAlias: 1, payload: "1", retain: true });
    await one.publish({ topicName: "", topicAlias: 1, payload: "2", retain: true });
    one.cut();
    await mounted.broker.settle();
    assert.deepEqual(
      received(outside).map(({ topicName, payload }) => `${topicName} ${payload}`),
      ["a/t 1", "a/t 2", "a/will gone"],
    );
    const lasting = { cleanStart: false, properties: { sessionExpiryInterval: 1_000 } };
    const two = mounted.client("a/", "two");
    await two.connect(lasting);
    two.sendSubscribe(["#"]);
    await mounted.broker.settle();
    const first = received(two).map(({ topicName, payload }) => `${topicName} ${payload}`);
    assert.deepEqual(first.sort(), ["t 2", "will gone"]);
    await outside.publish({ topicName: "a/q", payload: "queued", qos: 1, packetId: 9 });
    await two.drop();
    await mounted.broker.restart();
    const again = mounted.client("a/", "two");
    again.sendConnect(lasting);
    await mounted.broker.settle();
    const resent = received(again).map(({ topicName }) => topicName);
    assert.deepEqual(resent, ["q"]);
  });

  it("holds for response topics, and hides those outside - attack AUTHZ-16", async () => {
    const mounted = await Mounted.start();
    const outside = mounted.client("", "outside");
    const [one, other] = [mounted.client("a/", "one"), mounted.client("a/", "other")];
    for (const client of [outside, one, other]) await client.connect();
    await outside.subscribe("#");
    await other.subscribe("#");
    await one.publish({ topicName: "ask", forwarded: respondTo("answer") });
    assert.equal(received(outside)[0]?.responseTopic, "a/answer");
    assert.equal(received(other)[0]?.responseTopic, "answer");
    await outside.publish({ topicName: "a/ask", forwarded: respondTo("secret/answer") });
    assert.deepEqual(received(other), [{ topicName: "ask", payload: "" }]);
    await one.publish({ topicName: "ask", forwarded: respondTo("x".repeat(65_535)) });
    assert.ok(one.isClosed);
  });

  it("does not give the topic of its own name, which its # matches - attack AUTHZ-16", async () => {
    const mounted = await Mounted.start();
    const [outside, one] = [mounted.client("", "outside"), mounted.client("a/", "one")];
    for (const client of [outside, one]) await client.connect();
    await outside.publish({ topicName: "a", payload: "retained", retain: true });
    await outside.publish({ topicName: "a/", payload: "retained", retain: true });
    one.sendSubscribe(["#"]);
    await outside.publish({ topicName: "a", payload: "live", qos: 1, packetId: 1 });
    await outside.publish({ topicName: "a/", payload: "live" });
    assert.deepEqual(received(one), []);
  });

  it("does not share groups with others - attack AUTHZ-16", async () => {
    const mounted = await Mounted.start();
    const outside = mounted.client("", "outside");
    const [one, other] = [mounted.client("a/", "one"), mounted.client("b/", "other")];
    for (const client of [outside, one, other]) await client.connect();
    await outside.subscribe("$share/g/x");
    await one.subscribe("$share/g/x");
    await other.subscribe("$share/g/x");
    const publisher = mounted.client("a/", "publisher");
    await publisher.connect();
    for (let index = 0; index < 6; index++)
      await publisher.publish({ topicName: "x", payload: String(index) });
    assert.equal(received(one).length, 6);
    assert.deepEqual(received(other), []);
    assert.deepEqual(received(outside), []);
  });

  it("does not make a topic or filter of what is none - attack AUTHZ-16", async () => {
    const mounted = await Mounted.start();
    const one = mounted.client("a/", "one");
    await one.connect();
    assert.deepEqual(await one.subscribe(["$share/g/", "$share//x", "a/#/b"]), ["SUBACK 1 0x8F 0x8F 0x8F"]);
    await one.publish({ topicName: "x/+" });
    assert.ok(one.isClosed);
  });

  const level = fc.constantFrom("", "a", "ab", "b", "..", ".", "$share", "$SYS", "g", "x");
  const topic = fc.array(level, { minLength: 1, maxLength: 4 }).map((levels) => levels.join("/"));
  const filter = fc
    .tuple(
      fc.constantFrom("", "", "$share/g/"),
      fc.array(fc.oneof(level, fc.constant("+")), { maxLength: 3 }),
      fc.boolean(),
    )
    .map(
      ([share, levels, all]) =>
        share + [...levels, ...(all || levels.length === 0 ? ["#"] : [])].join("/") || "/",
    );

  it("lets nobody see or reach anything outside, whatever the topics - attack AUTHZ-16", async () => {
    const publish = fc.record({ topicName: topic, qos: fc.constantFrom(0, 1, 2), retain: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(
        fc.array(filter, { minLength: 1, maxLength: 4 }),
        fc.array(publish, { maxLength: 8 }),
        fc.array(publish, { maxLength: 8 }),
        topic,
        async (filters, outer, inner, willTopic) => {
          const mounted = await Mounted.start();
          const [watcher, others] = [mounted.client("", "watcher"), mounted.client("ab/", "others")];
          const tenant = mounted.client("a/", "tenant");
          watcher.sendConnect();
          others.sendConnect();
          watcher.sendSubscribe(["#"]);
          tenant.sendConnect({ will: { topicName: willTopic || "w", payload: "inside" } });
          tenant.sendSubscribe(filters);
          await mounted.broker.settle();
          for (const [index, { topicName, qos, retain }] of outer.entries()) {
            const id = qos === 0 ? {} : { packetId: index + 1 };
            others.sendPublish({ topicName: topicName || "x", qos, retain, payload: "outside", ...id });
          }
          await mounted.broker.settle();
          for (const [index, { topicName, qos, retain }] of inner.entries()) {
            const id = qos === 0 ? {} : { packetId: index + 1 };
            tenant.sendPublish({ topicName: topicName || "x", qos, retain, payload: "inside", ...id });
          }
          await mounted.broker.settle();
          for (const { payload } of received(tenant)) assert.equal(payload, "inside");
          tenant.cut();
          await mounted.broker.settle();
          const seen = received(watcher);
          assert.ok(
            seen.some(({ payload }) => payload === "inside"),
            "its will",
          );
          for (const { topicName, payload } of seen) {
            assert.ok(topicName.startsWith(payload === "inside" ? "a/" : "ab/"), `${payload} ${topicName}`);
          }
        },
      ),
      { numRuns: 150 },
    );
  });
});

it("a shared filter that is too long to be kept with its mount point is refused", async () => {
  const broker = await MemoryBroker.start({ listener: { mountPoint: "tenant/" } });
  const client = broker.client("client");
  await client.connect({ properties: { sessionExpiryInterval: 3600 } });
  const longest = `$share/g/${"\u00e9".repeat(32_763)}`;
  assert.deepEqual(await client.subscribe(longest), ["SUBACK 1 0x97"]);
  assert.deepEqual(await client.subscribe(longest.slice(0, -4)), ["SUBACK 2 0x02"]);
});
