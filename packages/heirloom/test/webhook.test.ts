// A server that is asked who a client is: what it is asked, what its answers mean, and that no fault of it lets anybody in.

import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import type { WebhookFields } from "heirloom";
import { createTestBroker, type TestBroker } from "heirloom/testing";
import { newDirectory } from "./support.ts";
import { tryLogin, WireClient } from "./wire-client.ts";

interface Asked {
  readonly body: Record<string, unknown>;
  readonly authorization: string | undefined;
}

interface Hook {
  readonly broker: TestBroker;
  readonly asked: Asked[];
  readonly port: number;
}

type Answering = (response: ServerResponse, request: IncomingMessage) => void;

const json =
  (value: unknown): Answering =>
  (response) =>
    void response.setHeader("content-type", "application/json").end(JSON.stringify(value));

async function hooked(
  context: TestContext,
  answer: Answering,
  fields: Partial<WebhookFields> = {},
): Promise<Hook> {
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    const chunks: Uint8Array[] = [];
    request.on("data", (chunk: Uint8Array) => chunks.push(chunk));
    request.on("end", () => {
      const text = Buffer.concat(chunks).toString();
      if (text !== "") asked.push({ body: JSON.parse(text), authorization: request.headers.authorization });
      answer(response, request);
    });
  }).listen(0, "127.0.0.1");
  context.after(() => {
    server.close();
    server.closeAllConnections();
  });
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const broker = await createTestBroker({
    // Names with control characters are refused before anybody is asked, unless this says otherwise.
    limits: { controlCharacters: "everywhere" },
    authentication: [{ webhook: { url: `http://127.0.0.1:${port}/login?key=canary`, ...fields } }],
  });
  context.after(() => broker.stop());
  return { broker, asked, port };
}

