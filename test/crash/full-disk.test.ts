// A disk without space: a small file system in memory that a filler takes up. Needs root, to mount it.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { PacketType } from "@heirloom/codec";
import { newDirectory, removeDirectory } from "#interop/directory";
import { ServerProcess } from "#interop/server";
import { WireClient } from "#interop/wire-client";
import { drain, textOf } from "./src/drain.ts";

const MEGABYTE = 1_048_576;
const QUOTA_EXCEEDED = 0x97;
const PAYLOAD_BYTES = 8_192;
/** What the server says. */
const FULL = "the disk is full";
const HAS_SPACE = "the disk has space again";

const skip =
  process.getuid?.() === 0 && process.platform === "linux" ? false : "needs root, to mount a file system";

test(
  "a full disk refuses QoS 1, QoS 2 and what is retained with 0x97, closes 3.1.1 for it, passes QoS 0, and recovers when there is space - attack STORE-02",
  { skip },
  async (t) => {
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

    const writer = await Writer.connect(server.port, "writer");
    const full = server.printed(FULL);
    let completing = Promise.resolve();
    while (!server.output.includes(FULL)) {
      writer.publish(20);
      completing = writer.complete();
      await Promise.race([completing, full]);
    }
    const other = await Writer.connect(server.port, "other");
    other.publish(1);
    await other.complete();
    assert.deepEqual([other.accepted, other.refusals], [[], [QUOTA_EXCEEDED]]);
    await refusesEverythingStored(server.port);
    other.client.publish({ topicName: "passed", payload: Buffer.from("live"), qos: 0 });
    assert.equal(textOf(await listener.take(PacketType.PUBLISH)), "live");

    await rm(filler);
    await server.printed(HAS_SPACE);
    await completing;
    other.publish(20);
    await other.complete();
    assert.equal(other.accepted.length, 20);
    await server.kill();

    server = await ServerProcess.start({ data });
    const accepted = [...writer.accepted, ...other.accepted];
    const arrived = await drain(await connectReader(server.port), accepted.length);
    assert.deepEqual(
      arrived.map((message) => textOf(message).trim()),
      accepted,
    );
    await server.stop();
  },
);

/** QoS 2, and RETAIN 1 although nobody subscribes; a client of 3.1.1, which has no code for it, loses its connection. */
async function refusesEverythingStored(port: number): Promise<void> {
  const payload = Buffer.from("refused");
  const { client: modern } = await WireClient.connect({ port, clientId: "modern" });
  modern.publish({ topicName: "stored", payload, qos: 2, packetId: 1 });
  assert.equal((await modern.take(PacketType.PUBREC)).reasonCode, QUOTA_EXCEEDED);
  modern.publish({ topicName: "kept", payload, qos: 1, retain: true, packetId: 2 });
  assert.equal((await modern.take(PacketType.PUBACK)).reasonCode, QUOTA_EXCEEDED);
  await modern.subscribe("kept", 1);
  modern.publish({ topicName: "kept", payload: Buffer.from("live"), qos: 0 });
  assert.equal(textOf(await modern.take(PacketType.PUBLISH)), "live", "nothing was retained");
  await modern.disconnect();
  const { client: old } = await WireClient.connect({ port, clientId: "old", protocolVersion: 4 });
  old.publish({ topicName: "stored", payload, qos: 1, packetId: 1 });
  await old.closed;
}

/** A publisher that does not wait, and what it was told of each message. */
class Writer {
  readonly client: WireClient;
  readonly #name: string;
  #sent = 0;
  readonly accepted: string[] = [];
  /** The reason codes of those that were refused. */
  readonly refusals: number[] = [];

  private constructor(client: WireClient, name: string) {
    this.client = client;
    this.#name = name;
  }

  static async connect(port: number, name: string): Promise<Writer> {
    const { client } = await WireClient.connect({ port, clientId: name });
    return new Writer(client, name);
  }

  publish(count: number): void {
    for (let index = 0; index < count; index++) {
      const packetId = ++this.#sent;
      const payload = Buffer.from(this.#text(packetId).padEnd(PAYLOAD_BYTES));
      this.client.publish({ topicName: "stored", payload, qos: 1, packetId });
    }
  }

  #text(packetId: number): string {
    return `${this.#name} ${packetId}`;
  }

  /** Takes the acknowledgements of everything that was sent. */
  async complete(): Promise<void> {
    while (this.accepted.length + this.refusals.length < this.#sent) {
      const { packetId, reasonCode } = await this.client.take(PacketType.PUBACK);
      if (reasonCode === 0) this.accepted.push(this.#text(packetId));
      else this.refusals.push(reasonCode);
    }
  }
}

async function connectReader(port: number): Promise<WireClient> {
  const options = { port, clientId: "reader", cleanStart: false, sessionExpiryInterval: 3_600 };
  return (await WireClient.connect(options)).client;
}

/** A file system of 64 MB that is gone after the test. */
async function mount(t: TestContext): Promise<string> {
  const disk = await newDirectory("full");
  const { status, stderr } = spawnSync("mount", [
    "-t",
    "tmpfs",
    "-o",
    `size=${64 * MEGABYTE}`,
    "heirloom-test",
    disk,
  ]);
  assert.equal(status, 0, String(stderr));
  t.after(async () => {
    spawnSync("umount", ["-l", disk]);
    await removeDirectory(disk);
  });
  return disk;
}
