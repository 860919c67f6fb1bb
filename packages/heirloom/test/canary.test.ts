// Secrets in every field that has one, and then a look at everything that comes out: events, errors, counters, the process.

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { inspect } from "node:util";
import { createPublish, PacketType } from "@heirloom/codec";
import { createBroker, type Authentication, type Broker, type BrokerEvents } from "heirloom";
import { createTestBroker } from "heirloom/testing";
import { logTo } from "../dist/cli/log.js";
import { connectTcp, newDirectory, ServerProcess } from "./support.ts";
import { WireClient } from "./wire-client.ts";

const EVENTS: readonly (keyof BrokerEvents)[] = [
  "connected",
  "disconnected",
  "refused",
  "subscribed",
  "unsubscribed",
  "sessionEnded",
  "discarded",
  "willPublished",
  "damaged",
  "storeFull",
  "storeFailed",
  "warning",
];

/** Everything that `broker` tells, as it would be printed. */
function overheard(broker: Broker): string[] {
  const heard: string[] = [];
  for (const name of EVENTS) {
    broker.on(name, (event) =>
      heard.push(inspect(event, { depth: null, showHidden: true }), JSON.stringify(event)),
    );
  }
  return heard;
}

/** A webhook that answers with what it was told, as badly as it can. */
async function echo(context: TestContext): Promise<number> {
  const server = createServer((request, response) => {
    const text = `${request.headers.authorization ?? ""} ${request.url ?? ""}`;
    request
      .on("data", () => {})
      .on("end", () => {
        response.setHeader("content-type", "application/json").end(`{"result": ${text}`);
      });
  }).listen(0, "127.0.0.1");
  context.after(() => {
    server.close();
    server.closeAllConnections();
  });
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

async function files(context: TestContext): Promise<{ directory: string; authentication: Authentication[] }> {
  const directory = await newDirectory(context);
  const port = await echo(context);
  await writeFile(join(directory, "token"), "canary-hook-token", { mode: 0o644 });
  await writeFile(join(directory, "secret"), "canary-secret-of-thirty-two-bytes", { mode: 0o644 });
  await writeFile(join(directory, "passwords"), "# nobody yet\n", { mode: 0o644 });
  const authentication: Authentication[] = [
    { passwordFile: join(directory, "passwords") },
    { jwt: { secretFile: join(directory, "secret") } },
    { scram: { passwordFile: join(directory, "passwords") } },
    {
      webhook: {
        url: `http://127.0.0.1:${port}/login?key=canary-query`,
        bearerTokenFile: join(directory, "token"),
      },
    },
  ];
  return { directory, authentication };
}

const TOKEN = `eyJhbGciOiJIUzI1NiJ9.${Buffer.from('{"sub":"canary-sub"}').toString("base64url")}.AAAA`;

/** Logs in with secrets in every field. */
async function attempts(connect: () => Promise<WireClient>): Promise<void> {
  for (const password of ["canary-password", TOKEN]) {
    const client = await connect();
    assert.notEqual(await client.connect({ username: "alice", password }), 0);
    client.stream.destroy();
  }
  for (const authenticationData of ["n,,n=alice,r=canary-nonce", "canary-data", "c=biws,r=canary,p=canary"]) {
    const client = await connect();
    const properties = {
      authenticationMethod: "SCRAM-SHA-256",
      authenticationData: Buffer.from(authenticationData),
    };
    await client.connect({ properties });
    client.stream.destroy();
  }
}

describe("a secret", () => {
  it("is in no event, no error and no counter - attack AUTHN-14", async (context) => {
    const { directory, authentication } = await files(context);
    const broker = await createBroker({ listeners: [{ port: 0 }], store: "memory", authentication });
    context.after(() => broker.stop());
    const heard = overheard(broker);
    const port = broker.listeners[0]?.port ?? 0;
    await attempts(async () => new WireClient(await connectTcp(context, port)));
    assert.ok(heard.some((text) => text.includes("who this is cannot be found out")));
    assert.ok(broker.counters.authenticationErrors > 0);
    await writeFile(join(directory, "passwords"), "alice:canary-clear-text\ncanary-line\n");
    const error: unknown = await broker.reload().catch((caught: unknown) => caught);
    assert.match(String(error), /passwords:1: /);
    const printed = [
      ...heard,
      inspect(error, { depth: null }),
      JSON.stringify(error),
      inspect(broker.counters),
    ];
    printed.push(inspect(broker, { depth: null, showHidden: true }));
    for (const text of printed) assert.doesNotMatch(text, /canary/);
  });

  it("in what a hook throws is told to the application alone - attack AUTHN-14, attack JS-02", async (context) => {
    const error = new Error("canary");
    const broker = await createTestBroker({ hooks: { publish: () => Promise.reject(error) } });
    context.after(() => broker.stop());
    const heard = overheard(broker);
    const lines: string[] = [];
    logTo((line) => void lines.push(line), broker);
    const failures: Error[] = [];
    broker.on("hookFailed", (event) => void failures.push(event.error));
    const client = new WireClient(broker.connect());
    await client.connect();
    client.send(createPublish({ topicName: "t" }));
    const answer = await client.next();
    assert.ok(answer !== "closed" && answer.type === PacketType.DISCONNECT);
    assert.deepEqual(failures, [error]);
    assert.deepEqual(lines, ["a hook failed: attached: Error"]);
    for (const text of [...heard, inspect(answer)]) assert.doesNotMatch(text, /canary/);
  });

  it("is in nothing that the server prints - attack AUTHN-14, attack CFG-04", async (context) => {
    const { directory, authentication } = await files(context);
    const config = join(directory, "heirloom.yaml");
    const listeners = [{ port: 0, host: "127.0.0.1" }];
    await writeFile(config, JSON.stringify({ store: "memory", listeners, authentication }));
    const server = new ServerProcess(context, ["--config", config], directory);
    const [, port] = await server.untilOutput(/listening on {2}mqtt:\/\/127\.0\.0\.1:(\d+)/);
    await attempts(async () => new WireClient(await connectTcp(context, Number(port))));
    await writeFile(join(directory, "passwords"), "alice:canary-clear-text\n");
    server.process.kill("SIGHUP");
    await server.untilErrors(/SIGHUP: nothing was changed: .*passwords:1: .*\n/);
    server.process.kill("SIGTERM");
    assert.equal(await server.exit(), 0);
    assert.match(server.errors, /warning: .*secret can be read by every user/);
    assert.match(server.errors, /warning: webhook: .*is not JSON/);
    assert.doesNotMatch(server.output + server.errors, /canary/);
  });
});
