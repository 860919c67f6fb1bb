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

describe("a disk that fails", { skip: unlessBadDisk() }, () => {
  for (const call of ["write", "fdatasync"]) {
    test(`stops the server with 74 when ${call} fails, and what was acknowledged is there after a restart`, async (t) => {
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
      for (let number = 1; number <= 20; number++) acknowledged.push(await publishOne(writer, number));
      await writeFile(trigger, "");
      writer.publish({ topicName: "disk", payload: Buffer.from("21"), qos: 1, packetId: 21 });
      await assert.rejects(writer.take(PacketType.PUBACK), /closed the connection/);
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

async function publishOne(writer: WireClient, number: number): Promise<string> {
  const text = String(number);
  writer.publish({ topicName: "disk", payload: Buffer.from(text), qos: 1, packetId: number });
  assert.equal((await writer.take(PacketType.PUBACK)).reasonCode, 0);
  return text;
}
