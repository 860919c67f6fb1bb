// A server that is asked who may use which topics: what it is told, what is remembered, and what happens while it is down.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { describe, it } from "node:test";
import type { ClientInfo } from "@heirloom/core";
import { MemoryBroker, type TestClient } from "@heirloom/core/testing";
import { createBroker } from "heirloom";
import { PermissionChain } from "../dist/permissions/chain.js";
import { WebhookSource, type Clock, type Endpoint } from "../dist/permissions/webhook.js";
import { someone } from "./permissions-support.js";

type Question = Readonly<Record<string, unknown>>;

/** A server that answers at once, and a clock that stands still. */
class Service implements Endpoint, Clock {
  readonly place = "http://test/";
  readonly asked: Question[] = [];
  answer: (question: Question) => unknown = () => ({ result: "allow" });
  nowMs = 0;
  isClosed = false;
  readonly #ticks = new Set<() => void>();

  post(body: unknown): Promise<unknown> {
    const question: Question = JSON.parse(JSON.stringify(body));
    this.asked.push(question);
    return new Promise((resolve) => resolve(this.answer(question)));
  }

  close(): void {
    this.isClosed = true;
  }

  now(): number {
    return this.nowMs;
  }

  every(_ms: number, tick: () => void): () => void {
    this.#ticks.add(tick);
    return () => this.#ticks.delete(tick);
  }

