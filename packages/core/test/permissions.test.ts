// Permissions on every path that a message takes: publish, will, subscribe, and each way to a receiver. One check decides
// on all deliveries; a change of the rules holds at once.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Access, ClientInfo, Hooks, Permissions, Refusal } from "@heirloom/core";
import { MemoryBroker, MemoryDisk, type MemoryBrokerOptions } from "@heirloom/core/testing";
import { resume, lasting } from "./support.ts";

const DENIED: Refusal = { reasonCode: 0x87 };

/** Denies what a test puts in its sets, `"<account> <topic>"`; everything else is allowed. */
class DenyList implements Permissions {
  readonly publish = new Set<string>();
  readonly subscribe = new Set<string>();
  readonly receive = new Set<string>();
  isSlow = false;
  changed = (): void => undefined;

  accessOf({ account = "-" }: ClientInfo): Access {
    const answer = (isDenied: boolean): Refusal | undefined | Promise<Refusal | undefined> => {
      const refusal = isDenied ? DENIED : undefined;
      return this.isSlow ? Promise.resolve(refusal) : refusal;
    };
    return {
      publish: (topicName) => answer(this.publish.has(`${account} ${topicName}`)),
      subscribe: (topicFilter) => answer(this.subscribe.has(`${account} ${topicFilter}`)),
      receive: (topicName) => !this.receive.has(`${account} ${topicName}`),
    };
  }

  start(changed: () => void): void {
    this.changed = changed;
  }

  stop(): void {
    this.changed = (): void => undefined;
  }
}

/** Everyone is who they say they are. */
const BELIEVE: Hooks = { connect: () => undefined };

interface World {
  readonly broker: MemoryBroker;
  readonly rules: DenyList;
}

async function start(options: MemoryBrokerOptions = {}): Promise<World> {
  const rules = new DenyList();
  return { rules, broker: await MemoryBroker.start({ permissions: rules, hooks: BELIEVE, ...options }) };
}

for (const isSlow of [false, true]) {
  const how = isSlow ? "asked elsewhere" : "known at once";

  test(`refuses PUBLISH with 0x87 at QoS 1 and 2, drops QoS 0, counts all; permissions ${how} - 3.1.1 [MQTT-3.3.5-2]`, async () => {
    const { broker, rules } = await start();
    rules.isSlow = isSlow;
    rules.publish.add("u a");
    const watcher = await lasting(broker, "watcher", { username: "w" });
    await watcher.subscribe("#");
    const client = broker.client("c");
    await client.connect({ username: "u" });
    assert.deepEqual(await client.publish({ topicName: "a" }), []);
    assert.deepEqual(await client.publish({ topicName: "a", qos: 1 }), ["PUBACK 1 0x87"]);
    assert.deepEqual(await client.publish({ topicName: "a", qos: 2 }), ["PUBREC 2 0x87"]);
    assert.deepEqual(await client.publish({ topicName: "b", qos: 1 }), ["PUBACK 3"]);
    assert.equal(broker.counters.publishForbidden, 3);
    assert.deepEqual(watcher.words(), ['PUBLISH 1 b qos=1 dup=0 ""']);
  });

  test(`refuses a filter with 0x87 and grants the others; permissions ${how} - attack AUTHZ-04`, async () => {
    const { broker, rules } = await start();
    rules.isSlow = isSlow;
    rules.subscribe.add("u secret/#");
    const client = broker.client("c");
    await client.connect({ username: "u" });
    assert.deepEqual(await client.subscribe(["secret/#", "a", "$share/g/secret/#"]), [
      "SUBACK 1 0x87 0x02 0x87",
    ]);
    assert.equal(broker.counters.subscribeForbidden, 2);
  });

  test(`refuses CONNECT when its will is not allowed, and touches nothing; permissions ${how} - attack WILL-01, attack AUTHN-11`, async () => {
    const { broker, rules } = await start();
    rules.isSlow = isSlow;
    rules.publish.add("u secret");
    const before = await lasting(broker, "c", { username: "u" });
    const again = broker.client("c");
    const answer = await again.connect({ username: "u", will: { topicName: "secret" } });
    assert.deepEqual(answer, ["CONNACK 0x87 present=0"]);
    assert.deepEqual(await before.ping(), ["PINGRESP"]);
    assert.equal(broker.counters.publishForbidden, 1);
  });

  test(`a will whose client lost the right is not published; permissions ${how} - attack WILL-02`, async () => {
    const { broker, rules } = await start();
    rules.isSlow = isSlow;
    const watcher = await lasting(broker, "watcher", { username: "w" });
    await watcher.subscribe("#");
    const client = broker.client("c");
    await client.connect({ username: "u", will: { topicName: "gone" } });
    rules.publish.add("u gone");
    rules.changed();
    await client.drop();
    assert.deepEqual(watcher.words(), []);
    assert.equal(broker.counters.willsPublished, 0);
  });
}

