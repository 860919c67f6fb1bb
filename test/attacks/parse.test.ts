// Malformed packets against a whole broker: the connection that sends them ends with the right word, nothing is delivered,
// and the others go on.

import assert from "node:assert/strict";
import { test } from "node:test";
import { encodePacket, PacketType, writeForwardedProperties } from "@heirloom/codec";
import { MemoryBroker } from "@heirloom/core/testing";
import { answerTo, connected, ended, field, noProperties, packet, VERSIONS } from "./src/raw.ts";

/** By version, the first bytes that a client may send behind CONNECT. DUP on PUBREL and the like is let pass in 3.1. */
const LEGAL_FIRST_BYTES = new Map<number, ReadonlySet<number>>([
  [3, new Set([...publishBytes(true), 0x40, 0x50, 0x62, 0x6a, 0x70, 0x82, 0x8a, 0xa2, 0xaa, 0xc0, 0xe0])],
  [4, new Set([...publishBytes(false), 0x40, 0x50, 0x62, 0x70, 0x82, 0xa2, 0xc0, 0xe0])],
  [5, new Set([...publishBytes(false), 0x40, 0x50, 0x62, 0x70, 0x82, 0xa2, 0xc0, 0xe0, 0xf0])],
]);

function publishBytes(withDupAtQoS0: boolean): number[] {
  return [0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13]
    .filter((flags) => withDupAtQoS0 || (flags & 0x0e) !== 0x08)
    .map((flags) => 0x30 | flags);
}

for (const version of VERSIONS) {
  test(`of all 256 first bytes those that version ${version} does not know end the connection at once - attack PARSE-08, attack PARSE-09, attack STATE-03`, async () => {
    const broker = await MemoryBroker.start();
    const legal = LEGAL_FIRST_BYTES.get(version);
    for (let first = 0; first < 256; first++) {
      const client = await connected(broker, "c", version);
      const { isClosed, words } = await answerTo(broker, client, Uint8Array.of(first));
      const name = `0x${first.toString(16)}`;
      if (legal?.has(first) === true || first >> 4 === 1) {
        // Of CONNECT it is known only at its end whether it is one; its flags are judged like those of others.
        const isLegal = legal?.has(first) === true || first === 0x10;
        assert.equal(isClosed, !isLegal, name);
      } else {
        // 0x82 for what only a server sends, 0x81 for the rest.
        const isOfServer = [0x20, 0x90, 0xb0, 0xd0].includes(first);
        assert.deepEqual({ words, isClosed }, ended(version, isOfServer ? 0x82 : 0x81), name);
      }
      await client.drop();
    }
  });
}

for (const version of VERSIONS) {
  test(`five bytes of length end a connection of version ${version} at the fourth - attack PARSE-01`, async () => {
    const broker = await MemoryBroker.start();
    for (const first of [0x30, 0x32, 0x40, 0x82, 0xa2, 0xc0, 0xe0]) {
      for (const low of [0x80, 0x81, 0xff]) {
        const client = await connected(broker, "c", version);
        const three = Uint8Array.of(first, low, low, low);
        assert.deepEqual(await answerTo(broker, client, three), { words: [], isClosed: false });
        assert.ok(broker.counters.inputBytes < 2_048, `${broker.counters.inputBytes} bytes for four`);
        assert.deepEqual(await answerTo(broker, client, Uint8Array.of(low)), ended(version, 0x81));
        assert.equal(broker.counters.inputBytes, 0);
      }
    }
    const early = broker.client("early", version);
    early.sendBytes(Uint8Array.of(0x10, 0xff, 0xff, 0xff, 0xff));
    await broker.settle();
    assert.deepEqual([early.words(), early.isClosed], [[], true]);
  });
}