describe("a webhook", () => {
  it("is told what is known of the client, and says who it is", async (context) => {
    const tokenFile = join(await newDirectory(context), "token");
    await writeFile(tokenFile, "hook-token\n", { mode: 0o600 });
    const answer = json({ result: "allow", account: "owner", claims: { group: "g" } });
    const { broker, asked } = await hooked(context, answer, { bearerTokenFile: tokenFile });
    const clients: unknown[] = [];
    broker.on("connected", ({ client }) => void clients.push([client.account, client.claims.get("group")]));
    const odd = "a\r\nx: y\0\"'$(id) %s ${x}";
    assert.equal(
      await tryLogin(
        broker,
        { clientId: "d1", username: "alice", password: odd },
        { remoteAddress: "192.0.2.1:7" },
      ),
      0,
    );
    assert.equal(asked.length, 1);
    assert.deepEqual(asked[0], {
      body: {
        clientId: "d1",
        username: "alice",
        password: odd,
        remoteAddress: "192.0.2.1",
        listener: "attached",
        protocolVersion: 5,
      },
      authorization: "Bearer hook-token",
    });
    assert.deepEqual(clients, [["owner", "g"]]);
    assert.equal(await tryLogin(broker, { clientId: "d1", password: Buffer.from([0xff, 0]) }), 0);
    assert.equal(asked[1]?.body["passwordBase64"], "/wA=");
  });

  it("carries hostile names as data, whatever language they are of - attack AUTHZ-02", async (context) => {
    const { broker, asked } = await hooked(context, json({ result: "allow" }), { cacheForMs: 0 });
    const names = [
      "' OR 1=1 --",
      "*)(uid=*",
      "a\r\nHost: x",
      "../../etc",
      "{{7*7}}",
      "%0d%0a",
      '","result":"allow',
      ".*",
    ];
    for (const username of names) assert.equal(await tryLogin(broker, { username, password: "x" }), 0);
    assert.deepEqual(
      asked.map(({ body }) => body["username"]),
      names,
    );
  });

  it("denies, and leaves clients to the next one", async (context) => {
    const denied = await hooked(context, json({ result: "deny" }));
    assert.equal(await tryLogin(denied.broker, { username: "a", password: "b" }), 0x86);
    const ignored = await hooked(context, json({ result: "ignore" }));
    assert.equal(await tryLogin(ignored.broker, { username: "a", password: "b" }), 0x86);
    assert.equal(await tryLogin(ignored.broker, {}), 0x87);
  });

  it("remembers an answer to the very same question, for a while", async (context) => {
    const { broker, asked } = await hooked(context, json({ result: "allow" }), { cacheForMs: 10_000 });
    const init = { username: "alice", password: "x" };
    for (let count = 0; count < 5; count++) assert.equal(await tryLogin(broker, init), 0);
    assert.equal(asked.length, 1);
    for (const other of [{ password: "y" }, { username: "bob" }, { clientId: "d" }]) {
      await tryLogin(broker, { ...init, ...other });
    }
    assert.equal(asked.length, 4);
    await broker.advance("10s");
    await tryLogin(broker, init);
    assert.equal(asked.length, 5);
  });

  it("says how long a client may stay, also when the answer is remembered - attack AUTHN-10", async (context) => {
    const { broker, asked } = await hooked(context, json({ result: "allow", account: "a", expiresIn: 5 }));
    const first = new WireClient(broker.connect());
    assert.equal(await first.connect({ username: "a", password: "x" }), 0);
    await broker.advance("3s");
    const second = new WireClient(broker.connect());
    assert.equal(await second.connect({ username: "a", password: "x" }), 0);
    assert.equal(asked.length, 1);
    assert.equal(await first.disconnected(), 0x8e);
    await broker.advance("2s");
    assert.equal(await second.disconnected(), 0x87);
  });

  for (const [what, answer] of [
    ["status 500", (response) => void response.writeHead(500).end('{"result":"allow"}')],
    ["status 204", (response) => void response.writeHead(204).end()],
    [
      "another type",
      (response) => void response.setHeader("content-type", "text/html").end('{"result":"allow"}'),
    ],
    ["nothing", (response) => void response.setHeader("content-type", "application/json").end()],
    [
      "what is no JSON",
      (response) => void response.setHeader("content-type", "application/json").end("allow"),
    ],
    ["JSON without a result", json({})],
    ["another result", json({ result: "Allow" })],
    ["a result in a list", json([{ result: "allow" }])],
    ["a result that is true", json({ result: true })],
    ["null", json(null)],
    ["an account that is none", json({ result: "allow", account: "a\0b" })],
    ["an account that is a number", json({ result: "allow", account: 7 })],
    ["claims that are none", json({ result: "allow", claims: [1] })],
    ["an end in the past", json({ result: "allow", expiresIn: -1 })],
    ["too much", json({ result: "allow", more: "x".repeat(70_000) })],
    ["a connection that breaks", (response) => void response.destroy()],
    [
      "an answer that breaks off",
      (response) => {
        response.writeHead(200, { "content-type": "application/json", "content-length": 100 });
        response.write('{"result":"allow"}', () => response.destroy());
      },
    ],
    ["nothing in time", () => {}],
    [
      "an answer that never ends",
      (response) => void response.writeHead(200, { "content-type": "application/json" }).write("{"),
    ],
  ] as const satisfies readonly (readonly [string, Answering])[]) {
    it(`lets nobody in with ${what} - attack AUTHN-07`, async (context) => {
      const { broker } = await hooked(context, answer, { timeoutMs: 200 });
      const warnings: string[] = [];
      broker.on("warning", ({ message }) => void warnings.push(message));
      assert.equal(await tryLogin(broker, { username: "alice", password: "secret" }), 0x88);
      assert.equal(broker.counters.authenticationErrors, 1);
      assert.equal(warnings.length, 1);
      assert.match(warnings[0] ?? "", /^webhook: http:\/\/127\.0\.0\.1:\d+\/login: /);
      assert.doesNotMatch(warnings[0] ?? "", /canary|secret/);
    });
  }

  it("is not followed elsewhere - attack AUTHN-07", async (context) => {
    const elsewhere = await hooked(context, json({ result: "allow" }));
    const location = `http://127.0.0.1:${elsewhere.port}/`;
    for (const status of [301, 302, 307, 308]) {
      const answer: Answering = (response) => void response.writeHead(status, { location }).end();
      const { broker } = await hooked(context, answer);
      assert.equal(await tryLogin(broker, { username: "alice", password: "secret" }), 0x88);
    }
    assert.equal(elsewhere.asked.length, 0);
  });

  it("is left alone after five failures in a row, and asked again later - attack AUTHN-07", async (context) => {
    let isDown = true;
    const { broker, asked } = await hooked(context, (response, request) => {
      if (isDown) response.writeHead(503).end();
      else json({ result: "allow" })(response, request);
    });
    for (let count = 0; count < 20; count++) {
      assert.equal(await tryLogin(broker, { username: "alice", password: "x" }), 0x88);
    }
    assert.equal(asked.length, 5);
    isDown = false;
    await broker.advance("5s");
    assert.equal(await tryLogin(broker, { username: "alice", password: "x" }), 0);
  });

  it("is asked by so many at once, and no more wait than may - attack AUTHN-07", async (context) => {
    const held: (() => void)[] = [];
    let isHolding = true;
    const { broker, asked } = await hooked(
      context,
      (response, request) => {
        const answer = (): void => json({ result: "allow" })(response, request);
        if (isHolding) held.push(answer);
        else answer();
      },
      { requestsAtOnce: 1, requestsWaiting: 1 },
    );
    const clients = [0, 1, 2].map((index) =>
      new WireClient(broker.connect()).connect({ clientId: `c${index}`, username: `u${index}` }),
    );
    assert.equal(await Promise.race(clients), 0x88);
    isHolding = false;
    // The first question may still be on its way; then it is answered when it comes.
    for (const answer of held) answer();
    assert.deepEqual((await Promise.all(clients)).sort(), [0, 0, 0x88]);
    assert.equal(asked.length, 2);
  });
});
