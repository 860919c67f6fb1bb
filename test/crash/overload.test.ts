// Publishers that do not wait and subscribers that do not read, with the limits that a new user has.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createPublish, encodePacket, PacketType, type Publish } from "@heirloom/codec";
import { DEFAULT_LIMITS } from "@heirloom/core";
import { type Broker, createBroker } from "heirloom";
import { directoryFor } from "#interop/directory";
import { ServerProcess } from "#interop/server";
import { WireClient } from "#interop/wire-client";
import { drain, textOf } from "./src/drain.ts";

const OTHERS = 1_000;
const HOUR_SECONDS = 3_600;

for (const session of ["clean", "lasting"] as const) {
  for (const { qos, messages } of [
    { qos: 1, messages: 20_000 },
    { qos: 2, messages: 2_000 },
  ] as const) {
    test(`${messages} messages of QoS ${qos} sent without waiting all reach a ${session} session`, async (t) => {
      const server = await ServerProcess.start({ data: await directoryFor(t, "overload") });
      t.after(() => server.kill());
      const expiry = session === "clean" ? {} : { sessionExpiryInterval: HOUR_SECONDS };
      const { client } = await WireClient.connect({ port: server.port, clientId: "reader", ...expiry });
      await client.subscribe("flood", qos);
      const { client: writer } = await WireClient.connect({ port: server.port, clientId: "writer" });
      writer.socket.write(flood(qos, messages));
      const [arrived] = await Promise.all([drain(client, messages), acknowledged(writer, qos, messages)]);
      assert.deepEqual(
        arrived.map(textOf),
        Array.from({ length: messages }, (_, number) => String(number)),
      );
    });
  }
}

test("one stuck subscriber costs bounded memory, its QoS 0 is counted, and 1,000 others get everything", async (t) => {
  const broker = await brokerFor(t, {});
  const port = portOf(broker);
  const { client: stuck } = await WireClient.connect({ port, clientId: "stuck" });
  await stuck.subscribe("load/#", 0);
  stuck.socket.pause();
  const others = await subscribers(port);
  const rounds = 20;
  const payload = Buffer.alloc(4_096);
  let mostBytes = 0;
  const { client: writer } = await WireClient.connect({ port, clientId: "writer" });
  for (let round = 0; round < rounds; round++) {
    for (let other = 0; other < OTHERS; other++) {
      writer.publish({ topicName: `load/${other}`, payload, qos: 1, packetId: other + 1 });
    }
    await acknowledged(writer, 1, OTHERS);
    mostBytes = Math.max(mostBytes, broker.counters.outputBytes);
    for (const other of others) await takeOne(other);
  }
  // 82 MB were published, 8 MiB may wait, the rest is what the system's own buffers take.
  assert.ok(broker.counters.droppedQoS0 > 0);
  assert.equal(broker.counters.publishSent + broker.counters.droppedQoS0, 2 * rounds * OTHERS);
  assert.ok(
    mostBytes > 0 && mostBytes < DEFAULT_LIMITS.outputBytes + 2 * OTHERS * payload.length,
    `${mostBytes} bytes`,
  );
});

test("a stuck lasting session costs bounded memory, and gets everything when it reads again", async (t) => {
  const broker = await brokerFor(t, { data: await directoryFor(t, "stuck") });
  const port = portOf(broker);
  const { client } = await WireClient.connect({
    port,
    clientId: "stuck",
    sessionExpiryInterval: HOUR_SECONDS,
  });
  await client.subscribe("load/#", 1);
  client.socket.pause();
  const { client: writer } = await WireClient.connect({ port, clientId: "writer" });
  const messages = 4_000;
  for (let packetId = 1; packetId <= messages; packetId++) {
    writer.publish({ topicName: "load/x", payload: numbered(packetId, 8_192), qos: 1, packetId });
  }
  await acknowledged(writer, 1, messages);
  assert.ok(broker.counters.outputBytes < 1_048_576, `${broker.counters.outputBytes} bytes`);
  client.socket.resume();
  const arrived = await drain(client, messages);
  assert.deepEqual(
    arrived.map(numberOf),
    Array.from({ length: messages }, (_, index) => index + 1),
  );
});

test("a clean session that does not keep up with QoS 1 is disconnected with 0x97, never thinned out", async (t) => {
  const broker = await brokerFor(t, { limits: { cleanQueueMessages: 500 } });
  const port = portOf(broker);
  const { client } = await WireClient.connect({ port, clientId: "slow", receiveMaximum: 10 });
  await client.subscribe("load", 1);
  const { client: writer } = await WireClient.connect({ port, clientId: "writer" });
  const messages = 1_000;
  writer.socket.write(flood(1, messages, "load"));
  await acknowledged(writer, 1, messages);
  for (let number = 0; number < 10; number++) {
    assert.equal(textOf(await client.take(PacketType.PUBLISH)), String(number));
  }
  assert.equal((await client.take(PacketType.DISCONNECT)).reasonCode, 0x97);
  await client.closed;
});

async function brokerFor(
  t: { after(action: () => Promise<void>): void },
  options: { readonly data?: string; readonly limits?: { readonly cleanQueueMessages?: number } },
): Promise<Broker> {
  const broker = await createBroker({
    port: 0,
    ...(options.data === undefined ? { store: "memory" } : {}),
    ...options,
  });
  t.after(() => broker.stop());
  return broker;
}

function portOf(broker: Broker): number {
  const listener = broker.listeners[0];
  assert.ok(listener);
  return listener.port;
}

async function subscribers(port: number): Promise<WireClient[]> {
  const clients: WireClient[] = [];
  for (let other = 0; other < OTHERS; other++) {
    const { client } = await WireClient.connect({ port, clientId: `other-${other}` });
    await client.subscribe(`load/${other}`, 1);
    clients.push(client);
  }
  return clients;
}

/** The bytes of messages "0", "1" and so on. */
function flood(qos: 1 | 2, messages: number, topicName = "flood"): Uint8Array {
  return Buffer.concat(
    Array.from({ length: messages }, (_, number) =>
      encodePacket(
        createPublish({ topicName, payload: Buffer.from(String(number)), qos, packetId: number + 1 }),
        5,
      ),
    ),
  );
}

/** Takes as many acknowledgements; completes the handshakes of QoS 2. */
async function acknowledged(writer: WireClient, qos: 1 | 2, messages: number): Promise<void> {
  for (let open = messages; open > 0;) {
    const packet = await writer.next();
    if (packet.type === PacketType.PUBREC) writer.ack(PacketType.PUBREL, packet.packetId);
    else assert.equal(packet.type, qos === 1 ? PacketType.PUBACK : PacketType.PUBCOMP);
    if ("reasonCode" in packet) assert.ok(packet.reasonCode < 0x80);
    if (packet.type !== PacketType.PUBREC) open--;
  }
}

async function takeOne(client: WireClient): Promise<void> {
  const { packetId } = await client.take(PacketType.PUBLISH);
  client.ack(PacketType.PUBACK, packetId);
}

function numbered(number: number, bytes: number): Buffer {
  const payload = Buffer.alloc(bytes);
  payload.writeUInt32BE(number);
  return payload;
}

function numberOf(message: Publish): number {
  return new DataView(message.source.buffer, message.source.byteOffset + message.payloadStart).getUint32(0);
}