test("a packet that stops in the middle is waited for until the Keep Alive is over, and nothing of it is done - attack PARSE-02", async () => {
  for (const version of VERSIONS) {
    const broker = await MemoryBroker.start();
    const watcher = await connected(broker, "watcher");
    await watcher.subscribe("#");
    watcher.take();
    const none = noProperties(version);
    const packets = [
      packet(0x31, [...field("t"), ...none, 0x78]),
      packet(0x33, [...field("t"), 0, 1, ...none, 0x78]),
      packet(0x82, [0, 1, ...none, ...field("good"), 0]),
      packet(0xa2, [0, 1, ...none, ...field("good")]),
      packet(0x40, [0, 1]),
    ];
    for (const bytes of packets) {
      for (let length = 1; length < bytes.length; length++) {
        for (const isCut of [false, true]) {
          const client = broker.client("c", version);
          await client.connect({ keepAlive: 10 });
          client.take();
          const cut = bytes.subarray(0, length);
          assert.deepEqual(await answerTo(broker, client, cut), { words: [], isClosed: false });
          if (isCut) {
            await client.drop();
            continue;
          }
          await broker.advance(14.9);
          assert.equal(client.isClosed, false);
          await broker.advance(0.2);
          assert.deepEqual({ words: client.words(), isClosed: client.isClosed }, ended(version, 0x8d));
        }
      }
    }
    const { inputBytes, retained, sessions, subscriptions } = broker.counters;
    assert.deepEqual(
      { inputBytes, retained, sessions, subscriptions },
      {
        ...{ inputBytes: 0, retained: 0, sessions: 1, subscriptions: 1 },
      },
    );
    assert.deepEqual([watcher.take(), await watcher.ping()], [[], ["PINGRESP"]]);
  }
});

test("a topic or a filter of no characters ends the connection - attack PARSE-10", async () => {
  const broker = await MemoryBroker.start();
  for (const version of VERSIONS) {
    const none = noProperties(version);
    const publish = packet(0x30, [...field(""), ...none, 0x78]);
    const subscribe = packet(0x82, [0, 1, ...none, ...field(""), 0]);
    const unsubscribe = packet(0xa2, [0, 1, ...none, ...field("")]);
    for (const bytes of [publish, subscribe, unsubscribe]) {
      const client = await connected(broker, "c", version);
      const { words, isClosed } = await answerTo(broker, client, bytes);
      assert.ok(isClosed);
      if (version === 5) assert.match(words.join(), /^DISCONNECT 0x8[12]$/);
      else assert.deepEqual(words, []);
    }
  }
  assert.deepEqual([broker.counters.subscriptions, broker.counters.publishReceived], [0, 0]);
});

test("a wildcard anywhere in a topic name ends the connection, by alias and will too - attack PARSE-11", async () => {
  const broker = await MemoryBroker.start();
  const watcher = await connected(broker, "watcher");
  await watcher.subscribe(["#", "+", "a/#", "+/#"]);
  const names = ["#", "+", "a+", "+a", "a/+/b", "a/#", "#/a", "a#b", "/+", "$SYS/+", "\u{1f600}/#"];
  for (const topicName of names) {
    for (const version of VERSIONS) {
      for (const qos of [0, 1, 2] as const) {
        const client = await connected(broker, "c", version);
        client.sendPublish({ topicName, qos, retain: true, payload: "x" });
        await broker.settle();
        assert.deepEqual({ words: client.words(), isClosed: client.isClosed }, ended(version, 0x90));
      }
      const bearer = broker.client("bearer", version);
      const refused = version === 5 ? "0x90" : "0x05";
      assert.deepEqual(await bearer.connect({ will: { topicName } }), [`CONNACK ${refused} present=0`]);
      assert.ok(bearer.isClosed);
    }
    const aliased = await connected(broker, "c");
    aliased.sendPublish({ topicName, topicAlias: 1, payload: "x" });
    aliased.sendPublish({ topicName: "", topicAlias: 1, payload: "y" });
    await broker.settle();
    assert.deepEqual(aliased.words(), ["DISCONNECT 0x90"]);
  }
  assert.deepEqual([watcher.take(), broker.counters.retained], [[], 0]);
});

