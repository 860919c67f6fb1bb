// The server as a process under attack: its log, its memory, faults in it, and the debugger.

import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import mqtt, { type MqttClient } from "mqtt";
import { newDirectory, ServerProcess } from "./support.ts";

interface Started {
  readonly server: ServerProcess;
  readonly port: number;
}

async function started(
  context: TestContext,
  configuration: string,
  under: readonly string[] = [],
): Promise<Started> {
  const directory = await newDirectory(context);
  await writeFile(join(directory, "c.yaml"), `store: memory\nlisteners: [{ port: 0 }]\n${configuration}`);
  const server = new ServerProcess(context, ["--config", "c.yaml"], directory, under);
  const [, port] = await server.untilOutput(/listening on {2}mqtt:\/\/127\.0\.0\.1:(\d+)/);
  await server.untilOutput(/storing in .*\n/);
  return { server, port: Number(port) };
}

async function client(context: TestContext, port: number, clientId = "one"): Promise<MqttClient> {
  const made = await mqtt.connectAsync(`mqtt://127.0.0.1:${port}`, {
    reconnectPeriod: 0,
    protocolVersion: 5,
    clientId,
  });
  context.after(() => made.end(true));
  made.on("error", () => {});
  return made;
}

/** The program that brings the fault in, in front of the server. */
function withFault(source: string): string[] {
  return ["env", `NODE_OPTIONS=--import=data:text/javascript,${encodeURIComponent(source)}`];
}

describe("the log of the server", () => {
  it("has no line that a client wrote, and no payloads - attack LOG-01, attack LOG-04", async (context) => {
    const { server, port } = await started(context, "controlCharacters: everywhere\n");
    const name = 'x\r\nwarning: forged\u001b[2J\u202e" %s';
    const one = await client(context, port, name);
    // Too many levels: the server ends the connection, and says whose it was.
    const closed = new Promise<void>((resolve) => one.once("close", () => resolve()));
    one.publish(`canary${"/".repeat(200)}`, "canary-payload");
    await closed;
    await server.untilErrors(/disconnected: .*\n/);
    assert.match(server.errors, /client "x\\r\\nwarning: forged\\u001b\[2J\\u\{202e\}\\" %s": .*\(0x90\)\n/);
    assert.doesNotMatch(server.errors, /^warning: forged|canary/m);
    assert.ok(!server.errors.includes("\u001b") && !server.errors.includes("\u202e"));
  });

  it("stays small under 10,000 bad connections - attack LOG-02", async (context) => {
    const { server, port } = await started(context, "");
    for (let round = 0; round < 50; round++) {
      await Promise.all(
        Array.from({ length: 200 }, async () => {
          const socket = connect(port, "127.0.0.1");
          socket.on("error", () => {}).resume();
          // No packet of MQTT begins like this.
          socket.write(Uint8Array.of(0xf0, 0xff, 0xff, 0xff, 0xff));
          if (!socket.closed) await once(socket, "close");
        }),
      );
    }
    await client(context, port);
    const lines = server.errors.split("\n").filter((line) => line.startsWith("refused: "));
    assert.ok(lines.length >= 1 && lines.length <= 2, server.errors);
    assert.ok(server.errors.length < 4_096);
  });
});

describe("the server above its ceiling of memory", () => {
  it("refuses step by step, says so, and still serves - attack MEM-02", async (context) => {
    const { server, port } = await started(context, "memoryBytes: 1MiB\n");
    const one = await client(context, port);
    await server.untilErrors(/memory: .* new messages are refused too\n/);
    await assert.rejects(one.publishAsync("t", "x", { qos: 1 }), { code: 0x97 });
    await assert.rejects(client(context, port, "two"), { code: 0x89 });
    // The one that was there before is still served.
    const granted = await one.subscribeAsync("t");
    assert.equal(granted[0]?.qos, 0);
    assert.equal(server.process.exitCode, null);
  });
});

describe("a fault in the server", () => {
  for (const [what, statement] of [
    ["throws", 'throw new Error("canary\\nwarning: forged")'],
    ["rejects", 'Promise.reject(new Error("canary\\nwarning: forged"))'],
  ] as const) {
    it(`ends it with 70 and the place of the fault when something ${what} - attack JS-02`, async (context) => {
      const fault = `process.on("SIGUSR2", () => { setTimeout(() => { ${statement}; }, 0); });`;
      const { server } = await started(context, "", withFault(fault));
      server.process.kill("SIGUSR2");
      assert.equal(await server.exit(), 70);
      assert.match(server.errors, /^heirloom: internal error: canary\\u\{a\}warning: forged\n +at /m);
    });
  }
});

describe("the server as root", () => {
  it("says loudly that it should not be - attack CFG-05", async (context) => {
    const { server } = await started(context, "");
    server.process.kill("SIGTERM");
    assert.equal(await server.exit(), 0);
    const isRoot = process.getuid?.() === 0;
    assert.equal(/^warning: running as root: /m.test(server.errors), isRoot);
  });
});

describe("the debugger of Node", () => {
  it("is not opened by SIGUSR1 - attack JS-06", async (context) => {
    const { server, port } = await started(context, "");
    server.process.kill("SIGUSR1");
    await server.untilErrors(/SIGUSR1: ignored/);
    await client(context, port);
    assert.doesNotMatch(server.errors, /Debugger listening/);
  });
});