  /** Moves time, and lets grants be renewed. */
  async pass(ms: number): Promise<void> {
    this.nowMs += ms;
    for (const tick of this.#ticks) tick();
    for (let round = 0; round < 20; round++) await Promise.resolve();
  }

  source(cacheEntries = 1_000): WebhookSource {
    return new WebhookSource({
      endpoint: this,
      clock: this,
      cacheForMs: 30_000,
      cacheEntries,
      requestsAtOnce: 2,
    });
  }
}

function topicsOf(words: readonly string[]): string[] {
  return words.flatMap((word) => /^PUBLISH \d+ (\S+)/.exec(word)?.[1] ?? []);
}

describe("WebhookSource", () => {
  it("tells the server everything that the answer may depend on", async () => {
    const service = new Service();
    const client = someone({ username: "anna", clientId: "c1", claims: new Map([["site", "s1"]]) });
    const access = service.source().accessOf(client);
    assert.equal(await access.publish("a/b", 1, true), "allow");
    assert.equal(await access.subscribe("a/#", 2, "g"), 2);
    const about = {
      clientId: "c1",
      username: "anna",
      account: "anna",
      remoteAddress: "192.0.2.1",
      listener: "tcp",
      protocolVersion: 5,
      claims: { site: "s1" },
    };
    assert.deepEqual(service.asked, [
      { action: "publish", topic: "a/b", qos: 1, retain: true, ...about },
      { action: "subscribe", topic: "a/#", qos: 2, shareName: "g", ...about },
    ]);
  });

  it("remembers answers for 30 seconds, by the whole question and no part of it - attack AUTHZ-14", async () => {
    const service = new Service();
    service.answer = ({ topic, clientId }) => ({
      result: topic === "yes" && clientId === "c" ? "allow" : "deny",
    });
    const source = service.source();
    const long = "c".repeat(5_000);
    const ask = async (
      client: Partial<ClientInfo>,
      topic: string,
      qos: 0 | 1,
      retain: boolean,
    ): Promise<unknown> => source.accessOf(someone(client)).publish(topic, qos, retain);
    const variants: readonly (readonly [Partial<ClientInfo>, string, 0 | 1, boolean])[] = [
      [{}, "yes", 0, false],
      [{}, "yes", 1, false],
      [{}, "yes", 0, true],
      [{}, "no", 0, false],
      [{ username: "u" }, "yes", 0, false],
      [{ clientId: `${long}1` }, "yes", 0, false],
      [{ clientId: `${long}2` }, "yes", 0, false],
      [{ listener: "other" }, "yes", 0, false],
      [{ claims: new Map([["x", 1]]) }, "yes", 0, false],
    ];
    const first = [];
    for (const variant of variants) first.push(await ask(...variant));
    assert.equal(service.asked.length, variants.length);
    const again = [];
    for (const variant of variants) again.push(await ask(...variant));
    assert.deepEqual(again, first);
    assert.equal(service.asked.length, variants.length);
    assert.deepEqual(new Set(first), new Set(["allow", "deny"]));
    service.nowMs += 30_000;
    await ask({}, "yes", 0, false);
    assert.equal(service.asked.length, variants.length + 1);
  });

  it("remembers no more than it may - attack AUTHZ-14", async () => {
    const service = new Service();
    const access = service.source(10).accessOf(someone());
    for (let index = 0; index < 100; index++) await access.publish(`t/${index}`, 0, false);
    for (let index = 90; index < 100; index++) await access.publish(`t/${index}`, 0, false);
    assert.equal(service.asked.length, 100);
    await access.publish("t/0", 0, false);
    assert.equal(service.asked.length, 101);
  });

  it("asks once when many ask the same at the same time", async () => {
    const service = new Service();
    const access = service.source().accessOf(someone());
    const answers = await Promise.all(Array.from({ length: 50 }, async () => access.publish("a", 0, false)));
    assert.deepEqual(new Set(answers), new Set(["allow"]));
    assert.equal(service.asked.length, 1);
  });

  it("whatever is no answer refuses", async () => {
    const service = new Service();
    const access = service.source().accessOf(someone());
    for (const answer of [undefined, null, "allow", { result: "ALLOW" }, { result: true }, ["allow"], {}]) {
      service.answer = () => answer;
      await assert.rejects(Promise.resolve(access.publish("a", 0, false)), { code: "HTTP_FAILED" });
      await assert.rejects(Promise.resolve(access.subscribe("a", 0, undefined)), { code: "HTTP_FAILED" });
    }
    service.answer = () => ({ result: "ignore" });
    assert.equal(await access.publish("a", 0, false), undefined);
    assert.equal(await access.subscribe("a", 0, undefined), undefined);
    assert.equal(access.receive("a"), undefined);
  });

  it("closes what it opened", () => {
    const service = new Service();
    const source = service.source();
    source.start(() => undefined);
    source.stop();
    assert.equal(service.isClosed, true);
  });
});

describe("a broker that asks", () => {
  async function start(service: Service): Promise<MemoryBroker> {
    const permissions = await PermissionChain.open(() => Promise.resolve([service.source()]));
    return MemoryBroker.start({ permissions, hooks: { connect: () => undefined } });
  }

  async function lasting(
    broker: MemoryBroker,
    name: string,
  ): Promise<{ client: TestClient; words: string[] }> {
    const client = broker.client(name);
    const properties = { sessionExpiryInterval: 3600 };
    return { client, words: await client.connect({ cleanStart: false, username: name, properties }) };
  }

  it("delivers by what was granted, and what waited for a client after a restart of its connection too", async () => {
    const service = new Service();
    service.answer = ({ topic }) => ({ result: String(topic).startsWith("secret") ? "deny" : "allow" });
    const broker = await start(service);
    const { client } = await lasting(broker, "u");
    assert.deepEqual(await client.subscribe(["a/#", "secret/#"]), ["SUBACK 1 0x02 0x87"]);
    const { client: publisher } = await lasting(broker, "p");
    await publisher.publish({ topicName: "a/1", qos: 1 });
    assert.deepEqual(topicsOf(client.words()), ["a/1"]);
    await client.drop();
    await publisher.publish({ topicName: "a/2", qos: 1 });
    // Longer than any answer is believed.
    await service.pass(120_000);
    const { words } = await lasting(broker, "u");
    assert.deepEqual(topicsOf(words), ["a/1", "a/2"]);
  });

  it("ends subscriptions that the server does not allow any more, after the time of an answer - attack AUTHZ-06", async () => {
    const service = new Service();
    const broker = await start(service);
    const { client } = await lasting(broker, "u");
    await client.subscribe(["a/#", "b"]);
    service.answer = ({ topic }) => ({ result: topic === "a/#" ? "deny" : "allow" });
    await service.pass(29_000);
    await broker.settle();
    assert.equal(broker.counters.subscribeForbidden, 0);
    await service.pass(1_000);
    await broker.settle();
    assert.equal(broker.counters.subscribeForbidden, 1);
    const { client: publisher } = await lasting(broker, "p");
    await publisher.publish({ topicName: "a/1", qos: 1 });
    await publisher.publish({ topicName: "b", qos: 1 });
    assert.deepEqual(topicsOf(client.words()), ["b"]);
  });

  it("while the server is down: nothing new is allowed, nothing that waits is lost", async () => {
    const service = new Service();
    const broker = await start(service);
    const { client } = await lasting(broker, "u");
    const { client: away } = await lasting(broker, "w");
    const { client: publisher } = await lasting(broker, "p");
    await client.subscribe("a");
    await away.subscribe("a");
    await away.drop();
    await publisher.publish({ topicName: "a", qos: 1 });
    service.answer = () => {
      throw new Error("down");
    };
    await service.pass(60_000);
    assert.deepEqual(topicsOf(client.words()), ["a"]);
    // Nothing new.
    assert.match((await publisher.publish({ topicName: "a", qos: 1 })).join(), /PUBACK \d+ 0x87/);
    assert.deepEqual(await client.subscribe("b"), ["SUBACK 2 0x87"]);
    // The session keeps what it has: its client is told to come later.
    assert.deepEqual((await lasting(broker, "w")).words, ["CONNACK 0x88 present=0"]);
    service.answer = () => ({ result: "allow" });
    assert.deepEqual(topicsOf((await lasting(broker, "w")).words), ["a"]);
    await publisher.publish({ topicName: "a", qos: 1 });
    assert.deepEqual(topicsOf(client.words()), ["a"]);
  });
});

describe("permissions: webhook", () => {
  it("asks over HTTP", async (context) => {
    const seen: unknown[] = [];
    const server = createServer((request, response) => {
      let text = "";
      request.on("data", (chunk: Buffer) => (text += chunk.toString()));
      request.on("end", () => {
        const question = JSON.parse(text);
        seen.push([request.method, request.url, question.action, question.topic]);
        response.setHeader("content-type", "application/json");
        response.end(JSON.stringify({ result: question.topic === "a" ? "allow" : "deny" }));
      });
    }).listen(0, "127.0.0.1");
    context.after(() => server.close());
    await once(server, "listening");
    const address = server.address();
    assert.ok(typeof address === "object" && address !== null);
    const broker = await createBroker({
      port: 0,
      store: "memory",
      permissions: [{ webhook: { url: `http://127.0.0.1:${address.port}/may`, timeoutMs: 5_000 } }],
    });
    context.after(() => broker.stop());
    const { connectAsync } = await import("mqtt");
    const client = await connectAsync(`mqtt://127.0.0.1:${broker.listeners[0]?.port ?? 0}`, {
      protocolVersion: 5,
    });
    context.after(() => client.endAsync(true));
    // MQTT.js rejects because of the refused one; both were asked about.
    await client.subscribeAsync({ a: { qos: 1 }, b: { qos: 1 } }).catch(() => undefined);
    await client.publishAsync("a", "x", { qos: 1 });
    await assert.rejects(client.publishAsync("b", "x", { qos: 1 }), /Not authorized/i);
    assert.deepEqual(seen.map(String).sort(), [
      "POST,/may,publish,a",
      "POST,/may,publish,b",
      "POST,/may,subscribe,a",
      "POST,/may,subscribe,b",
    ]);
  });
});
