// A disk that answers EIO once. The server has to stop at once: what the system says after a failed sync is not true.
// A small C library, preloaded into the real server, makes the call fail.

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { PacketType } from "@heirloom/codec";
import { directoryFor } from "#interop/directory";
import { ServerProcess } from "#interop/server";
import { WireClient } from "#interop/wire-client";
import { buildBadDisk, unlessBadDisk } from "./src/bad-disk.ts";
import { drain, textOf } from "./src/drain.ts";

/** The exit code of a disk that failed. */
const EXIT_IO = 74;

/** Messages after which the disk fails. */
const GOOD_MESSAGES = 20;
/** More than the journal has room for. */
const MOST_MESSAGES = 1_000;

/** Calls that fail. A commit is one `pwrite`; the others come when the journal is applied to LevelDB, after many bytes. */
const CALLS = [
  { call: "pwrite", payloadBytes: 4 },
  { call: "write", payloadBytes: 60_000 },
  { call: "fdatasync", payloadBytes: 60_000 },
];

describe("a disk that fails", { skip: unlessBadDisk() }, () => {
  for (const { call, payloadBytes } of CALLS) {
    test(`stops the server with 74 when ${call} fails, and what was acknowledged is there after a restart - attack QOS-06, attack STORE-03`, async (t) => {
      const directory = await directoryFor(t, "disk");
      const data = join(directory, "data");
      const trigger = join(directory, "trigger");
      const env = {
        LD_PRELOAD: await buildBadDisk(directory),
        HEIRLOOM_FAIL_CALL: call,
        HEIRLOOM_DISK: data,
        HEIRLOOM_FAIL_TRIGGER: trigger,
      };
      const server = await ServerProcess.start({ data, env });
      t.after(() => server.kill());
      await subscribeOffline(server.port);
      const { client: writer } = await WireClient.connect({ port: server.port, clientId: "writer" });
      const acknowledged: string[] = [];
      for (let number = 1; number <= MOST_MESSAGES; number++) {
        const text = String(number).padEnd(payloadBytes);
        if (!(await publishOne(writer, number, text))) break;
        acknowledged.push(text);
        if (number === GOOD_MESSAGES) await writeFile(trigger, "");
      }
      assert.ok(acknowledged.length >= GOOD_MESSAGES && acknowledged.length < MOST_MESSAGES);
      assert.deepEqual(await server.end(), { code: EXIT_IO, signal: null });
      assert.match(server.output, /heirloom: .*(Input\/output error|EIO)/);

      const again = await ServerProcess.start({ data });
      t.after(() => again.kill());
      const { client, connack } = await reader(again.port);
      assert.equal(connack.sessionPresent, true);
      const texts = (await drain(client, acknowledged.length)).map(textOf);
      // The message that was not acknowledged may be there or not.
      assert.deepEqual(texts.slice(0, acknowledged.length), acknowledged);
      await again.stop();
    });
  }
});

async function reader(port: number): ReturnType<typeof WireClient.connect> {
  return WireClient.connect({ port, clientId: "reader", cleanStart: false, sessionExpiryInterval: 3_600 });
}

async function subscribeOffline(port: number): Promise<void> {
  const { client } = await reader(port);
  await client.subscribe("disk", 1);
  await client.disconnect();
}

/** Whether the message was acknowledged: false when the server ends. */
async function publishOne(writer: WireClient, packetId: number, text: string): Promise<boolean> {
  writer.publish({ topicName: "disk", payload: Buffer.from(text), qos: 1, packetId });
  try {
    assert.equal((await writer.take(PacketType.PUBACK)).reasonCode, 0);
    return true;
  } catch (error) {
    assert.match(String(error), /closed the connection/);
    return false;
  }
}
