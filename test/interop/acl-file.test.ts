// ACL files mean what they mean to Mosquitto: both brokers get the same file, clients and messages, and deliver the same.

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { PacketType } from "@heirloom/codec";
import fc from "fast-check";
import { createBroker } from "heirloom";
import { directoryFor } from "./src/directory.ts";
import { freePort } from "./src/free-port.ts";
import { Program, unlessInstalled } from "./src/program.ts";
import { WireClient } from "./src/wire-client.ts";

const FILES = 12;
const SEED = 20_170_531;

/** Who connects; each publishes to all topics and reads what it may. */
const SUBJECTS = [
  { clientId: "c1" },
  { clientId: "c2", username: "anna" },
  { clientId: "c3", username: "b c" },
  { clientId: "anna", username: "unlisted" },
] as const;

const LEVELS = ["a", "b", "anna", "c1", "b c"];
const TOPICS = [
  ...LEVELS,
  ...LEVELS.flatMap((one) => LEVELS.map((other) => `${one}/${other}`)),
  ...LEVELS.flatMap((one) => [`a/${one}/a`, `$s/${one}`, `a//${one}`]),
  "$s",
];

const level = fc.constantFrom("a", "a", "anna", "c1", "b c", "+", "+", "+");
const topicFilter = (...more: string[]): fc.Arbitrary<string> =>
  fc
    .tuple(
      fc.constantFrom("", "", "", "", "$s/"),
      fc.array(fc.oneof(level, fc.constantFrom("a", ...more)), { minLength: 1, maxLength: 2 }),
      fc.constantFrom(true, true, false),
    )
    .map(([start, levels, isDeep]) => start + (isDeep ? [...levels, "#"] : levels).join("/"));
const access = fc.constantFrom("read", "write", "readwrite", "readwrite", "readwrite", "deny");
const line = fc.oneof(
  { weight: 2, arbitrary: fc.constantFrom("user anna", "user b c", "user nobody", "", "# a comment") },
  {
    weight: 6,
    arbitrary: fc.tuple(access, topicFilter()).map(([what, filter]) => `topic ${what} ${filter}`),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(access, topicFilter("%u", "%c")).map(([what, filter]) => `pattern ${what} ${filter}`),
  },
);
const aclFile = fc.array(line, { minLength: 8, maxLength: 30 }).map((lines) => `${lines.join("\n")}\n`);
const [files, filters] = [
  fc.sample(aclFile, { numRuns: FILES, seed: SEED }),
  fc.sample(topicFilter(), { numRuns: 3, seed: SEED }),
];

let deliveredCount = 0;

describe("ACL files", { skip: unlessInstalled("mosquitto") }, () => {
  for (const [index, text] of ["# nothing\n", "topic read #\nuser anna\ntopic #\n", ...files].entries()) {
    test(`file ${index} is delivered by as Mosquitto delivers by it`, async (context) => {
      const directory = await directoryFor(context, "acl");
      const file = join(directory, "acl");
      await writeFile(file, text);
      const ours = await deliveries(await startOurs(context, file));
      const theirs = await deliveries(await startMosquitto(context, directory, file));
      assert.deepEqual(ours, theirs, text);
      deliveredCount += ours.length;
    });
  }

  test("these files let something through, so that there was something to compare", () => {
    assert.ok(deliveredCount > 1_000, String(deliveredCount));
  });
});

async function startOurs(context: TestContext, aclFile: string): Promise<number> {
  const broker = await createBroker({
    port: 0,
    store: "memory",
    // Mosquitto without passwords believes every name.
    hooks: { connect: ({ username }) => (username === undefined ? undefined : { account: username }) },
    permissions: [{ aclFile }],
  });
  context.after(() => broker.stop());
  const port = broker.listeners[0]?.port;
  assert.ok(port !== undefined);
  return port;
}

async function startMosquitto(context: TestContext, directory: string, aclFile: string): Promise<number> {
  const port = await freePort();
  const config = join(directory, "mosquitto.conf");
  await writeFile(
    config,
    `listener ${port} 127.0.0.1\nallow_anonymous true\nacl_file ${aclFile}\nlog_dest stderr\nuser root\n`,
  );
  const program = new Program(["mosquitto", "-c", config, "-v"]);
  context.after(() => program.kill());
  await program.printed("running");
  return port;
}

/** What each client got, for each of some filters: `"<filter> <client> <topic> <publisher>"`. */
async function deliveries(port: number): Promise<string[]> {
  const clients = await Promise.all(
    SUBJECTS.map(
      async (subject) => (await WireClient.connect({ port, protocolVersion: 4, ...subject })).client,
    ),
  );
  const seen: string[] = [];
  for (const filter of ["#", "$s/#", ...filters]) {
    for (const client of clients) await client.subscribe(filter, 0);
    for (const [index, client] of clients.entries()) {
      for (const topicName of TOPICS) {
        client.publish({ topicName, payload: Buffer.from(SUBJECTS[index]?.clientId ?? "") });
      }
      await client.roundTrip().then((packets) => note(packets, index));
    }
    for (const [index, client] of clients.entries()) {
      note(await client.roundTrip(), index);
      client.send({ type: PacketType.UNSUBSCRIBE, packetId: 2, topicFilters: [filter], properties: {} });
      note(await client.roundTrip(), index);
    }
    function note(packets: Awaited<ReturnType<WireClient["roundTrip"]>>, index: number): void {
      for (const packet of packets) {
        if (packet.type !== PacketType.PUBLISH) continue;
        const payload = Buffer.from(packet.source.subarray(packet.payloadStart, packet.payloadEnd));
        seen.push(`${filter} ${SUBJECTS[index]?.clientId ?? ""} ${packet.topicName} ${payload.toString()}`);
      }
    }
  }
  for (const client of clients) await client.disconnect();
  return seen.sort();
}
