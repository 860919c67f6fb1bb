// Sessions made, resumed, taken over and ended, and what becomes of their wills. All under virtual time.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ReasonCode } from "@heirloom/codec";
import { MemoryBroker } from "@heirloom/core/testing";
import { clean, lasting, publishAll, resume } from "./support.ts";

const WILL = { topicName: "will", payload: "gone" };

/** What a watcher of the will's topic has seen. */
async function watch(broker: MemoryBroker): Promise<() => number> {
  const watcher = await clean(broker, "watcher");
  await watcher.subscribe("will");
  watcher.take();
  let count = 0;
  return () => (count += watcher.words().length);
}

test("keeps a session for its Session Expiry Interval, counted from the end of the connection - 5.0 [MQTT-4.1.0-1]", async () => {
  const broker = await MemoryBroker.start();
  const client = await lasting(broker, "c", { properties: { sessionExpiryInterval: 2 } });
  await broker.advance(60);
  await client.drop();
  await broker.advance(1);
  const back = await resume(broker, "c", { properties: { sessionExpiryInterval: 2 } });
  assert.deepEqual(back.words, ["CONNACK 0x00 present=1"]);
  await back.client.drop();
  await broker.advance(2);
  assert.equal(broker.counters.sessions, 0);
  assert.deepEqual((await resume(broker, "c")).words, ["CONNACK 0x00 present=0"]);
});

test("an absent Session Expiry Interval ends the session with its connection - 5.0 [MQTT-3.1.2-23]", async () => {
  const broker = await MemoryBroker.start();
  const client = broker.client("c");
  await client.connect({ cleanStart: false });
  await client.drop();
  assert.equal(broker.counters.sessions, 0);
});

test("a will whose delay ended while the process was down is published, although its client is the first that comes back - 5.0 [MQTT-3.1.2-8]", async () => {
  const broker = await MemoryBroker.start();
  const watcher = await lasting(broker, "watcher");
  await watcher.subscribe("will");
  const will = { ...WILL, qos: 1, willDelayInterval: 5 } as const;
  const client = await lasting(broker, "c", { will });
  await client.drop();
  await broker.advance(1);
  await broker.restart(10);
  const { words } = await resume(broker, "c");
  assert.deepEqual(words, ["CONNACK 0x00 present=1"]);
  const { words: watched } = await resume(broker, "watcher");
  assert.match(watched.join(), /PUBLISH \d+ will/);
});

test("0xFFFFFFFF never expires - 5.0 [MQTT-3.1.2-23] - attack SESS-06", async () => {
  const broker = await MemoryBroker.start();
  const client = await lasting(broker, "c", { properties: { sessionExpiryInterval: 0xffff_ffff } });
  await client.drop();
  await broker.advance(3600 * 3);
  await broker.restart(3600 * 24 * 365 * 100);
  assert.deepEqual((await resume(broker, "c")).words, ["CONNACK 0x00 present=1"]);
});

test("a resuming CONNECT replaces the expiry, from lasting to none and back - 5.0 [MQTT-3.1.2-23]", async () => {
  const broker = await MemoryBroker.start();
  const first = await lasting(broker, "c");
  await first.subscribe("t");
  await first.drop();
  const second = broker.client("c");
  assert.deepEqual(await second.connect({ cleanStart: false }), ["CONNACK 0x00 present=1"]);
  await second.drop();
  assert.equal(broker.counters.sessions, 0);
  assert.deepEqual((await resume(broker, "c")).words, ["CONNACK 0x00 present=0"]);
  await broker.advance(2);
  assert.equal(broker.counters.logs, 0);
});

test("a session that is resumed with expiry 0 is gone after a crash", async () => {
  const broker = await MemoryBroker.start();
  const first = await lasting(broker, "c");
  await first.subscribe("t");
  await first.drop();
  const second = broker.client("c");
  await second.connect({ cleanStart: false });
  await broker.restart();
  assert.equal(broker.counters.sessions, 0);
});

test("Clean Start 1 with an expiry leaves a session behind - 5.0 [MQTT-3.1.2-4]", async () => {
  const broker = await MemoryBroker.start();
  const client = await lasting(broker, "c", { cleanStart: true });
  await client.drop();
  assert.deepEqual((await resume(broker, "c")).words, ["CONNACK 0x00 present=1"]);
});

test("clean session 1 never leaves one behind; clean session 0 does - 3.1.1 [MQTT-3.1.2-6], [MQTT-3.1.2-4]", async () => {
  const broker = await MemoryBroker.start();
  await (await clean(broker, "c", {}, 4)).drop();
  assert.equal(broker.counters.sessions, 0);
  await (await clean(broker, "c", { cleanStart: false }, 4)).drop();
  assert.equal(broker.counters.sessions, 1);
  const again = broker.client("c", 4);
  assert.deepEqual(await again.connect({ cleanStart: false }), ["CONNACK 0x00 present=1"]);
});

