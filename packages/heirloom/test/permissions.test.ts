// Rules on every way that a message takes through the broker, and while they change. The broker is the core in memory.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Hooks } from "@heirloom/core";
import { MemoryBroker, type TestClient, type ConnectInit } from "@heirloom/core/testing";
import type { RuleOptions } from "heirloom";
import { PermissionChain } from "../dist/permissions/chain.js";
import { ruleSet } from "./permissions-support.js";

/** Everyone is who they say they are. */
const BELIEVE: Hooks = { connect: () => undefined };

const ALL: RuleOptions = { allow: "all", topics: "#" };
const NO_SECRETS: RuleOptions = { deny: "subscribe", users: "u", topics: "secret/#" };

class World {
  readonly broker: MemoryBroker;
  readonly #chain: PermissionChain;
  readonly #rules: { now: readonly RuleOptions[] };

  private constructor(broker: MemoryBroker, chain: PermissionChain, rules: { now: readonly RuleOptions[] }) {
    this.broker = broker;
    this.#chain = chain;
    this.#rules = rules;
  }

  static async start(...rules: readonly RuleOptions[]): Promise<World> {
    const box = { now: rules };
    const permissions = await PermissionChain.open(() => Promise.resolve([ruleSet(...box.now)]));
    return new World(await MemoryBroker.start({ hooks: BELIEVE, permissions }), permissions, box);
  }

