// The broker for tests: in process, in memory, and under virtual time. The same code as in production around it.

import type { Duplex } from "node:stream";
import { UsageError } from "@heirloom/codec";
import { MemoryStore, type Hooks, type Limits, type Store } from "@heirloom/core";
import { Broker, type AttachOptions } from "./broker.ts";
import { parseDuration } from "./config/units.ts";
import { permissionsOf, settingsOf } from "./create-broker.ts";
import type { Authentication, LoginLimits } from "./identity/options.ts";
import type { PermissionChain } from "./permissions/chain.ts";
import type { PermissionOptions } from "./permissions/options.ts";
import { BusyStore } from "./testing/busy-store.ts";
import { duplexPair } from "./testing/duplex-pair.ts";
import { VirtualWorld } from "./testing/virtual-world.ts";

export interface TestBrokerOptions {
  readonly limits?: Partial<Limits>;
  readonly hooks?: Hooks;
  /** Default true, with `authentication` false. */
  readonly allowAnonymous?: boolean;
  /** As for `createBroker`; only for {@link createTestBroker}. */
  readonly permissions?: readonly PermissionOptions[];
  readonly authentication?: readonly Authentication[];
  readonly loginLimits?: Partial<LoginLimits>;
  /** Default: a new `MemoryStore`. Given to a second broker after the first was stopped, it shows a restart. */
  readonly store?: Store;
  /** What the broker's clock shows first, in milliseconds since 1970-01-01 UTC. Default: 2030-01-01. */
  readonly startMs?: number;
}

const DEFAULT_START_MS = Date.UTC(2030, 0, 1);

/** Rounds of the event loop without any activity after which nothing is taken to be under way. */
const QUIET_ROUNDS = 8;

/** A broker whose time stands still until {@link TestBroker.advance} moves it. It listens nowhere. */
export class TestBroker extends Broker {
  readonly #world: VirtualWorld;
  readonly #store: BusyStore;
  /** Goes up with everything that moves on a stream of {@link TestBroker.connect}. */
  #moves = 0;

  constructor(options: TestBrokerOptions = {}, permissions?: PermissionChain) {
    const { limits = {}, hooks, allowAnonymous, authentication, loginLimits } = options;
    const world = new VirtualWorld(options.startMs ?? DEFAULT_START_MS);
    const store = new BusyStore(options.store ?? new MemoryStore());
    const settings = settingsOf({
      limits,
      listeners: [],
      ...(allowAnonymous === undefined ? {} : { allowAnonymous }),
      ...(authentication === undefined ? {} : { authentication }),
      ...(loginLimits === undefined ? {} : { loginLimits }),
      ...(hooks === undefined ? {} : { hooks }),
    });
    super({ settings, store, world, hooks, permissions });
    this.#world = world;
    this.#store = store;
  }

  /** What the broker's clock shows, in milliseconds since 1970-01-01 UTC. */
  get nowMs(): number {
    return this.#world.now();
  }

  /**
   * A new network connection.
   *
   * @returns the client's end. With MQTT.js: `new MqttClient(() => broker.connect(), options)`.
   */
  connect(options: AttachOptions = {}): Duplex {
    const [client, server] = duplexPair(() => this.#moves++);
    this.attach(server, options);
    return client;
  }

  /**
   * Moves the broker's time forward, from deadline to deadline: each fires at its own time, in order, and everything
   * that follows from it is done before the next.
   *
   * @param duration milliseconds, or a text such as "2h" or "1m30s".
   * @throws UsageError when `duration` is neither.
   */
  async advance(duration: number | string): Promise<void> {
    const durationMs = typeof duration === "string" ? parseDuration(duration) : duration;
    if (durationMs === undefined || !(durationMs >= 0)) {
      throw new UsageError(`seen ${String(duration)}, expected milliseconds or a duration such as "2h"`);
    }
    const endMs = this.nowMs + durationMs;
    await this.settle();
    while (this.#world.nextWakeMs !== undefined && this.#world.nextWakeMs <= endMs) {
      this.#world.wakeNext();
      await this.settle();
    }
    this.#world.moveTo(endMs);
  }

  /** Waits, without moving time, until no turn, no commit and no byte is under way. */
  async settle(): Promise<void> {
    let quietRounds = 0;
    while (quietRounds < QUIET_ROUNDS) {
      const before = this.#world.turnCount + this.#moves;
      await new Promise((resolve) => setImmediate(resolve));
      const isQuiet = before === this.#world.turnCount + this.#moves && !this.#store.isBusy;
      quietRounds = isQuiet ? quietRounds + 1 : 0;
    }
  }
}

/** Starts a broker for tests. It has no timers of its own: a test that forgets it does not hang. */
export async function createTestBroker(options: TestBrokerOptions = {}): Promise<TestBroker> {
  const settings = settingsOf({
    listeners: [],
    ...(options.permissions === undefined ? {} : { permissions: options.permissions }),
  });
  const broker = new TestBroker(options, await permissionsOf(settings));
  await broker.start();
  return broker;
}