test("3.1 has no Session Present - 3.1 section 3.2", async () => {
  const broker = await MemoryBroker.start();
  await (await clean(broker, "c", { cleanStart: false }, 3)).drop();
  const again = broker.client("c", 3);
  assert.deepEqual(await again.connect({ cleanStart: false }), ["CONNACK 0x00 present=0"]);
});

test("Clean Start 1 forgets what is in flight both ways, what waits and what is subscribed - 5.0 [MQTT-3.1.2-4]", async () => {
  const broker = await MemoryBroker.start();
  const client = await lasting(broker, "c", { properties: { receiveMaximum: 1 } });
  await client.subscribe("t");
  const pub = await clean(broker, "pub");
  await publishAll(pub, "t", 1, ["in flight", "waiting"]);
  await client.publish({ topicName: "x", qos: 2, packetId: 9, payload: "first" });
  await client.drop();
  const fresh = await lasting(broker, "c", { cleanStart: true });
  // The identifier is new again: the message is routed.
  const watcher = await clean(broker, "w");
  await watcher.subscribe("x");
  await fresh.publish({ topicName: "x", qos: 2, packetId: 9, payload: "second" });
  assert.deepEqual(watcher.words(), ['PUBLISH 1 x qos=2 dup=0 "second"']);
  assert.deepEqual(fresh.words(), []);
  await publishAll(pub, "t", 1, ["for nobody"]);
  assert.deepEqual(fresh.words(), []);
  assert.equal(broker.counters.discardedWithSession, 2);
  await broker.restart();
  assert.deepEqual((await resume(broker, "c")).words, ["CONNACK 0x00 present=1"]);
});

test("takes the session over: DISCONNECT 0x8E for the old connection, state for the new - 5.0 [MQTT-3.1.4-3] - attack SESS-03", async () => {
  const broker = await MemoryBroker.start();
  const old = await lasting(broker, "c");
  await old.subscribe("t");
  assert.deepEqual((await resume(broker, "c")).words, ["CONNACK 0x00 present=1"]);
  assert.deepEqual(old.words(), ["DISCONNECT 0x8E"]);
  assert.equal(old.isClosed, true);
  assert.equal(broker.counters.takeovers, 1);
});

test("takes the session over without a word to the old 3.1.1 connection, and publishes its will - 3.1.1 [MQTT-3.1.4-2], [MQTT-3.1.2-8]", async () => {
  const broker = await MemoryBroker.start();
  const seen = await watch(broker);
  const old = await clean(broker, "c", { cleanStart: false, will: WILL }, 4);
  const other = broker.client("c", 4);
  assert.deepEqual(await other.connect({ cleanStart: false }), ["CONNACK 0x00 present=1"]);
  assert.deepEqual([old.words(), old.isClosed], [[], true]);
  assert.equal(seen(), 1);
});

for (const delay of [0, 3]) {
  for (const expiry of [0, 60]) {
    for (const cleanStart of [false, true]) {
      const isDue = delay === 0 || expiry === 0 || cleanStart;
      test(`takeover, will delay ${delay}, expiry ${expiry}, Clean Start ${cleanStart ? 1 : 0}: the will is ${isDue ? "published" : "cancelled"} - 5.0 [MQTT-3.1.2-8], [MQTT-3.1.3-9] - attack WILL-04`, async () => {
        const broker = await MemoryBroker.start();
        const seen = await watch(broker);
        await lasting(broker, "c", {
          will: { ...WILL, willDelayInterval: delay },
          properties: { sessionExpiryInterval: expiry },
        });
        await lasting(broker, "c", { cleanStart });
        assert.equal(seen(), isDue ? 1 : 0);
        await broker.advance(100);
        assert.equal(seen(), isDue ? 1 : 0);
      });
    }
  }
}

for (const { delay, expiry, atSeconds } of [
  { delay: 10, expiry: 1, atSeconds: 1 },
  { delay: 2, expiry: 60, atSeconds: 2 },
  { delay: 0xffff_ffff, expiry: 5, atSeconds: 5 },
]) {
  test(`will delay ${delay} with expiry ${expiry} is published after ${atSeconds} s, once - 5.0 [MQTT-3.1.2-8] - attack WILL-04`, async () => {
    const broker = await MemoryBroker.start();
    const seen = await watch(broker);
    const client = await lasting(broker, "c", {
      will: { ...WILL, willDelayInterval: delay },
      properties: { sessionExpiryInterval: expiry },
    });
    await client.drop();
    await broker.advance(atSeconds - 0.5);
    assert.equal(seen(), 0);
    await broker.advance(0.5);
    assert.equal(seen(), 1);
    await broker.advance(100);
    assert.equal(seen(), 1);
  });
}