  /** What an operator does: the file is another one, and is read anew. */
  async change(...rules: readonly RuleOptions[]): Promise<void> {
    this.#rules.now = rules;
    (await this.#chain.prepare())();
    await this.broker.settle();
  }

  /** A client whose session outlives its connection. */
  async lasting(name: string, init: ConnectInit = {}): Promise<TestClient> {
    const client = this.broker.client(name);
    const properties = { sessionExpiryInterval: 3600, ...init.properties };
    await client.connect({ cleanStart: false, username: name, ...init, properties });
    client.take();
    return client;
  }

  /** The same, with what comes first. */
  async resume(name: string): Promise<{ readonly client: TestClient; readonly words: string[] }> {
    const client = this.broker.client(name);
    const properties = { sessionExpiryInterval: 3600 };
    return { client, words: await client.connect({ cleanStart: false, username: name, properties }) };
  }
}

/** The topics of what came. */
function topics(words: readonly string[]): string[] {
  return words.flatMap(
    (word) => /^PUBLISH \d+ (\S+)/.exec(word)?.[1] ?? /^PUBLISH (\S+)/.exec(word)?.[1] ?? [],
  );
}

describe("allow # and deny secret/#", () => {
  it("live, at every QoS and to every kind of session - attack AUTHZ-05", async () => {
    const { broker, lasting } = await world(ALL, NO_SECRETS);
    const clean = broker.client("clean");
    await clean.connect({ username: "u" });
    assert.deepEqual(await clean.subscribe("#"), ["SUBACK 1 0x02"]);
    const kept = await lasting("u");
    assert.deepEqual(await kept.subscribe(["#", "secret/+"]), ["SUBACK 1 0x02 0x87"]);
    const publisher = await lasting("p");
    for (const qos of [0, 1, 2] as const) {
      await publisher.publish({ topicName: "secret/x", qos });
      await publisher.publish({ topicName: `open/${qos}`, qos });
    }
    assert.deepEqual(topics(clean.words()), ["open/0", "open/1", "open/2"]);
    assert.deepEqual(topics(kept.words()), ["open/0", "open/1", "open/2"]);
    assert.equal(broker.counters.droppedForbidden, 6);
  });

  it("queued while the client was away - attack AUTHZ-05", async () => {
    const { lasting, resume } = await world(ALL, NO_SECRETS);
    const client = await lasting("u");
    await client.subscribe("#");
    await client.drop();
    const publisher = await lasting("p");
    await publisher.publish({ topicName: "secret/x", qos: 1 });
    await publisher.publish({ topicName: "open", qos: 1 });
    assert.deepEqual(topics((await resume("u")).words), ["open"]);
  });

  it("retained messages - attack AUTHZ-05, attack RET-02", async () => {
    const { lasting } = await world(ALL, NO_SECRETS);
    const publisher = await lasting("p");
    for (const topicName of ["secret/x", "open", "secret"]) {
      await publisher.publish({ topicName, qos: 1, retain: true, payload: "x" });
    }
    const client = await lasting("u");
    assert.deepEqual(topics(await client.subscribe("#")), ["open"]);
    assert.deepEqual(topics(await client.subscribe("+/x")), []);
  });

  it("sent before, not acknowledged, and denied when the client is back - attack AUTHZ-05, attack AUTHZ-08", async () => {
    const it = await world(ALL);
    const client = await it.lasting("u");
    await client.subscribe("#");
    const publisher = await it.lasting("p");
    await publisher.publish({ topicName: "secret/x", qos: 1 });
    await publisher.publish({ topicName: "secret/y", qos: 2 });
    await publisher.publish({ topicName: "open", qos: 1 });
    assert.deepEqual(topics(client.words()), ["secret/x", "secret/y", "open"]);
    await client.drop();
    await it.change(ALL, NO_SECRETS);
    assert.deepEqual(topics((await it.resume("u")).words), ["open"]);
  });

  it("through a shared subscription: another member gets what one may not see - attack AUTHZ-05, attack SHARE-01", async () => {
    const { lasting } = await world(ALL, NO_SECRETS);
    const client = await lasting("u");
    const other = await lasting("v");
    assert.deepEqual(await client.subscribe(["$share/g/#", "$share/g/secret/#"]), ["SUBACK 1 0x02 0x87"]);
    await other.subscribe("$share/g/#");
    const publisher = await lasting("p");
    for (let index = 0; index < 4; index++) await publisher.publish({ topicName: "secret/x", qos: 1 });
    assert.deepEqual(topics(client.words()), []);
    assert.deepEqual(topics(other.words()).length, 4);
  });

  it("wills of others - attack AUTHZ-05", async () => {
    const { lasting } = await world(ALL, NO_SECRETS);
    const client = await lasting("u");
    await client.subscribe("#");
    const properties = { sessionExpiryInterval: 0 };
    for (const topicName of ["secret/x", "open"]) {
      const dying = await lasting(`w-${topicName.slice(0, 1)}`, { will: { topicName, qos: 1 }, properties });
      await dying.drop();
    }
    assert.deepEqual(topics(await client.ping()), ["open"]);
  });
});

describe("a change of the rules", () => {
  const READERS: RuleOptions = { allow: "subscribe", users: ["u", "w"], topics: ["a/#", "b"] };
  const WRITER: RuleOptions = { allow: "publish", users: "p", topics: "#" };

  it("ends subscriptions at once, and what waits for them is never sent - attack AUTHZ-06", async () => {
    const it = await world(READERS, WRITER);
    const here = await it.lasting("u");
    await here.subscribe(["a/#", "b"]);
    const away = await it.lasting("w");
    await away.subscribe(["a/#", "b"]);
    await away.drop();
    const publisher = await it.lasting("p");
    await publisher.publish({ topicName: "a/1", qos: 1 });
    await it.change({ ...READERS, topics: "b" }, WRITER);
    await publisher.publish({ topicName: "a/2", qos: 1 });
    await publisher.publish({ topicName: "b", qos: 1 });
    assert.deepEqual(topics(here.words()), ["a/1", "b"]);
    assert.equal(it.broker.counters.subscribeForbidden, 1);
    const { client, words } = await it.resume("w");
    assert.deepEqual(topics(words), ["b"]);
    assert.equal(it.broker.counters.subscribeForbidden, 2);
    // The subscription is gone for good: the right that comes back does not bring it back.
    await it.change(READERS, WRITER);
    await publisher.publish({ topicName: "a/3", qos: 1 });
    assert.deepEqual(
      topics(client.words()).filter((topic) => topic !== "b"),
      [],
    );
  });

  it("between PUBLISH and PUBREL changes nothing: what was accepted is delivered at PUBLISH, and the handshake ends - attack AUTHZ-07", async () => {
    const it = await world(READERS, WRITER);
    const reader = await it.lasting("u");
    await reader.subscribe("b");
    const publisher = await it.lasting("p");
    assert.deepEqual(await publisher.publish({ topicName: "b", qos: 2, packetId: 9 }), ["PUBREC 9"]);
    // Before PUBREL: nothing waits for it.
    assert.deepEqual(topics(reader.words()), ["b"]);
    await it.change(READERS);
    await publisher.drop();
    const { client } = await it.resume("p");
    assert.deepEqual(await client.pubrel(9), ["PUBCOMP 9"]);
    assert.deepEqual(await client.publish({ topicName: "b", qos: 2, packetId: 10 }), ["PUBREC 10 0x87"]);
    assert.deepEqual(topics(await reader.ping()), []);
  });

  it("takes effect for PUBLISH on an open connection, by topic alias too - attack AUTHZ-09", async () => {
    const it = await world(ALL);
    const client = await it.lasting("p");
    const properties = { topicAlias: 1 };
    await client.publish({ topicName: "a", qos: 1, ...properties });
    await it.change({ deny: "publish", topics: "a" }, ALL);
    assert.deepEqual(await client.publish({ topicName: "", qos: 1, ...properties }), ["PUBACK 2 0x87"]);
    for (const topicName of ["$SYS/x", "$CONTROL/dynamic-security/v1", "$share/g/x", "$queue/x", "$other"]) {
      const [answer = ""] = await client.publish({ topicName, qos: 1 });
      assert.match(answer, /^PUBACK \d+ 0x87$/, topicName);
    }
  });

  it("what a file says is taken all or not at all - attack AUTHZ-12", async () => {
    let isBroken = false;
    const chain = await PermissionChain.open(() =>
      isBroken ? Promise.reject(new Error("EMFILE: too many open files")) : Promise.resolve([ruleSet(ALL)]),
    );
    const broker = await MemoryBroker.start({ hooks: BELIEVE, permissions: chain });
    const client = broker.client("c");
    await client.connect({ username: "c" });
    isBroken = true;
    await assert.rejects(chain.prepare(), /EMFILE/);
    assert.deepEqual(await client.publish({ topicName: "a", qos: 1 }), ["PUBACK 1 0x10"]);
  });
});

describe("user names", () => {
  it("are compared byte for byte: rules for one are no rules for who only looks the same - attack PARSE-15", async () => {
    const names = ["\u00e9", "e\u0301", "\ufeff\u00e9", "\u00c9", "\u00e9 "];
    for (const known of names) {
      const { broker } = await world({ allow: "publish", users: known, topics: "of/%u" });
      for (const username of names) {
        const client = broker.client("c");
        assert.deepEqual(await client.connect({ username }), ["CONNACK 0x00 present=0"]);
        for (const name of names) {
          const [answer] = await client.publish({ topicName: `of/${name}`, qos: 1 });
          const isAllowed = username === known && name === known;
          assert.match(
            answer ?? "",
            isAllowed ? / 0x10$/ : / 0x87$/,
            JSON.stringify([known, username, name]),
          );
        }
        await client.disconnect();
      }
    }
  });
});

describe("wills", () => {
  it("are refused at CONNECT where PUBLISH would be, RETAIN and QoS too - attack WILL-01, attack WILL-05", async () => {
    const { broker } = await world({
      allow: "publish",
      users: "p",
      topics: "w/#",
      maximumQoS: 1,
      retain: false,
    });
    for (const [will, answer] of [
      [{ topicName: "w/a", qos: 1 }, "CONNACK 0x00 present=0"],
      [{ topicName: "x" }, "CONNACK 0x87 present=0"],
      [{ topicName: "w/a", qos: 2 }, "CONNACK 0x87 present=0"],
      [{ topicName: "w/a", retain: true }, "CONNACK 0x87 present=0"],
      [{ topicName: "$SYS/a" }, "CONNACK 0x87 present=0"],
    ] as const) {
      assert.deepEqual(await broker.client("p").connect({ username: "p", will }), [answer]);
    }
  });

  it("are not published when the right is gone - attack WILL-02", async () => {
    const it = await world(ALL);
    const watcher = await it.lasting("w");
    await watcher.subscribe("#");
    const client = await it.lasting("p", {
      will: { topicName: "gone", retain: true },
      properties: { sessionExpiryInterval: 0 },
    });
    await it.change({ deny: "publish", users: "p", topics: "gone" }, ALL);
    await client.drop();
    assert.deepEqual(topics(await watcher.ping()), []);
    assert.equal(it.broker.counters.willsPublished, 0);
  });
});

describe("retained messages", () => {
  it("are left out while their publisher may not write there - attack RET-01", async () => {
    const it = await world(ALL);
    const publisher = await it.lasting("p");
    await publisher.publish({ topicName: "a", qos: 1, retain: true, payload: "x" });
    await it.change({ deny: "publish", users: "p", topics: "a" }, ALL);
    const reader = await it.lasting("u");
    assert.deepEqual(topics(await reader.subscribe("a")), []);
    await it.change(ALL);
    assert.deepEqual(topics(await reader.subscribe("a")), ["a"]);
  });

  it("are only deleted by who may write them - attack RET-05", async () => {
    const { broker, lasting } = await world(
      ALL,
      { deny: "publish", users: "u", topics: "a" },
      { deny: "publish", users: "u", topics: "b" },
    );
    const owner = await lasting("p");
    await owner.publish({ topicName: "a", qos: 1, retain: true, payload: "x" });
    const thief = await lasting("u");
    for (const qos of [0, 1, 2] as const)
      await thief.publish({ topicName: "a", qos, retain: true, payload: "" });
    const will = await broker
      .client("thief")
      .connect({ username: "u", will: { topicName: "a", retain: true } });
    assert.deepEqual(will, ["CONNACK 0x87 present=0"]);
    const reader = await lasting("r");
    assert.deepEqual(topics(await reader.subscribe("a")), ["a"]);
  });
});

describe("who asks", () => {
  it("a name that would be a wildcard is refused at CONNECT with 0x87 as soon as rules use it - attack AUTHZ-01", async () => {
    const own = await world({ allow: "all", topics: ["u/%u/#", "c/%c/#"] });
    for (const init of [
      { username: "+" },
      { username: "a/b" },
      { username: "#" },
      { username: "x", clientId: "a/b" },
      { clientId: "+" },
    ]) {
      assert.deepEqual(
        await own.broker.client("c").connect(init),
        ["CONNACK 0x87 present=0"],
        JSON.stringify(init),
      );
    }
    assert.deepEqual(await own.broker.client("c").connect({ username: "ok" }), ["CONNACK 0x00 present=0"]);
    const free = await world({ allow: "all", topics: "x" });
    assert.deepEqual(await free.broker.client("c").connect({ username: "a/b" }), ["CONNACK 0x00 present=0"]);
  });

  it("gets the same answer for what is forbidden and there, and for what is forbidden and not there - attack AUTHZ-18", async () => {
    const { lasting } = await world(
      { allow: "all", users: "p", topics: "#" },
      { allow: "all", users: "u", topics: "own/#" },
    );
    const publisher = await lasting("p");
    await publisher.publish({ topicName: "there", qos: 1, retain: true, payload: "x" });
    await publisher.subscribe("there");
    const client = await lasting("u", { properties: { requestProblemInformation: true } });
    assert.deepEqual(await client.subscribe(["there", "nowhere"]), ["SUBACK 1 0x87 0x87"]);
    const answers = [];
    for (const topicName of ["there", "nowhere"]) {
      answers.push((await client.publish({ topicName, qos: 1, packetId: 7 })).join());
    }
    assert.equal(answers[0], answers[1]);
    assert.match(answers[0] ?? "", /^PUBACK 7 0x87/);
  });
});

async function world(...rules: readonly RuleOptions[]) {
  const made = await World.start(...rules);
  return {
    broker: made.broker,
    lasting: made.lasting.bind(made),
    resume: made.resume.bind(made),
    change: made.change.bind(made),
  };
}
