// A broker in memory under virtual time, with a disk that can fail and clients that say what a test tells them.
//
//   const broker = await MemoryBroker.start();
//   const sub = broker.client("sub");
//   await sub.connect();                                 // ["CONNACK 0x00 present=0"]
//   await sub.subscribe("a/#");                          // ["SUBACK 1 0x02"]
//   await broker.restart();                              // sub is gone; what was acknowledged is not

import type { ProtocolVersion } from "@heirloom/codec";
import { Broker } from "../broker.ts";
import type { Counters } from "../counters.ts";
import type { Limits, Listener } from "../limits.ts";
import type { Hooks } from "../ports/hooks.ts";
import type { Permissions } from "../ports/permissions.ts";
import type { BrokerEventName, BrokerEvents } from "../ports/observer.ts";
import type { Store } from "../ports/store.ts";
import { MemoryDisk } from "./memory-disk.ts";
import { MemoryWorld } from "./memory-world.ts";
import { TestClient } from "./test-client.ts";

export interface MemoryBrokerOptions {
  readonly limits?: Partial<Limits>;
  readonly hooks?: Hooks;
  readonly permissions?: Permissions;
  readonly listener?: Partial<Listener>;
  /** Default: a new one. */
  readonly disk?: MemoryDisk;
  /** Another store instead of the disk's. */
  readonly store?: Store;
  /** Told of everything that clients get, in order. */
  readonly came?: (client: string, words: string) => void;
}

/** One thing that the broker told its observer. */
export interface SeenEvent {
  readonly name: BrokerEventName;
  readonly event: BrokerEvents[BrokerEventName];
}

const START_MS = 1_893_456_000_000;
/** Microtasks without a turn after which nothing is taken to be under way. Everything here is done in microtasks. */
const QUIET_ROUNDS = 32;

export class MemoryBroker {
  readonly disk: MemoryDisk;
  readonly world: MemoryWorld = new MemoryWorld(START_MS);
  readonly events: SeenEvent[] = [];
  /** Why the broker said that its process has to stop. */
  failure: Error | undefined;
  readonly #options: MemoryBrokerOptions;
  readonly #listener: Listener;
  #broker: Broker;

  constructor(options: MemoryBrokerOptions = {}) {
    this.#options = options;
    this.disk = options.disk ?? new MemoryDisk();
    this.#listener = { name: "memory", allowAnonymous: true, ...options.listener };
    this.#broker = this.#makeBroker();
  }

  static async start(options: MemoryBrokerOptions = {}): Promise<MemoryBroker> {
    const broker = new MemoryBroker(options);
    await broker.open();
    return broker;
  }

  /** The broker that runs now; another one after a restart. */
  get broker(): Broker {
    return this.#broker;
  }

  get counters(): Counters {
    return this.#broker.counters;
  }

  async open(): Promise<void> {
    await this.#broker.open();
    await this.settle();
  }

  /** A new network connection. Versions: 3 for MQTT 3.1, 4 for 3.1.1, 5 for 5.0. */
  client(name: string, version: ProtocolVersion = 5): TestClient {
    const accept = (transport: TestClient["transport"]): ReturnType<Broker["accept"]> =>
      this.#broker.accept(transport, this.#listener);
    return new TestClient(
      name,
      version,
      accept,
      () => this.settle(),
      (words) => this.#options.came?.(name, words),
    );
  }

  /** Lets everything happen that can happen without time. */
  async settle(): Promise<void> {
    for (let quietRounds = 0; quietRounds < QUIET_ROUNDS; quietRounds++) {
      if (this.world.takeTurnRequest()) {
        this.#broker.endTurn();
        quietRounds = 0;
      }
      await Promise.resolve();
    }
  }

  /** Moves time forward by `seconds`, from deadline to deadline. */
  async advance(seconds: number): Promise<void> {
    const endMs = this.world.now() + seconds * 1000;
    await this.settle();
    for (;;) {
      const nextMs = this.world.nextWakeMs;
      if (nextMs === undefined || nextMs > endMs) break;
      this.world.moveTo(nextMs);
      this.world.wakeAt(undefined);
      this.#broker.wake();
      await this.settle();
    }
    this.world.moveTo(endMs);
  }

  /** The process dies, and is started again `downSeconds` later. What was not synced is gone, and so are all connections. */
  async restart(downSeconds = 0): Promise<void> {
    this.disk.cutPower();
    this.world.wakeAt(undefined);
    this.world.takeTurnRequest();
    this.world.moveTo(this.world.now() + downSeconds * 1000);
    this.#broker = this.#makeBroker();
    await this.open();
  }

  /** Stops in good order, and starts again `downSeconds` later. */
  async stopAndStart(downSeconds = 0): Promise<void> {
    await this.stop();
    await this.restart(downSeconds);
  }

  /** Stops in good order. */
  async stop(): Promise<void> {
    const stopping = this.#broker.stop();
    await this.settle();
    await stopping;
  }

  /** What the observer was told of one kind. */
  eventsOf(name: BrokerEventName): SeenEvent["event"][] {
    return this.events.filter((seen) => seen.name === name).map(({ event }) => event);
  }

  #makeBroker(): Broker {
    const { limits = {}, hooks = {}, permissions, store = this.disk.store } = this.#options;
    return new Broker({
      store,
      world: this.world,
      limits,
      hooks,
      ...(permissions === undefined ? {} : { permissions }),
      observer: { event: (name, event) => void this.events.push({ name, event }) },
      storeFailed: (error) => (this.failure = error),
    });
  }
}
