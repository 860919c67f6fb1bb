// Guards what makes the broker fast, by counts that do not depend on the machine: writes per connection and turn, batches
// per turn, records per batch, bytes allocated per message.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, it } from "node:test";
import { createPublish, encodePacket, type Packet, PacketType } from "@heirloom/codec";
import {
  Broker,
  type Connection,
  MemoryStore,
  type StoreBatch,
  type Transport,
  type World,
} from "@heirloom/core";

const CONNECTIONS = 20;
const MESSAGES = 50;

/** Counts writes and forgets bytes. */
class CountingTransport implements Transport {
  writes = 0;
  bytes = 0;
  readonly bufferedBytes = 0;
  readonly remoteAddress = "test";

  write(bytes: Uint8Array): boolean {
    this.writes++;
    this.bytes += bytes.length;
    return true;
  }

  end(): void {
    // Nothing to end.
  }

  destroy(): void {
    // Nothing to destroy.
  }

  pause(): void {
    // Nothing is read.
  }
}

const world: World = {
  now: () => 1_893_456_000_000,
  randomBytes: (length) => new Uint8Array(length),
  requestTurn: () => undefined,
  wakeAt: () => undefined,
};

interface Peer {
  readonly transport: CountingTransport;
  readonly connection: Connection;
}

async function start(
  cleanStart: boolean,
  qos: 0 | 1 | 2,
): Promise<{ broker: Broker; batches: StoreBatch[]; peers: Peer[] }> {
  const batches: StoreBatch[] = [];
  const store = new MemoryStore();
  const commit = store.commit.bind(store);
  store.commit = (batch) => {
    batches.push(batch);
    return commit(batch);
  };
  const broker = new Broker({ store, world });
  await broker.open();
  const peers = Array.from({ length: CONNECTIONS }, (_, index) =>
    connect(broker, `client-${index}`, cleanStart),
  );
  await settle(broker);
  peers.forEach(({ connection }, index) => {
    send(connection, {
      type: PacketType.SUBSCRIBE,
      packetId: 1,
      subscriptions: [
        { topicFilter: `t/${index}`, qos, noLocal: false, retainAsPublished: false, retainHandling: 0 },
      ],
      properties: {},
    });
  });
  await settle(broker);
  // The first message reserves sequence numbers, once for a long time.
  if (qos > 0)
    peers[0]?.connection.receive(encodePacket(createPublish({ topicName: "t/0", qos: 1, packetId: 9 }), 4));
  await settle(broker);
  batches.length = 0;
  for (const { transport } of peers) transport.writes = 0;
  return { broker, batches, peers };
}

function connect(broker: Broker, clientId: string, cleanStart: boolean): Peer {
  const transport = new CountingTransport();
  const connection = broker.accept(transport, { name: "test", allowAnonymous: true });
  send(connection, {
    type: PacketType.CONNECT,
    protocolVersion: 4,
    clientId,
    cleanStart,
    keepAlive: 0,
    properties: {},
  });
  return { transport, connection };
}

function send(connection: Connection, packet: Packet): void {
  connection.receive(encodePacket(packet, 4));
}

/** One chunk with many PUBLISH, as a socket brings them. */
function chunkOf(topicName: string, qos: 0 | 1 | 2): Uint8Array {
  const payload = new Uint8Array(64).fill(120);
  const packets = Array.from({ length: MESSAGES }, (_, index) =>
    encodePacket(createPublish({ topicName, payload, qos, packetId: qos === 0 ? 0 : index + 1 }), 4),
  );
  return new Uint8Array(packets.flatMap((packet) => [...packet]));
}

async function settle(broker: Broker): Promise<void> {
  for (let round = 0; round < 8; round++) {
    broker.endTurn();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function totalWrites(peers: readonly Peer[]): number {
  return peers.reduce((sum, { transport }) => sum + transport.writes, 0);
}

describe("work per turn", () => {
  it("writes once to each connection for all QoS 0 messages of a turn, and never to the store", async () => {
    const { broker, batches, peers } = await start(true, 0);
    peers.forEach(({ connection }, index) => {
      connection.receive(chunkOf(`t/${index}`, 0));
    });
    broker.endTurn();
    assert.equal(totalWrites(peers), CONNECTIONS);
    await settle(broker);
    assert.equal(batches.length, 0);
    assert.equal(broker.counters.publishSent, CONNECTIONS * MESSAGES);
  });

  it("writes once to each connection for all QoS 1 messages of a turn between clean sessions, and never to the store", async () => {
    const { broker, batches, peers } = await start(true, 1);
    peers.forEach(({ connection }, index) => {
      connection.receive(chunkOf(`t/${index}`, 1));
    });
    broker.endTurn();
    assert.equal(totalWrites(peers), CONNECTIONS);
    await settle(broker);
    assert.equal(batches.length, 0);
  });

  it("makes one batch of a turn for lasting sessions, with one block and one record for each, and then one write", async () => {
    const { broker, batches, peers } = await start(false, 1);
    peers.forEach(({ connection }, index) => {
      connection.receive(chunkOf(`t/${index}`, 1));
    });
    broker.endTurn();
    assert.equal(totalWrites(peers), 0, "nothing goes out before the batch is on disk");
    assert.equal(batches.length, 1);
    const [batch] = batches;
    assert.equal(batch?.blocks.length, CONNECTIONS);
    assert.equal(batch.records.length, CONNECTIONS);
    await settle(broker);
    assert.equal(totalWrites(peers), CONNECTIONS, "PUBACKs and PUBLISHes of a turn leave in one write");
  });

  it("collects what comes in while a batch is on its way into one next batch", async () => {
    const { broker, batches, peers } = await start(false, 1);
    for (let turn = 0; turn < 10; turn++) {
      peers.forEach(({ connection }, index) => {
        connection.receive(
          encodePacket(createPublish({ topicName: `t/${index}`, qos: 1, packetId: turn + 1 }), 4),
        );
      });
      broker.endTurn();
    }
    assert.equal(batches.length, 1);
    await settle(broker);
    assert.equal(batches.length, 2);
  });

  it("allocates at most 320 bytes for a QoS 0 message, 440 with an alias and properties, 480 for one of QoS 1, and one copy of one of 64 KiB", () => {
    const script = new URL("./support/allocations.js", import.meta.url);
    // With one thread V8 compiles at the same places each time, however busy the machine is: the same bytes each time.
    const child = spawnSync(
      process.execPath,
      [
        "--single-threaded",
        "--expose-gc",
        "--max-semi-space-size=512",
        "--min-semi-space-size=512",
        script.pathname,
      ],
      { encoding: "utf8" },
    );
    assert.equal(child.status, 0, child.stderr);
    const most = { qos0: 320, aliased: 440, qos1: 480, large: 66_000 };
    const measured = JSON.parse(child.stdout) as Record<string, number>;
    for (const [name, mostBytes] of Object.entries(most)) {
      const bytes = measured[name] ?? 0;
      assert.ok(
        bytes > 0 && bytes <= mostBytes,
        `${name}: ${bytes} bytes for a message, at most ${mostBytes} expected`,
      );
    }
  });
});