test("a client that is back in time cancels its delayed will; its new will counts - 5.0 [MQTT-3.1.3-9] - attack WILL-04", async () => {
  const broker = await MemoryBroker.start();
  const watcher = await clean(broker, "watcher");
  await watcher.subscribe("will");
  const client = await lasting(broker, "c", { will: { ...WILL, willDelayInterval: 5 } });
  await client.drop();
  await broker.advance(1);
  const back = await lasting(broker, "c", { will: { topicName: "will", payload: "new" } });
  await broker.advance(10);
  await back.drop();
  assert.deepEqual(watcher.words(), ['PUBLISH will qos=0 "new"']);
});

for (const { version, reasonCode, isPublished } of [
  { version: 5, reasonCode: 0x00, isPublished: false },
  { version: 5, reasonCode: 0x04, isPublished: true },
  { version: 5, reasonCode: 0x80, isPublished: true },
  { version: 4, reasonCode: 0x00, isPublished: false },
] as const) {
  test(`DISCONNECT ${reasonCode} of version ${version} ${isPublished ? "publishes" : "deletes"} the will - 5.0 [MQTT-3.14.4-3], 3.1.1 [MQTT-3.14.4-3] - attack STATE-10`, async () => {
    const broker = await MemoryBroker.start();
    const seen = await watch(broker);
    const client = await clean(broker, "c", { will: WILL }, version);
    await client.disconnect(reasonCode);
    assert.equal(client.isClosed, true);
    assert.equal(seen(), isPublished ? 1 : 0);
    await broker.advance(5);
    assert.equal(seen(), isPublished ? 1 : 0);
  });
}

test("a will is published when the Keep Alive passes one and a half times, not before - 5.0 [MQTT-3.1.2-22], [MQTT-3.1.2-8]", async () => {
  const broker = await MemoryBroker.start();
  const seen = await watch(broker);
  const client = await clean(broker, "c", { keepAlive: 10, will: WILL });
  await broker.advance(14.9);
  assert.equal(seen(), 0);
  await broker.advance(0.1);
  assert.deepEqual(client.words(), ["DISCONNECT 0x8D"]);
  assert.equal(seen(), 1);
});

test("Session Expiry in DISCONNECT: 0 ends the session at once, another value replaces - 5.0 section 3.14.2.2.2", async () => {
  const broker = await MemoryBroker.start();
  await (await lasting(broker, "ends")).disconnect(0, 0);
  assert.equal(broker.counters.sessions, 0);
  await (await lasting(broker, "shorter")).disconnect(0, 2);
  await (await lasting(broker, "same")).disconnect(0);
  await broker.advance(2);
  assert.equal(broker.counters.sessions, 1);
  assert.deepEqual((await resume(broker, "same")).words, ["CONNACK 0x00 present=1"]);
});

test("Session Expiry in DISCONNECT after 0 in CONNECT is 0x82 and publishes the will - 5.0 section 3.14.2.2.2 - attack SESS-06", async () => {
  const broker = await MemoryBroker.start();
  const seen = await watch(broker);
  const client = await clean(broker, "c", { will: WILL });
  assert.deepEqual(await client.disconnect(0, 10), ["DISCONNECT 0x82"]);
  assert.equal(seen(), 1);
  assert.equal(broker.counters.sessions, 1);
});

test("a will is published once although the broker dies during its delay - 5.0 [MQTT-3.1.2-8] - attack WILL-06", async () => {
  const broker = await MemoryBroker.start();
  const client = await lasting(broker, "c", { will: { ...WILL, willDelayInterval: 10 } });
  await client.drop();
  await broker.advance(4);
  await broker.restart(1);
  const seen = await watch(broker);
  await broker.advance(4.9);
  assert.equal(seen(), 0);
  await broker.advance(0.1);
  assert.equal(seen(), 1);
  await broker.advance(1);
  await broker.restart();
  const again = await watch(broker);
  await broker.advance(100);
  assert.equal(again(), 0);
});

