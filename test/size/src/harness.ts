// A broker in this process on its durable store, with clients that are nothing but bytes: what a hundred thousand sessions
// and a million messages cost can be measured without as many sockets.

import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  createPublish,
  encodePacket,
  type Packet,
  PacketReader,
  PacketType,
  type Publish,
} from "@heirloom/codec";
import { Broker, type Connection, type Limits, type Transport } from "@heirloom/core";
import { LevelStore } from "@heirloom/store-leveldb";
import { NodeWorld } from "heirloom/runtime";

/** The broker's end of a client that is played here: what it is sent is decoded, and acknowledged if wanted. */
export class Peer implements Transport {
  readonly bufferedBytes = 0;
  readonly remoteAddress = "test";
  readonly #reader = new PacketReader({ side: "client", version: 4 });
  readonly #received: (packet: Packet, peer: Peer) => void;
  connection: Connection | undefined;

  constructor(received: (packet: Packet, peer: Peer) => void) {
    this.#received = received;
  }

  send(packet: Packet): void {
    this.connection?.receive(encodePacket(packet, 4));
  }

  write(bytes: Uint8Array): boolean {
    this.#reader.push(bytes.slice());
    for (let packet = this.#reader.next(); packet !== undefined; packet = this.#reader.next()) {
      const came = packet;
      // Not within the broker's turn: a client answers later.
      setImmediate(() => {
        this.#received(came, this);
      });
    }
    return true;
  }

  end(): void {
    this.connection?.closed();
  }

  destroy(): void {
    this.connection?.closed();
  }

  pause(): void {
    // It never sends more than is taken.
  }
}

export class Harness {
  readonly directory: string;
  #broker: Broker | undefined;

  private constructor(directory: string) {
    this.directory = directory;
  }

  static async create(): Promise<Harness> {
    return new Harness(await mkdtemp(join(tmpdir(), "heirloom-size-")));
  }

  get broker(): Broker {
    if (this.#broker === undefined) throw new Error("not started");
    return this.#broker;
  }

  /** Starts the broker on the directory; returns how long it took. */
  async start(limits: Partial<Limits> = {}): Promise<number> {
    const world = new NodeWorld();
    const store = new LevelStore({ directory: join(this.directory, "data"), compactAfterMs: 200 });
    const broker = new Broker({ store, world, limits });
    world.drive(broker);
    const before = performance.now();
    await broker.open();
    this.#broker = broker;
    return performance.now() - before;
  }

  async stop(): Promise<void> {
    await this.broker.stop();
    this.#broker = undefined;
  }

  async remove(): Promise<void> {
    await rm(this.directory, { recursive: true });
  }

  /** Connects a client with a lasting session and returns it when CONNACK came. */
  connect(
    clientId: string,
    received: (packet: Packet, peer: Peer) => void,
    cleanStart = false,
  ): Promise<Peer> {
    return new Promise((resolve) => {
      const peer = new Peer((packet) => {
        if (packet.type === PacketType.CONNACK) resolve(peer);
        else received(packet, peer);
      });
      peer.connection = this.broker.accept(peer, { name: "size", allowAnonymous: true });
      peer.send({
        type: PacketType.CONNECT,
        protocolVersion: 4,
        clientId,
        cleanStart,
        keepAlive: 0,
        properties: {},
      });
    });
  }

  /** Makes lasting sessions that subscribe to one filter at QoS 1 and go offline. */
  async makeOfflineSessions(count: number, topicFilter: string): Promise<void> {
    for (let first = 0; first < count; first += 1_000) {
      const clients = Array.from(
        { length: Math.min(1_000, count - first) },
        (_, index) => `device-${first + index}`,
      );
      await Promise.all(clients.map((clientId) => this.#makeOffline(clientId, topicFilter)));
    }
  }

  async #makeOffline(clientId: string, topicFilter: string): Promise<void> {
    await new Promise<void>((resolve) => {
      void this.connect(clientId, (packet, peer) => {
        if (packet.type !== PacketType.SUBACK) return;
        peer.send({ type: PacketType.DISCONNECT, reasonCode: 0, properties: {} });
        resolve();
      }).then((peer) => {
        peer.send({
          type: PacketType.SUBSCRIBE,
          packetId: 1,
          subscriptions: [
            { topicFilter, qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 },
          ],
          properties: {},
        });
      });
    });
  }

  /** Publishes numbered messages at QoS 1, a window at a time; resolves when all are acknowledged. */
  async publish(topicName: string, count: number, payloadBytes = 64, window = 1_000): Promise<void> {
    let sent = 0;
    let acknowledged = 0;
    await new Promise<void>((resolve) => {
      const next = (peer: Peer): void => {
        const payload = new Uint8Array(payloadBytes);
        new DataView(payload.buffer).setUint32(0, sent);
        sent++;
        peer.connection?.receive(
          encodePacket(createPublish({ topicName, payload, qos: 1, packetId: ((sent - 1) % 65_535) + 1 }), 4),
        );
      };
      void this.connect(
        "publisher",
        (packet, peer) => {
          if (packet.type !== PacketType.PUBACK) return;
          acknowledged++;
          if (sent < count) next(peer);
          if (acknowledged === count) {
            peer.send({ type: PacketType.DISCONNECT, reasonCode: 0, properties: {} });
            resolve();
          }
        },
        true,
      ).then((peer) => {
        for (let index = 0; index < Math.min(window, count); index++) next(peer);
      });
    });
  }

  /** Takes a session up and acknowledges what comes until `count` messages are there; checks that they are in order. */
  async drain(clientId: string, count: number): Promise<void> {
    let received = 0;
    await new Promise<void>((resolve, reject) => {
      void this.connect(clientId, (packet, peer) => {
        if (packet.type !== PacketType.PUBLISH) return;
        const number = numberOf(packet);
        if (number !== received) {
          reject(new Error(`${clientId} got message ${number}, expected ${received}`));
          return;
        }
        received++;
        peer.send({ type: PacketType.PUBACK, packetId: packet.packetId, reasonCode: 0 });
        if (received < count) return;
        peer.send({ type: PacketType.DISCONNECT, reasonCode: 0, properties: {} });
        resolve();
      });
    });
  }

  /** Bytes of all files of the data directory. */
  async diskBytes(): Promise<number> {
    const files = await readdir(join(this.directory, "data"), { recursive: true, withFileTypes: true });
    let bytes = 0;
    for (const file of files) {
      if (!file.isFile()) continue;
      // A file may go while it is looked at: the database rewrites its files.
      bytes += await stat(join(file.parentPath, file.name)).then(
        ({ size }) => size,
        () => 0,
      );
    }
    return bytes;
  }
}

function numberOf({ payload }: Publish): number {
  return new DataView(payload.buffer, payload.byteOffset).getUint32(0);
}

/** Resident bytes of this process, after a collection where it was started with --expose-gc. */
export function residentBytes(): number {
  globalThis.gc?.();
  return process.memoryUsage().rss;
}
