// The broker that applications embed: the core, driven by Node's clock, fed by listeners and streams, on a store.

import type { Duplex } from "node:stream";
import {
  Broker as CoreBroker,
  type BrokerEventName,
  type BrokerEvents as CoreEvents,
  type Hooks,
  type Store,
  type StoreError,
  type World,
} from "@heirloom/core";
import type { ListenerSettings, Settings } from "./config/settings.ts";
import { addListener, emitEvent, removeListener, type Listeners } from "./events.ts";
import type { Driven } from "./runtime.ts";
import { WatchedStore } from "./stores.ts";
import { StreamTransport } from "./transports/stream.ts";
import type { Accept, Listener, NewTransport } from "./transports/transport.ts";

/** What a broker tells, by name. */
export interface BrokerEvents extends CoreEvents {
  /**
   * The store failed in a way that leaves unknown what is on disk. Nothing is acknowledged any more and all
   * connections are closed at once; the process should end, and start again on a disk that works.
   */
  storeFailed: { readonly error: StoreError };
}

/** What a broker is made of. */
export interface BrokerParts {
  readonly settings: Settings;
  readonly store: Store;
  readonly world: World & { drive(driven: Driven): void };
  readonly hooks: Hooks | undefined;
}

/** How a stream of the application's own is attached. */
export interface AttachOptions {
  /** How hooks and events call the listener that it did not come from. Default "attached". */
  readonly listener?: string;
  /** Default "attached". */
  readonly remoteAddress?: string;
}

/** A running MQTT broker. Made by `createBroker`. */
export class Broker {
  readonly #core: CoreBroker;
  readonly #store: WatchedStore;
  readonly #eventListeners: Listeners<BrokerEvents> = {};
  readonly #settings: Settings;
  readonly #transports = new Set<NewTransport>();
  readonly #listeners: Listener[] = [];
  /** Called when the last transport has closed, while `stop` waits for it. */
  #onLastClosed: (() => void) | undefined;
  #stopped: Promise<void> | undefined;

  constructor(parts: BrokerParts) {
    this.#settings = parts.settings;
    const eventListeners = this.#eventListeners;
    this.#store = new WatchedStore(parts.store, (error) => this.#storeFailed(error));
    this.#core = new CoreBroker({
      store: this.#store,
      world: parts.world,
      limits: parts.settings.limits,
      ...(parts.hooks === undefined ? {} : { hooks: parts.hooks }),
      observer: {
        event<Name extends BrokerEventName>(name: Name, event: CoreEvents[Name]): void {
          emitEvent<CoreEvents, Name>(eventListeners, name, event);
        },
      },
    });
    parts.world.drive(this.#core);
  }

  /** Where clients can connect, with the ports that were really bound. */
  get listeners(): readonly Listener[] {
    return this.#listeners;
  }

  /**
   * Reads the store, then listens.
   *
   * @throws StoreError when the store cannot be opened, ListenError when an address cannot be had; then nothing runs.
   */
  async start(): Promise<void> {
    await this.#core.open();
    try {
      for (const settings of this.#settings.listeners) this.#listeners.push(await this.#listen(settings));
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  on<Name extends keyof BrokerEvents>(name: Name, listener: (event: BrokerEvents[Name]) => void): void {
    addListener(this.#eventListeners, name, listener);
  }

  off<Name extends keyof BrokerEvents>(name: Name, listener: (event: BrokerEvents[Name]) => void): void {
    removeListener(this.#eventListeners, name, listener);
  }

  /** Takes any duplex stream of bytes as a client's connection: one end of a pipe, a TLS socket, a pair in memory. */
  attach(stream: Duplex, options: AttachOptions = {}): void {
    const { listener: name = "attached", remoteAddress = "attached" } = options;
    const { allowAnonymous } = this.#settings;
    this.#accept(new StreamTransport(stream, remoteAddress), { name, allowAnonymous });
  }

  /** Whether the store still works on what it was given. For tests that wait until nothing is under way. */
  protected get storeIsBusy(): boolean {
    return this.#store.isBusy;
  }

  /**
   * Stops: no new connections, DISCONNECT 0x8B to all clients of 5.0, sessions kept, everything on disk, the store closed.
   * Resolves when the last connection is closed, at the latest after a grace period of two seconds.
   */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    await this.#closeListeners();
    await this.#core.stop();
    if (this.#transports.size === 0) return;
    await new Promise<void>((resolve) => {
      this.#onLastClosed = resolve;
    });
  }

  async #listen(settings: ListenerSettings): Promise<Listener> {
    const { name, allowAnonymous, limits } = settings;
    const listener = { name, allowAnonymous, ...limits };
    const accept: Accept = (transport) => this.#accept(transport, listener);
    if (settings.transport === "tcp") {
      const { listenTcp } = await import("./transports/tcp.ts");
      return listenTcp(settings, accept);
    }
    const { listenWebSocket } = await import("./transports/websocket.ts");
    return listenWebSocket(settings, accept);
  }

  #accept(transport: NewTransport, listener: Parameters<CoreBroker["accept"]>[1]): void {
    this.#transports.add(transport);
    const connection = this.#core.accept(transport, listener);
    transport.start(connection, () => {
      this.#transports.delete(transport);
      if (this.#transports.size === 0) this.#onLastClosed?.();
    });
  }

  async #closeListeners(): Promise<void> {
    await Promise.all(this.#listeners.map((listener) => listener.close()));
  }

  #storeFailed(error: StoreError): void {
    emitEvent(this.#eventListeners, "storeFailed", { error });
    // What was said to be on disk may not be: no client is told anything more.
    void this.#closeListeners();
    for (const transport of this.#transports) transport.destroy();
  }
}
