// SIGHUP and the configuration file: what takes effect at once, what waits for a restart, and what changes nothing.

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { ConfigError, type PermissionOptions } from "heirloom";
import { createTestBroker } from "heirloom/testing";
import mqtt, { type MqttClient } from "mqtt";
import { newDirectory, ServerProcess } from "./support.ts";

interface Started {
  readonly server: ServerProcess;
  /** Replaces the file, and sends SIGHUP. */
  readonly change: (text: string) => Promise<void>;
  readonly client: MqttClient;
}

const LISTENER = "store: memory\nlisteners: [{ port: 0 }]\n";

function rulesFor(topic: string): string {
  return `permissions:\n  - rules:\n      - { allow: all, topics: "${topic}" }\n`;
}

async function started(context: TestContext, text: string): Promise<Started> {
  const directory = await newDirectory(context);
  const file = join(directory, "heirloom.yaml");
  await writeFile(file, text);
  const server = new ServerProcess(context, ["--config", file], directory);
  const [, port] = await server.untilOutput(/mqtt:\/\/127\.0\.0\.1:(\d+)/);
  await server.untilOutput(/storing in/);
  const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${port}`, {
    protocolVersion: 5,
    reconnectPeriod: 0,
  });
  context.after(() => client.end(true));
  const change = async (next: string): Promise<void> => {
    server.output = "";
    server.errors = "";
    await writeFile(file, next);
    server.process.kill("SIGHUP");
  };
  return { server, change, client };
}

async function mayPublish(client: MqttClient, topic: string): Promise<boolean> {
  return client.publishAsync(topic, "x", { qos: 1 }).then(
    () => true,
    () => false,
  );
}

describe("SIGHUP", () => {
  it("takes the rules of the configuration file anew, for connected clients too - attack AUTHZ-06", async (context) => {
    const { server, change, client } = await started(context, LISTENER + rulesFor("a/#"));
    const came: string[] = [];
    client.on("message", (topic) => came.push(topic));
    await client.subscribeAsync("a/#");
    assert.deepEqual([await mayPublish(client, "a/1"), await mayPublish(client, "b/1")], [true, false]);
    await change(LISTENER + rulesFor("b/#"));
    await server.untilOutput(/SIGHUP: files were read anew\n/);
    assert.deepEqual([await mayPublish(client, "a/2"), await mayPublish(client, "b/2")], [false, true]);
    assert.deepEqual(came, ["a/1"]);
    assert.doesNotMatch(server.errors, /SIGHUP/);
  });

  it("changes nothing when the file is wrong, and says in which line - attack CFG-01", async (context) => {
    const { server, change, client } = await started(context, LISTENER + rulesFor("a/#"));
    for (const [wrong, message] of [
      [LISTENER + rulesFor("b/#/c"), /SIGHUP: nothing was changed: .*heirloom\.yaml:5: .*topics/],
      [`${LISTENER}publishRat: 5\n${rulesFor("b/#")}`, /heirloom\.yaml:3: publishRat: .*publishRate/],
      ["listeners: [", /SIGHUP: nothing was changed: /],
      [LISTENER, /permissions: they are in the file no more; expected a restart/],
    ] as const) {
      await change(wrong);
      await server.untilErrors(message);
      assert.deepEqual([await mayPublish(client, "a/1"), await mayPublish(client, "b/1")], [true, false]);
    }
    assert.equal(server.output, "");
  });

  it("says which other options of the file wait for a restart", async (context) => {
    const { server, change, client } = await started(context, LISTENER);
    const next = "store: memory\nlisteners: [{ port: 0, connections: 5 }]\npublishRate: 5\nconnectRate: 7\n";
    await change(next);
    await server.untilErrors(/these change at the next start only: listeners, connectRate, publishRate\n/);
    assert.ok(await mayPublish(client, "a"));
    await change(LISTENER + rulesFor("a"));
    await server.untilErrors(/permissions: they are new in the file; expected a restart/);
  });
});

describe("a program", () => {
  const rules = (topics: string): readonly PermissionOptions[] => [{ rules: [{ allow: "all", topics }] }];

  it("gives other permissions to a broker that runs; files of the new ones are the ones that are read anew", async (context) => {
    const directory = await newDirectory(context);
    const rulesFile = join(directory, "rules.yaml");
    const broker = await createTestBroker({ permissions: rules("a") });
    context.after(() => broker.stop());
    const client = new mqtt.MqttClient(() => broker.connect(), { protocolVersion: 5, reconnectPeriod: 0 });
    context.after(() => client.end(true));
    assert.deepEqual([await mayPublish(client, "a"), await mayPublish(client, "b")], [true, false]);
    await writeFile(rulesFile, '- { allow: all, topics: "b" }\n');
    await broker.reload({ permissions: [{ rulesFile }] });
    assert.deepEqual([await mayPublish(client, "a"), await mayPublish(client, "b")], [false, true]);
    await writeFile(rulesFile, '- { allow: all, topics: "c" }\n');
    await broker.reload();
    assert.deepEqual([await mayPublish(client, "b"), await mayPublish(client, "c")], [false, true]);
  });

  it("gives wrong ones in vain", async (context) => {
    const broker = await createTestBroker({ permissions: rules("a") });
    const open = await createTestBroker();
    context.after(() => Promise.all([broker.stop(), open.stop()]));
    await assert.rejects(broker.reload({ permissions: rules("a/#/b") }), ConfigError);
    await assert.rejects(broker.reload({ permissions: [{ rulesFile: "/nowhere/rules" }] }), ConfigError);
    await assert.rejects(open.reload({ permissions: rules("a") }), /permissions: .*expected a restart/);
    const client = new mqtt.MqttClient(() => broker.connect(), { protocolVersion: 5, reconnectPeriod: 0 });
    context.after(() => client.end(true));
    assert.ok(await mayPublish(client, "a"));
  });
});