test("3.1.1 is told nothing of a refused PUBLISH, and 0x80 of a refused filter - 3.1.1 [MQTT-3.3.5-2], [MQTT-3.9.3-2]", async () => {
  const { broker, rules } = await start();
  rules.publish.add("u a");
  rules.subscribe.add("u a");
  const client = broker.client("c", 4);
  await client.connect({ username: "u" });
  assert.deepEqual(await client.publish({ topicName: "a", qos: 1 }), ["PUBACK 1"]);
  assert.deepEqual(await client.subscribe("a"), ["SUBACK 2 0x80"]);
});

test("no client publishes to the broker's own topics, by alias or will either; other topics with $ are theirs - attack AUTHZ-09, attack AUTHZ-11", async () => {
  const broker = await MemoryBroker.start();
  const watcher = await lasting(broker, "watcher");
  await watcher.subscribe(["$SYS/#", "$CONTROL/#", "$local/#", "$free/#"]);
  const client = broker.client("c");
  await client.connect();
  for (const topicName of ["$SYS", "$SYS/a", "$CONTROL/dynamic-security/v1", "$share/g/t", "$local/1"]) {
    const [answer] = await client.publish({ topicName, qos: 1 });
    assert.match(answer ?? "", /^PUBACK \d+ 0x87/);
    const bearer = broker.client("w");
    assert.match((await bearer.connect({ will: { topicName } }))[0] ?? "", /^CONNACK 0x87/);
  }
  client.sendPublish({ topicName: "$SYS/alias", topicAlias: 1 });
  client.sendPublish({ topicName: "", topicAlias: 1, retain: true });
  assert.deepEqual(await client.publish({ topicName: "$free/a" }), []);
  assert.deepEqual(watcher.words(), ['PUBLISH $free/a qos=0 ""']);
  for (const topicName of ["$", "$x", "$/", "$SYSx", "$SYSx/y"]) {
    await client.subscribe(topicName);
    const words = await client.publish({ topicName });
    assert.deepEqual(words, [`PUBLISH ${topicName} qos=0 ""`]);
  }
  assert.equal(broker.counters.retained, 0);
});

test("one check on all ways to a receiver: live, queued, retained, resent, shared - attack AUTHZ-05, attack AUTHZ-13, attack RET-02, attack SHARE-01", async () => {
  const { broker, rules } = await start();
  rules.receive.add("u secret");
  const publisher = broker.client("p");
  await publisher.connect({ username: "p" });
  const publishAll = async (retain = false): Promise<void> => {
    for (const qos of [0, 1, 2] as const) {
      for (const topicName of ["secret", "open"]) {
        publisher.sendPublish({ topicName, qos, retain, payload: `${qos}` });
      }
    }
    await broker.settle();
  };
  const topics = (words: readonly string[]): string[] =>
    words
      .filter((word) => word.startsWith("PUBLISH"))
      .map((word) => word.replace(/^PUBLISH (\d+ )?/, "").split(" ")[0] ?? "");

  const clean = broker.client("clean");
  await clean.connect({ username: "u" });
  await clean.subscribe("#");
  const durable = await lasting(broker, "durable", { username: "u" });
  await durable.subscribe("#");
  const shared = broker.client("shared");
  await shared.connect({ username: "u" });
  await shared.subscribe("$share/g/#");
  await publishAll();
  for (const client of [clean, durable, shared]) {
    assert.deepEqual(topics(client.words()), ["open", "open", "open"], `${client.name}, live`);
  }

  await durable.drop();
  await publishAll();
  const { client: back, words } = await resume(broker, "durable", { username: "u" });
  assert.deepEqual(new Set(topics([...words, ...back.words()])), new Set(["open"]), "queued and resent");

  await publishAll(true);
  const late = broker.client("late");
  await late.connect({ username: "u" });
  assert.deepEqual(topics(await late.subscribe("#")), ["open"], "retained");
  assert.ok(broker.counters.droppedForbidden >= 9);
});

