// Files of the data directory that were cut off or changed while the server was not running. It may refuse to start, or start
// with what is intact; it never hands out damaged data, and never leaves something out in silence.

import assert from "node:assert/strict";
import { cp, open, readdir, stat, truncate } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { PacketType, type Publish } from "@heirloom/codec";
import { directoryFor, newDirectory, removeDirectory } from "#interop/directory";
import { ServerProcess } from "#interop/server";
import { WireClient } from "#interop/wire-client";
import { textOf } from "./src/drain.ts";

const MESSAGES = 200;
const RUNS = 3;
const LAST = "last";
/** Exit codes of a server that does not like its data: of another format, or unreadable. */
const REFUSALS = [65, 74];

/** What is done to a file. `at` is where, as a part of its length. */
interface Damage {
  readonly name: string;
  readonly at: number;
  readonly damage: (path: string, offset: number) => Promise<void>;
}

const DAMAGES: readonly Damage[] = [
  { name: "a bit flipped in its first tenth", at: 0.05, damage: flipBit },
  { name: "a bit flipped in the middle", at: 0.5, damage: flipBit },
  { name: "a bit flipped at its end", at: 0.97, damage: flipBit },
  { name: "its second half cut off", at: 0.5, damage: truncate },
];

describe("damaged files", () => {
  let template = "";

  before(async () => {
    template = await newDirectory("template");
    await fill(template);
  });

  after(() => removeDirectory(template));

  for (const kind of [".journal", ".log", ".ldb", "MANIFEST", "CURRENT"]) {
    for (const { name, at, damage } of DAMAGES) {
      test(`${kind} with ${name}: intact data or a refusal, and never silence - attack STORE-01`, async (t) => {
        const data = await directoryFor(t, "damage");
        await cp(template, data, { recursive: true });
        const path = await fileOf(join(data, kind === ".journal" ? "journal" : "leveldb"), kind);
        await damage(path, Math.floor((await stat(path)).size * at));
        t.diagnostic(await check(data, [".journal", ".log"].includes(kind) && damage === truncate));
      });
    }
  }
});

/**
 * Three runs of the server. The first ends in order, so that LevelDB has its messages, as a log and then as a table; the second
 * as well, and leaves a log; the last is killed and leaves a journal.
 */
async function fill(data: string): Promise<void> {
  for (let run = 0; run < RUNS; run++) {
    const server = await ServerProcess.start({ data });
    if (run === 0) {
      const { client } = await reader(server.port);
      await client.subscribe("damage", 1);
      await client.disconnect();
    }
    const { client: writer } = await WireClient.connect({ port: server.port, clientId: "writer" });
    for (let packetId = 1; packetId <= MESSAGES; packetId++) {
      const payload = payloadOf(run * MESSAGES + packetId);
      writer.publish({ topicName: "damage", payload: Buffer.from(payload), qos: 1, packetId });
      await writer.take(PacketType.PUBACK);
    }
    await (run === RUNS - 1 ? server.kill() : server.stop());
  }
}

/** The number, and enough behind it to see whether all of it is there. */
function payloadOf(number: number): string {
  return `${number} `.repeat(40);
}

/**
 * Neither LevelDB nor the journal can tell a cut end from a write that a crash broke off, which was never acknowledged. So with
 * `isCutLog` the last messages may be missing.
 *
 * @returns what happened, for the report.
 */
async function check(data: string, isCutLog: boolean): Promise<string> {
  const end = await outcome(data);
  if (!(end instanceof ServerProcess)) {
    assert.ok(REFUSALS.includes(end.code ?? 0), `ended with ${end.code}: ${end.output}`);
    assert.match(end.output, /^heirloom: (?!internal)/m);
    return end.output;
  }
  const numbers = await readAll(end).finally(() => end.kill());
  // What it said is complete only now: its lines and its messages come on different ways.
  const isSaid = end.output.includes("damaged: ");
  if (numbers === undefined) {
    assert.ok(isSaid, "the session or its subscription was left out in silence");
    return `no message; ${firstSaid(end.output)}`;
  }
  const all = Array.from({ length: RUNS * MESSAGES }, (_, index) => index + 1);
  if (isCutLog && !isSaid) assert.deepEqual(numbers, all.slice(0, numbers.length));
  else if (!isSaid) assert.deepEqual(numbers, all, "something was left out in silence");
  const sorted = [...new Set(numbers)].sort((first, second) => first - second);
  assert.deepEqual(numbers, sorted, "in order and once");
  return `${numbers.length} of ${all.length} messages; ${firstSaid(end.output)}`;
}

function firstSaid(output: string): string {
  return /^damaged: .*$/m.exec(output)?.[0] ?? "nothing said";
}

/** A server that listens, or how it ended instead. */
async function outcome(
  data: string,
): Promise<ServerProcess | Awaited<ReturnType<typeof ServerProcess.startInVain>>> {
  try {
    return await ServerProcess.start({ data });
  } catch {
    return await ServerProcess.startInVain({ data });
  }
}

/** The numbers of all messages that still come; `undefined` when nothing can come, for want of a session or a subscription. */
async function readAll(server: ServerProcess): Promise<number[] | undefined> {
  const { client, connack } = await reader(server.port);
  if (!connack.sessionPresent) return undefined;
  const { client: writer } = await WireClient.connect({ port: server.port, clientId: "writer" });
  writer.publish({ topicName: "damage", payload: Buffer.from(LAST), qos: 1, packetId: 1 });
  const { reasonCode } = await writer.take(PacketType.PUBACK);
  // Its subscription may be what is damaged.
  if (reasonCode !== 0) return undefined;
  const numbers: number[] = [];
  for (;;) {
    const message = await client.take(PacketType.PUBLISH);
    client.ack(PacketType.PUBACK, message.packetId);
    if (textOf(message) === LAST) return numbers;
    numbers.push(numberOf(message));
  }
}

function numberOf(message: Publish): number {
  const text = textOf(message);
  const number = Number.parseInt(text, 10);
  assert.equal(text, payloadOf(number), "damaged data was handed out");
  return number;
}

function reader(port: number): ReturnType<typeof WireClient.connect> {
  return WireClient.connect({ port, clientId: "reader", cleanStart: false, sessionExpiryInterval: 3_600 });
}

/** The largest file of a kind. */
async function fileOf(directory: string, kind: string): Promise<string> {
  let largest = { path: "", size: -1 };
  for (const name of await readdir(directory)) {
    const path = join(directory, name);
    const { size } = await stat(path);
    if (name.includes(kind) && size > largest.size) largest = { path, size };
  }
  assert.ok(largest.size > 0, `no ${kind} in ${directory}`);
  return largest.path;
}

async function flipBit(path: string, offset: number): Promise<void> {
  const file = await open(path, "r+");
  try {
    const byte = Buffer.alloc(1);
    await file.read(byte, 0, 1, offset);
    byte.writeUInt8(byte.readUInt8() ^ 0x10);
    await file.write(byte, 0, 1, offset);
  } finally {
    await file.close();
  }
}