test("malformed filters are refused one by one in 5.0, and end connections of 3.x; none is kept - attack PARSE-12", async () => {
  const filters = ["a#", "a/#/b", "+a", "a+/b", "##", "a/+#", "#/", "a/++/b"];
  const shared = [
    "$share//x",
    "$share/g",
    "$share/g/",
    "$share/g+/x",
    "$share/g#/x",
    "$share/",
    "$share/g/a#",
  ];
  const broker = await MemoryBroker.start();
  const client = await connected(broker, "c");
  const codes = [...filters, ...shared].map(() => "0x8F").join(" ");
  assert.deepEqual(await client.subscribe([...filters, ...shared, "good/#"]), [`SUBACK 1 ${codes} 0x02`]);
  assert.equal(broker.counters.subscriptions, 1);
  for (const filter of [...filters, ...shared]) {
    for (const version of [3, 4] as const) {
      const old = await connected(broker, "old", version);
      assert.deepEqual([await old.subscribe(["good", filter]), old.isClosed], [[], true], filter);
    }
  }
  assert.equal(broker.counters.subscriptions, 1);
  assert.deepEqual([[...broker.broker.sharedGroups()], await client.ping()], [[], ["PINGRESP"]]);
});

test("connect flags that may not be are told to 5.0 only, and leave nothing - attack PARSE-09", async () => {
  const broker = await MemoryBroker.start();
  // Reserved; Will QoS 3; Will QoS or Will Retain without a will.
  for (const flags of [0x03, 0x1e, 0x0a, 0x12, 0x22]) {
    for (const version of VERSIONS) {
      const client = broker.client("c", version);
      const name = version === 3 ? "MQIsdp" : "MQTT";
      const none = noProperties(version);
      const will = (flags & 0x04) === 0 ? [] : [...none, ...field("will"), ...field("gone")];
      const body = [...field(name), version, flags, 0, 0, ...none, ...field("c"), ...will];
      const answer = await answerTo(broker, client, packet(0x10, body));
      const words = version === 5 ? ["CONNACK 0x81 present=0"] : [];
      assert.deepEqual(answer, { words, isClosed: true }, `flags ${flags} of ${version}`);
    }
  }
  const { sessions, willBytes, willsPublished } = broker.counters;
  assert.deepEqual([sessions, willBytes, willsPublished], [0, 0, 0]);
});

test("packet identifier 0 ends the connection in each packet that has one - attack PARSE-16", async () => {
  const broker = await MemoryBroker.start();
  for (const version of VERSIONS) {
    const none = noProperties(version);
    const packets = [
      packet(0x32, [...field("a"), 0, 0, ...none]),
      packet(0x34, [...field("a"), 0, 0, ...none]),
      packet(0x40, [0, 0]),
      packet(0x50, [0, 0]),
      packet(0x62, [0, 0]),
      packet(0x70, [0, 0]),
      packet(0x82, [0, 0, ...none, ...field("a"), 0]),
      packet(0xa2, [0, 0, ...none, ...field("a")]),
    ];
    for (const bytes of packets) {
      const client = await connected(broker, "c", version);
      assert.deepEqual(await answerTo(broker, client, bytes), ended(version, 0x81));
    }
  }
});

test("SUBSCRIBE and UNSUBSCRIBE without a filter end the connection - attack PARSE-17", async () => {
  const broker = await MemoryBroker.start();
  for (const version of VERSIONS) {
    for (const first of [0x82, 0xa2]) {
      const client = await connected(broker, "c", version);
      const bytes = packet(first, [0, 1, ...noProperties(version)]);
      assert.deepEqual(await answerTo(broker, client, bytes), ended(version, 0x82));
    }
  }
});

test("a Response Topic with wildcards, or of no characters, reaches nobody, from PUBLISH or will - attack PARSE-18", async () => {
  const broker = await MemoryBroker.start();
  const watcher = await connected(broker, "watcher");
  await watcher.subscribe("#");
  for (const responseTopic of ["a/+", "#", "+", ""]) {
    const properties = [0x08, ...field(responseTopic)];
    const client = await connected(broker, "c");
    const publish = packet(0x30, [...field("t"), properties.length, ...properties]);
    assert.deepEqual(await answerTo(broker, client, publish), ended(5, 0x82));
    const bearer = broker.client("bearer");
    const body = [...field("MQTT"), 5, 0x06, 0, 0, 0, ...field("b"), properties.length, ...properties];
    bearer.sendBytes(packet(0x10, [...body, ...field("t"), ...field("")]));
    await broker.settle();
    assert.deepEqual([bearer.words(), bearer.isClosed], [["CONNACK 0x82 present=0"], true]);
  }
  const good = await connected(broker, "good");
  await good.publish({ topicName: "t", forwarded: writeForwardedProperties({ responseTopic: "a/b" }) });
  assert.equal(watcher.take().length, 1);
});