test("a message in flight is not sent again when its topic was forbidden in between - attack AUTHZ-08", async () => {
  const { broker, rules } = await start();
  const subscriber = await lasting(broker, "s", { username: "u" });
  await subscriber.subscribe("t");
  const publisher = broker.client("p");
  await publisher.connect({ username: "p" });
  await publisher.publish({ topicName: "t", qos: 1, payload: "1" });
  assert.deepEqual(subscriber.words(), ['PUBLISH 1 t qos=1 dup=0 "1"']);
  await subscriber.drop();
  rules.receive.add("u t");
  rules.changed();
  const { words } = await resume(broker, "s", { username: "u" });
  assert.deepEqual(words, ["CONNACK 0x00 present=1"]);
  assert.equal(broker.counters.droppedForbidden, 1);
});

test("a shared subscription goes on with a member that may see the message - attack AUTHZ-05, attack SHARE-02", async () => {
  const { broker, rules } = await start();
  rules.receive.add("u secret");
  const members = [];
  for (const username of ["u", "v"]) {
    const member = await lasting(broker, username, { username });
    await member.subscribe("$share/g/#");
    members.push(member);
  }
  const publisher = broker.client("p");
  await publisher.connect({ username: "p" });
  for (let count = 0; count < 4; count++) await publisher.publish({ topicName: "secret", qos: 1 });
  const [u, v] = members.map((member) => member.words().length);
  assert.deepEqual([u, v], [0, 4]);
  assert.equal(broker.counters.droppedForbidden, 0);
});

test("a subscription that the rules do not allow any more ends, while connected and while away - attack AUTHZ-06", async () => {
  const { broker, rules } = await start();
  const online = await lasting(broker, "online", { username: "u" });
  await online.subscribe(["t", "$share/g/t", "other"]);
  const offline = await lasting(broker, "offline", { username: "u" });
  await offline.subscribe("t");
  await offline.drop();
  const publisher = broker.client("p");
  await publisher.connect({ username: "p" });
  await publisher.publish({ topicName: "t", qos: 1, payload: "queued" });
  online.words();
  rules.subscribe.add("u t");
  rules.receive.add("u t");
  rules.changed();
  await broker.settle();
  await publisher.publish({ topicName: "t", qos: 1, payload: "later" });
  assert.deepEqual(online.words(), []);
  const { client, words } = await resume(broker, "offline", { username: "u" });
  assert.deepEqual(words, ["CONNACK 0x00 present=1"]);
  assert.deepEqual(await client.unsubscribe("t"), ["UNSUBACK 1 0x11"]);
  assert.deepEqual(await online.unsubscribe("other"), ["UNSUBACK 2 0x00"]);
  assert.equal(broker.counters.subscribeForbidden, 3);
});

test("a retained message is left out while its publisher may not publish there, also after a restart - attack RET-01", async () => {
  const disk = new MemoryDisk();
  const { broker, rules } = await start({ disk });
  const publisher = broker.client("p");
  await publisher.connect({ username: "p" });
  await publisher.publish({ topicName: "r", qos: 1, retain: true, payload: "x" });
  const seen = async (): Promise<number> => {
    const client = broker.client("reader");
    await client.connect({ username: "u" });
    const words = await client.subscribe("#");
    await client.disconnect();
    return words.length - 1;
  };
  assert.equal(await seen(), 1);
  rules.publish.add("p r");
  rules.changed();
  assert.equal(await seen(), 0);
  await broker.restart();
  assert.equal(await seen(), 0);
  rules.publish.clear();
  rules.changed();
  assert.equal(await seen(), 1);
});

test("the right to publish is not needed again for PUBREL: the message was passed on at PUBLISH - attack AUTHZ-07", async () => {
  const { broker, rules } = await start();
  const watcher = await lasting(broker, "watcher", { username: "w" });
  await watcher.subscribe("#");
  const client = broker.client("c");
  await client.connect({ username: "u" });
  assert.deepEqual(await client.publish({ topicName: "a", qos: 2 }), ["PUBREC 1"]);
  assert.equal(watcher.words().length, 1);
  rules.publish.add("u a");
  rules.changed();
  assert.deepEqual(await client.pubrel(1), ["PUBCOMP 1"]);
  assert.deepEqual(watcher.words(), []);
});

test("permissions that throw or reject refuse - attack JS-02", async () => {
  const broken: Permissions = {
    accessOf: () => ({
      publish: () => Promise.reject(new Error("no connection")),
      subscribe: () => {
        throw new Error("no such rule");
      },
      receive: () => {
        throw new Error("no such rule");
      },
    }),
    start: () => undefined,
    stop: () => undefined,
  };
  const broker = await MemoryBroker.start({ permissions: broken });
  const client = broker.client("c");
  await client.connect();
  assert.deepEqual(await client.publish({ topicName: "a", qos: 1 }), ["PUBACK 1 0x87"]);
  assert.deepEqual(await client.subscribe("a"), ["SUBACK 2 0x87"]);
});
