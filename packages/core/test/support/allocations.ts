// Counts the bytes that the broker allocates on the heap for a message, in a process of its own: the young generation is
// larger than all that is allocated, so that nothing is collected in between. Prints JSON.

import {
  createPublish,
  encodePacket,
  PacketReader,
  PacketType,
  type ProtocolVersion,
  writeForwardedProperties,
} from "@heirloom/codec";
import { Broker, type Connection, MemoryStore, type Transport, type World } from "@heirloom/core";

const MESSAGES = 100_000;
const PER_TURN = 50;
const LARGE_BYTES = 65_536;
const LARGE_MESSAGES = 200;

const world: World = {
  now: () => 1_893_456_000_000,
  randomBytes: (length) => new Uint8Array(length),
  requestTurn: () => undefined,
  wakeAt: () => undefined,
};

/** Keeps the last bytes, so that a subscriber can acknowledge. */
class LastTransport implements Transport {
  last: Uint8Array | undefined;
  bytes = 0;
  readonly bufferedBytes = 0;
  readonly remoteAddress = "test";

  write(bytes: Uint8Array): boolean {
    this.last = bytes;
    this.bytes += bytes.length;
    return true;
  }

  end(): void {
    this.last = undefined;
  }

  destroy(): void {
    this.last = undefined;
  }

  pause(): void {
    // Nothing is read.
  }
}

interface Pair {
  readonly broker: Broker;
  readonly publisher: Connection;
  readonly subscriber: { readonly connection: Connection; readonly transport: LastTransport };
}

async function pair(version: ProtocolVersion, qos: 0 | 1): Promise<Pair> {
  const broker = new Broker({ store: new MemoryStore(), world });
  await broker.open();
  const publisher = connect(broker, "publisher", version).connection;
  const subscriber = connect(broker, "subscriber", version);
  subscriber.connection.receive(
    encodePacket(
      {
        type: PacketType.SUBSCRIBE,
        packetId: 1,
        subscriptions: [
          { topicFilter: "a/b", qos, noLocal: false, retainAsPublished: false, retainHandling: 0 },
        ],
        properties: {},
      },
      version,
    ),
  );
  broker.endTurn();
  return { broker, publisher, subscriber };
}

/** Bytes of heap for each message at this QoS. */
async function measure(qos: 0 | 1): Promise<number> {
  const { broker, publisher, subscriber } = await pair(4, qos);
  const chunk = chunkOf(qos);
  const turn = (): void => {
    publisher.receive(chunk);
    broker.endTurn();
    if (qos === 1) acknowledge(subscriber);
    broker.endTurn();
  };
  return heapFor(turn);
}

/** The same in 5.0, of messages with two User Properties and an alias instead of their topic. */
async function measureAliased(): Promise<number> {
  const { broker, publisher } = await pair(5, 0);
  const forwarded = writeForwardedProperties({
    userProperties: [
      ["name", "value"],
      ["other", "value"],
    ],
  });
  const payload = new Uint8Array(64).fill(120);
  publisher.receive(encodePacket(createPublish({ topicName: "a/b", topicAlias: 1 }), 5));
  const packet = encodePacket(createPublish({ topicName: "", topicAlias: 1, payload, forwarded }), 5);
  const chunk = Buffer.concat(Array.from({ length: PER_TURN }, () => packet));
  return heapFor(() => {
    publisher.receive(chunk);
    broker.endTurn();
  });
}

function heapFor(turn: () => void): number {
  for (let count = 0; count < 20_000; count += PER_TURN) turn();
  gc();
  const before = process.memoryUsage().heapUsed;
  for (let count = 0; count < MESSAGES; count += PER_TURN) turn();
  return Math.round((process.memoryUsage().heapUsed - before) / MESSAGES);
}

/**
 * Bytes of buffers outside the heap for each message of 64 KiB, in chunks of 64 KiB as Node reads them: so that each is cut.
 * What the chunks themselves take is not counted.
 */
async function measureLarge(): Promise<number> {
  const { broker, publisher, subscriber } = await pair(4, 0);
  const packet = encodePacket(createPublish({ topicName: "a/b", payload: new Uint8Array(LARGE_BYTES) }), 4);
  const stream = Buffer.concat(Array.from({ length: LARGE_MESSAGES }, () => packet));
  const sentBefore = subscriber.transport.bytes;
  gc();
  const before = process.memoryUsage().arrayBuffers;
  for (let start = 0; start < stream.length; start += 2 * LARGE_BYTES) {
    for (const from of [start, start + LARGE_BYTES]) {
      publisher.receive(stream.subarray(from, from + LARGE_BYTES));
    }
    broker.endTurn();
  }
  const taken = process.memoryUsage().arrayBuffers - before;
  if (subscriber.transport.bytes - sentBefore !== stream.length) throw new Error("messages are missing");
  return Math.round(taken / LARGE_MESSAGES);
}

function gc(): void {
  if (globalThis.gc === undefined) throw new Error("run with --expose-gc");
  globalThis.gc();
}

function connect(
  broker: Broker,
  clientId: string,
  version: ProtocolVersion,
): { connection: Connection; transport: LastTransport } {
  const transport = new LastTransport();
  const connection = broker.accept(transport, { name: "test", allowAnonymous: true });
  connection.receive(
    encodePacket(
      {
        type: PacketType.CONNECT,
        protocolVersion: version,
        clientId,
        cleanStart: true,
        keepAlive: 0,
        properties: {},
      },
      version,
    ),
  );
  return { connection, transport };
}

function chunkOf(qos: 0 | 1): Uint8Array {
  const payload = new Uint8Array(64).fill(120);
  const packets = Array.from({ length: PER_TURN }, (_, index) =>
    encodePacket(createPublish({ topicName: "a/b", payload, qos, packetId: qos === 0 ? 0 : index + 1 }), 4),
  );
  return new Uint8Array(packets.flatMap((packet) => [...packet]));
}

/** The subscriber's PUBACKs for what it was sent last. */
function acknowledge({ connection, transport }: { connection: Connection; transport: LastTransport }): void {
  const { last } = transport;
  transport.last = undefined;
  if (last === undefined) return;
  const reader = new PacketReader({ side: "client", version: 4 });
  reader.push(last);
  for (let packet = reader.next(); packet !== undefined; packet = reader.next()) {
    if (packet.type !== PacketType.PUBLISH) continue;
    connection.receive(
      encodePacket({ type: PacketType.PUBACK, packetId: packet.packetId, reasonCode: 0 }, 4),
    );
  }
}

const qos0 = await measure(0);
const qos1 = await measure(1);
const aliased = await measureAliased();
const large = await measureLarge();
console.log(JSON.stringify({ qos0, qos1, aliased, large }));
