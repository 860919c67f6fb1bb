// A server that stands still for longer than every Keep Alive: clients that went on as agreed are still connected after it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { PacketType } from "@heirloom/codec";
import { directoryFor } from "#interop/directory";
import { ServerProcess } from "#interop/server";
import { WireClient } from "#interop/wire-client";

const KEEP_ALIVE_SECONDS = 1;
const PING_MS = 300;
/** Twice as long as the one and a half Keep Alives after which a silent client is disconnected. */
const SUSPENDED_MS = 3_000;

test("a server that was stopped for longer than keep alive holds it against no client - 5.0 [MQTT-3.1.2-22]", async (t) => {
  const server = await ServerProcess.start({ data: await directoryFor(t, "suspended") });
  t.after(() => server.kill());
  const { port } = server;
  const common = { port, keepAlive: KEEP_ALIVE_SECONDS, sessionExpiryInterval: 3_600 };
  const { client: reader } = await WireClient.connect({ ...common, clientId: "reader" });
  await reader.subscribe("still", 2);
  const { client: writer } = await WireClient.connect({ ...common, clientId: "writer" });
  const pings = setInterval(() => {
    for (const client of [reader, writer]) client.send({ type: PacketType.PINGREQ });
  }, PING_MS);
  t.after(() => clearInterval(pings));

  server.signal("SIGSTOP");
  writer.publish({ topicName: "still", payload: Buffer.from("while it stood"), qos: 2, packetId: 1 });
  // Nothing can be waited for: nothing happens.
  await new Promise((resolve) => setTimeout(resolve, SUSPENDED_MS));
  server.signal("SIGCONT");

  const received = await takeWithoutPings(writer);
  assert.equal(received.type, PacketType.PUBREC);
  const message = await takeWithoutPings(reader);
  assert.ok(
    message.type === PacketType.PUBLISH && Buffer.from(message.payload).toString() === "while it stood",
  );
  assert.equal((await takeAfter(writer, () => writer.ack(PacketType.PUBREL, 1))).type, PacketType.PUBCOMP);
});

type Packet = Awaited<ReturnType<WireClient["next"]>>;

async function takeAfter(client: WireClient, action: () => void): Promise<Packet> {
  action();
  return takeWithoutPings(client);
}

async function takeWithoutPings(client: WireClient): Promise<Packet> {
  for (;;) {
    const packet = await client.next();
    if (packet.type !== PacketType.PINGRESP) return packet;
  }
}
