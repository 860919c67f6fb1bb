// Node-RED's own MQTT nodes: a flow takes messages from one topic and hands them on to another. Node-RED is large and no
// dependency of ours: it is installed into npm's cache folder of this clone the first time.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { PacketType, type Publish } from "@heirloom/codec";
import { directoryFor } from "./src/directory.ts";
import { Program } from "./src/program.ts";
import { ServerProcess } from "./src/server.ts";
import { WireClient } from "./src/wire-client.ts";

const CACHE = fileURLToPath(new URL("../../../node_modules/.cache/heirloom-node-red", import.meta.url));
const NODE_RED = join(CACHE, "node_modules/node-red/red.js");
/** Milliseconds. It downloads about 300 packages. */
const INSTALL_LIMIT_MS = 240_000;

// Identifiers in the flow; no other value may be the same as one of them.
const FLOW = "flow-tab";
const BROKER = "flow-broker";

const absent = await install();

for (const [name, protocolVersion] of [
  ["3.1.1", 4],
  ["5.0", 5],
] as const) {
  test(
    `Node-RED's nodes hand on messages of every QoS, MQTT ${name}`,
    { skip: absent ?? false },
    async (t) => {
      const server = await ServerProcess.start({ data: await directoryFor(t, "node-red-data") });
      t.after(() => server.kill());
      const { client } = await WireClient.connect({ port: server.port, clientId: "test" });
      await client.subscribe("out", 2);
      const nodeRed = await startNodeRed(
        await directoryFor(t, "node-red"),
        flow(server.port, protocolVersion),
      );
      t.after(() => nodeRed.kill());
      await client.subscribe("ready", 1);
      // Retained: it may be there before or after we subscribe.
      assert.equal(textOf(await nextMessage(client)), "yes", "its birth message");
      for (const qos of [0, 1, 2] as const) {
        client.publish({
          topicName: "in",
          payload: Buffer.from(`message ${qos}`),
          qos,
          packetId: qos === 0 ? 0 : qos,
        });
        const message = await nextMessage(client);
        assert.deepEqual([textOf(message), message.qos, message.retain], [`message ${qos}`, qos, false]);
      }
      await nodeRed.kill();
      assert.equal(textOf(await nextMessage(client)), "no", "its will");
    },
  );
}

/** The next message; handshakes are completed on the way to it. */
async function nextMessage(client: WireClient): Promise<Publish> {
  for (;;) {
    const packet = await client.next();
    if (packet.type === PacketType.PUBREC) client.ack(PacketType.PUBREL, packet.packetId);
    if (packet.type !== PacketType.PUBLISH) continue;
    if (packet.qos === 1) client.ack(PacketType.PUBACK, packet.packetId);
    if (packet.qos === 2) client.ack(PacketType.PUBREC, packet.packetId);
    return packet;
  }
}

async function startNodeRed(userDirectory: string, nodes: readonly object[]): Promise<Program> {
  await writeFile(join(userDirectory, "flows.json"), JSON.stringify(nodes));
  await writeFile(
    join(userDirectory, "settings.js"),
    `module.exports = { flowFile: "flows.json", uiHost: "127.0.0.1", uiPort: 0, httpAdminRoot: false, httpNodeRoot: false };`,
  );
  const program = new Program([process.execPath, NODE_RED, "--userDir", userDirectory], {
    cwd: userDirectory,
  });
  await program.printed("Connected to broker");
  return program;
}

/** mqtt in -> mqtt out, with a birth message that says that the flow runs. */
function flow(port: number, protocolVersion: number): object[] {
  return [
    { id: FLOW, type: "tab", label: "heirloom" },
    {
      id: BROKER,
      type: "mqtt-broker",
      broker: "127.0.0.1",
      port: String(port),
      clientid: "node-red",
      autoConnect: true,
      protocolVersion: String(protocolVersion),
      keepalive: "60",
      cleansession: true,
      birthTopic: "ready",
      birthPayload: "yes",
      birthQos: "1",
      birthRetain: "true",
      willTopic: "ready",
      willPayload: "no",
      willQos: "1",
      willRetain: "true",
    },
    {
      ...{ id: "flow-in", type: "mqtt in", z: FLOW, wires: [["flow-out"]], broker: BROKER },
      ...{ topic: "in", qos: "2", datatype: "buffer" },
    },
    // Without a QoS of its own it takes the one of the message.
    {
      ...{ id: "flow-out", type: "mqtt out", z: FLOW, wires: [], broker: BROKER },
      ...{ topic: "out", qos: "", retain: "" },
    },
  ];
}

/** @returns why Node-RED is not there. @throws Error in CI, where it has to be. */
async function install(): Promise<string | undefined> {
  if (existsSync(NODE_RED)) return undefined;
  await mkdir(CACHE, { recursive: true });
  await writeFile(join(CACHE, "package.json"), '{ "private": true }\n');
  const npm = new Program(
    ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "node-red@4"],
    { cwd: CACHE },
  );
  const { code } = await npm.end(INSTALL_LIMIT_MS);
  if (code === 0) return undefined;
  if (process.env["CI"] === "true") throw new Error(`Node-RED cannot be installed:\n${npm.output}`);
  return "Node-RED cannot be installed here";
}

function textOf(message: Publish): string {
  return Buffer.from(message.payload).toString();
}