test("any segmentation of a conversation gives the same answers - attack PARSE-20", async () => {
  const conversation = Buffer.concat([
    encodePacket(
      {
        ...{ type: PacketType.CONNECT, protocolVersion: 5, clientId: "c", cleanStart: true, keepAlive: 0 },
        properties: { userProperties: [["k", "v"]] },
      },
      5,
    ),
    packet(0x82, [0, 1, 0, ...field("t/#"), 2]),
    packet(0x32, [...field("t/1"), 0, 2, 0, ...Buffer.from("one")]),
    packet(0x34, [...field("t/2"), 0, 3, 0, ...Buffer.from("two")]),
    packet(0x62, [0, 3]),
    packet(0x30, [...field("t/3"), 0, ...Buffer.alloc(300, "x")]),
    packet(0xa2, [0, 4, 0, ...field("t/#")]),
    packet(0xc0, []),
    packet(0x00, []),
  ]);
  const answersTo = async (chunks: readonly Uint8Array[]): Promise<string[]> => {
    const broker = await MemoryBroker.start();
    const client = broker.client("c");
    for (const chunk of chunks) {
      client.sendBytes(chunk);
      await broker.settle();
    }
    assert.ok(client.isClosed);
    return client.words();
  };
  const cut = (size: number): Buffer[] =>
    Array.from({ length: Math.ceil(conversation.length / size) }, (_, index) =>
      conversation.subarray(index * size, (index + 1) * size),
    );
  const whole = (await answersTo([conversation])).toSorted();
  assert.equal(whole.length, 11);
  for (let size = 1; size < 40; size++) {
    assert.deepEqual((await answersTo(cut(size))).toSorted(), whole, `${size} bytes at a time`);
  }
  for (let at = 1; at < conversation.length; at += 7) {
    const two = [conversation.subarray(0, at), conversation.subarray(at)];
    assert.deepEqual((await answersTo(two)).toSorted(), whole, `cut at ${at}`);
  }
});

test("a packet in pieces of one byte is copied in proportion to its size, not to its square - attack PARSE-20", async () => {
  const copiedFor = async (size: number): Promise<number> => {
    const broker = await MemoryBroker.start();
    const client = await connected(broker, "c");
    const bytes = packet(0x30, [...field("t"), 0, ...Buffer.alloc(size)]);
    let copied = 0;
    const { set } = Uint8Array.prototype;
    Uint8Array.prototype.set = function (source, offset): void {
      copied += source.length;
      set.call(this, source, offset);
    };
    try {
      for (const byte of bytes) client.sendBytes(Uint8Array.of(byte));
    } finally {
      Uint8Array.prototype.set = set;
    }
    await broker.settle();
    assert.equal(broker.counters.publishReceived, 1);
    return copied;
  };
  for (const size of [1_000, 4_000, 16_000, 64_000]) {
    const copied = await copiedFor(size);
    assert.ok(copied >= size && copied <= 3 * size, `${copied} bytes copied for ${size}`);
  }
});

test("ten thousand packets in one chunk are one turn and one write - attack PARSE-20", async () => {
  const broker = await MemoryBroker.start();
  const client = await connected(broker, "c");
  const { turns, writes } = broker.counters;
  const pings = new Uint8Array(20_000);
  for (let index = 0; index < pings.length; index += 2) pings[index] = 0xc0;
  client.sendBytes(pings);
  await broker.settle();
  assert.equal(client.take().length, 10_000);
  assert.ok(broker.counters.writes - writes <= 2, `${broker.counters.writes - writes} writes`);
  assert.ok(broker.counters.turns - turns <= 2, `${broker.counters.turns - turns} turns`);
});
