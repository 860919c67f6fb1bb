// Counts the bytes that the broker allocates on the heap for a message, in a process of its own: the young generation is
// larger than all that is allocated, so that nothing is collected in between. Prints JSON.

import { createPublish, encodePacket, PacketReader, PacketType } from "@heirloom/codec";
import { Broker, type Connection, MemoryStore, type Transport, type World } from "@heirloom/core";

const MESSAGES = 100_000;
const PER_TURN = 50;

const world: World = {
  now: () => 1_893_456_000_000,
  randomBytes: (length) => new Uint8Array(length),
  requestTurn: () => undefined,
  wakeAt: () => undefined,
};

/** Keeps the last bytes, so that a subscriber can acknowledge. */
class LastTransport implements Transport {
  last: Uint8Array | undefined;
  readonly bufferedBytes = 0;
  readonly remoteAddress = "test";

  write(bytes: Uint8Array): boolean {
    this.last = bytes;
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

async function measure(qos: 0 | 1): Promise<number> {
  const broker = new Broker({ store: new MemoryStore(), world });
  await broker.open();
  const publisher = connect(broker, "publisher").connection;
  const subscriber = connect(broker, "subscriber");
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
      4,
    ),
  );
  broker.endTurn();
  const chunk = chunkOf(qos);
  const turn = (): void => {
    publisher.receive(chunk);
    broker.endTurn();
    if (qos === 1) acknowledge(subscriber);
    broker.endTurn();
  };
  for (let count = 0; count < 20_000; count += PER_TURN) turn();
  gc();
  const before = process.memoryUsage().heapUsed;
  for (let count = 0; count < MESSAGES; count += PER_TURN) turn();
  return Math.round((process.memoryUsage().heapUsed - before) / MESSAGES);
}

function gc(): void {
  if (globalThis.gc === undefined) throw new Error("run with --expose-gc");
  globalThis.gc();
}

function connect(broker: Broker, clientId: string): { connection: Connection; transport: LastTransport } {
  const transport = new LastTransport();
  const connection = broker.accept(transport, { name: "test", allowAnonymous: true });
  connection.receive(
    encodePacket(
      {
        type: PacketType.CONNECT,
        protocolVersion: 4,
        clientId,
        cleanStart: true,
        keepAlive: 0,
        properties: {},
      },
      4,
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
console.log(JSON.stringify({ qos0, qos1 }));