test("a will that fell due while the broker was down is published at start, once - attack WILL-06", async () => {
  const broker = await MemoryBroker.start();
  const watcher = await lasting(broker, "watcher");
  await watcher.subscribe("will");
  const client = await lasting(broker, "c", { will: { ...WILL, qos: 1, willDelayInterval: 10 } });
  await client.drop();
  await broker.advance(1);
  await broker.restart(60);
  await broker.advance(1);
  await broker.restart(60);
  assert.deepEqual((await resume(broker, "watcher")).words, [
    "CONNACK 0x00 present=1",
    'PUBLISH 1 will qos=1 dup=0 "gone"',
  ]);
});

test("a client that was connected when the broker died gets its will published and its expiry started at the restart - attack WILL-06", async () => {
  const broker = await MemoryBroker.start();
  const watcher = await lasting(broker, "watcher");
  await watcher.subscribe("will");
  await lasting(broker, "c", { will: { ...WILL, qos: 1 }, properties: { sessionExpiryInterval: 10 } });
  await broker.restart(1000);
  assert.deepEqual((await resume(broker, "watcher")).words.slice(1), ['PUBLISH 1 will qos=1 dup=0 "gone"']);
  await broker.advance(9);
  assert.equal(broker.counters.sessions, 2);
  await broker.advance(1);
  assert.equal(broker.counters.sessions, 1);
});

test("a session goes on expiring while the broker is down - 5.0 [MQTT-4.1.0-2]", async () => {
  const broker = await MemoryBroker.start();
  for (const name of ["short", "long"]) {
    const client = await lasting(broker, name, {
      properties: { sessionExpiryInterval: name === "short" ? 10 : 100 },
    });
    await client.drop();
  }
  await broker.advance(1);
  await broker.restart(50);
  assert.deepEqual((await resume(broker, "short")).words, ["CONNACK 0x00 present=0"]);
  assert.deepEqual((await resume(broker, "long")).words, ["CONNACK 0x00 present=1"]);
});

test("an orderly stop tells 5.0 clients and defers the wills of lasting sessions to the next start - 5.0 section 3.1.2.5 - attack WILL-06", async () => {
  const broker = await MemoryBroker.start();
  const watcher = await lasting(broker, "watcher");
  await watcher.subscribe("will");
  const client = await lasting(broker, "c", { will: { ...WILL, qos: 1 } });
  const back = await lasting(broker, "back", { will: { ...WILL, qos: 1, willDelayInterval: 5 } });
  const old = await clean(broker, "old", {}, 4);
  await broker.stopAndStart();
  assert.deepEqual(client.words(), ["DISCONNECT 0x8B"]);
  assert.deepEqual([back.words(), back.isClosed], [["DISCONNECT 0x8B"], true]);
  assert.deepEqual([old.words(), old.isClosed], [[], true]);
  await lasting(broker, "back");
  await broker.advance(10);
  assert.deepEqual((await resume(broker, "watcher")).words, [
    "CONNACK 0x00 present=1",
    'PUBLISH 1 will qos=1 dup=0 "gone"',
  ]);
});

test("a session without subscriptions survives a restart too", async () => {
  const broker = await MemoryBroker.start();
  await lasting(broker, "c");
  await broker.restart();
  assert.deepEqual((await resume(broker, "c")).words, ["CONNACK 0x00 present=1"]);
});

test("no client can take over a subscription of the application", async () => {
  const broker = await MemoryBroker.start();
  const got: string[] = [];
  broker.broker.subscribe(
    {
      topicFilter: "t",
      qos: 1,
      noLocal: false,
      retainAsPublished: false,
      retainHandling: 0,
      subscriptionIdentifier: 0,
    },
    (message) => void got.push(message.topicName),
    (error) => assert.fail(String(error)),
  );
  const thief = broker.client("$local/1");
  assert.deepEqual(await thief.connect(), ["CONNACK 0x85 present=0"]);
  const pub = await clean(broker, "pub");
  await publishAll(pub, "t", 1, ["x"]);
  assert.deepEqual(got, ["t"]);
});

test("a session whose time is over is not resumed although the broker has not come to end it - 5.0 [MQTT-4.1.0-2]", async () => {
  const broker = await MemoryBroker.start();
  const client = await lasting(broker, "c", { properties: { sessionExpiryInterval: 1 } });
  await client.drop();
  await broker.settle();
  broker.world.moveTo(broker.world.now() + 1000);
  assert.deepEqual((await resume(broker, "c")).words, ["CONNACK 0x00 present=0"]);
  assert.equal(broker.counters.sessionsExpired, 1);
});

test("tells how a session ended", async () => {
  const broker = await MemoryBroker.start();
  const client = await lasting(broker, "c");
  await client.disconnect(ReasonCode.SUCCESS, 0);
  assert.deepEqual(broker.eventsOf("sessionEnded"), [{ clientId: "c", reason: "closed", discarded: 0 }]);
});
