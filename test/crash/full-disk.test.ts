// A disk without space: a small file system in memory that a filler takes up. Needs root, to mount it.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { PacketType } from "@heirloom/codec";
import { directoryFor } from "#interop/directory";
import { ServerProcess } from "#interop/server";
import { WireClient } from "#interop/wire-client";
import { drain, textOf } from "./src/drain.ts";

const MEGABYTE = 1_048_576;
const QUOTA_EXCEEDED = 0x97;
const PAYLOAD_BYTES = 8_192;

const skip = process.getuid?.() === 0 && process.platform === "linux" ? false : "needs root, to mount a file system";

test("a full disk refuses QoS 1 with 0x97, passes QoS 0, and recovers when there is space", { skip }, async (t) => {
  const disk = await mount(t);
  const data = join(disk, "data");
  const filler = join(disk, "filler");
  let server = await ServerProcess.start({ data });
  t.after(() => server.kill());
  const reader = await connectReader(server.port);
  await reader.subscribe("stored", 1);
  await reader.disconnect();
  const { client: listener } = await WireClient.connect({ port: server.port, clientId: "listener" });
  await listener.subscribe("passed", 0);
  await writeFile(filler, Buffer.alloc(40 * MEGABYTE));

  const { client: writer } = await WireClient.connect({ port: server.port, clientId: "writer" });
  const outcomes = new Outcomes(writer);
  while (!outcomes.isRefused) await outcomes.publish(20);
  assert.equal(outcomes.refusal, QUOTA_EXCEEDED);
  assert.match(server.output, /the disk is full/);
  writer.publish({ topicName: "passed", payload: Buffer.from("live"), qos: 0 });
  assert.equal(textOf(await listener.take(PacketType.PUBLISH)), "live");

  await rm(filler);
  await server.printed("the disk has space again");
  await outcomes.complete();
  const before = outcomes.accepted.length;
  await outcomes.publish(20);
  await outcomes.complete();
  assert.equal(outcomes.accepted.length, before + 20);
  await server.kill();

  server = await ServerProcess.start({ data });
  const texts = (await drain(await connectReader(server.port), outcomes.accepted.length)).map(numberOf);
  assert.deepEqual(texts, outcomes.accepted);
  await server.stop();
});

/** A publisher that does not wait, and what it was told of each message. */
class Outcomes {
  readonly #writer: WireClient;
  #sent = 0;
  #answered = 0;
  readonly accepted: number[] = [];
  /** The first reason code that refused a message. */
  refusal = 0;

  constructor(writer: WireClient) {
    this.#writer = writer;
  }

  get isRefused(): boolean {
    return this.refusal !== 0;
  }

  /** Sends `count` messages, and waits until the broker has handled them; their acknowledgements may come later. */
  async publish(count: number): Promise<void> {
    for (let index = 0; index < count; index++) {
      const number = ++this.#sent;
      const payload = Buffer.from(String(number).padEnd(PAYLOAD_BYTES));
      this.#writer.publish({ topicName: "stored", payload, qos: 1, packetId: number });
    }
    await this.#take();
  }

  /** Waits for the acknowledgements of everything that was sent. */
  async complete(): Promise<void> {
    while (this.#answered < this.#sent) await this.#take();
  }

  async #take(): Promise<void> {
    const ack = await this.#writer.take(PacketType.PUBACK);
    this.#answered++;
    if (ack.reasonCode === 0) this.accepted.push(ack.packetId);
    else this.refusal ||= ack.reasonCode;
  }
}

async function connectReader(port: number): Promise<WireClient> {
  const options = { port, clientId: "reader", cleanStart: false, sessionExpiryInterval: 3_600 };
  return (await WireClient.connect(options)).client;
}

function numberOf(message: Parameters<typeof textOf>[0]): number {
  return Number(textOf(message).trim());
}

/** A file system of 64 MB that is gone after the test. */
async function mount(t: TestContext): Promise<string> {
  const disk = await directoryFor(t, "full");
  const { status, stderr } = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${64 * MEGABYTE}`, "heirloom-test", disk]);
  assert.equal(status, 0, String(stderr));
  t.after(() => spawnSync("umount", ["-l", disk]));
  return disk;
}
