// The broker that applications embed: the core, driven by a clock, fed by listeners and streams, on a store.

import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { ReasonCode } from "@heirloom/codec";
import {
  Broker as CoreBroker,
  type BrokerEventName,
  type BrokerEvents as CoreEvents,
  type Hooks,
  type Listener as CoreListener,
  type LocalSubscription,
  type Refusal,
  type Store,
  type World,
} from "@heirloom/core";
import { Admission } from "./admission.ts";
import {
  messageFields,
  PublishRefusedError,
  receivedMessage,
  subscriptionOf,
  type PublishOptions,
  type ReceivedMessage,
  type SubscribeOptions,
} from "./application-messages.ts";
import type { AdmissionLimits } from "./config/admission-options.ts";
import { throwFindings, type Finding } from "./config/findings.ts";
import type { ListenerSettings } from "./config/listener-settings.ts";
import type { Settings } from "./config/settings.ts";
import { ServerCounters } from "./counters.ts";
import { addListener, emitEvent, removeListener, throwOutside, type Listeners } from "./events.ts";
import { Identity } from "./identity/identity.ts";
import type { PermissionChain } from "./permissions/chain.ts";
import type { PermissionOptions } from "./permissions/options.ts";
import { readPermissions, type ReadPermissions } from "./permissions/settings.ts";
import { Reloader, type Reloadable } from "./reload.ts";
import type { Driven } from "./runtime.ts";
import { descriptors } from "./transports/descriptors.ts";
import { StreamTransport } from "./transports/stream.ts";
import {
  strangerAt,
  type ConnectionInput,
  type Listener,
  type ListenerHost,
  type NewTransport,
  type OpenListener,
} from "./transports/transport.ts";

/** What a broker tells, by name. */
export interface BrokerEvents extends CoreEvents {
  /**
   * The store failed in a way that leaves unknown what is on disk. Nothing is acknowledged any more and all
   * connections are closed at once; the process should end, and start again on a disk that works.
   */
  storeFailed: { readonly error: Error };
  /** Something that an operator should look at; the broker goes on. */
  warning: { readonly message: string };
}

/** What a broker is made of. */
export interface BrokerParts {
  readonly settings: Settings;
  readonly store: Store;
  readonly world: World & {
    drive(driven: Driven): void;
    /** Milliseconds since 1970, as other machines have them. */
    wallNow(): number;
  };
  readonly hooks: Hooks | undefined;
  /** Who may use which topics; absent = everybody all topics. */
  readonly permissions?: PermissionChain | undefined;
}

/** How a stream of the application's own is attached. */
export interface AttachOptions {
  /** How hooks and events call the listener that it did not come from. Default "attached". */
  readonly listener?: string;
  /** Default "attached". */
  readonly remoteAddress?: string;
}

/** What else changes when files are read anew. */
export interface ReloadOptions {
  /** Instead of the permissions that there are. Not for a broker that was started without any. */
  readonly permissions?: readonly PermissionOptions[] | ReadPermissions;
}

/** 5.0 section 2.4: reason codes from here on refuse. */
const FIRST_REFUSAL = 0x80;

/** Whether an application's hooks can tell who a client is. */
export function canIdentify(hooks: Hooks | undefined): boolean {
  return hooks?.connect !== undefined || (hooks?.authMethods?.size ?? 0) > 0;
}

/** For connections that come while the broker stops. */
const NOBODY: ConnectionInput = { receive: () => {}, drained: () => {}, closed: () => {} };

/** A running MQTT broker. Made by `createBroker`. */
export class Broker {
  readonly #core: CoreBroker;
  readonly #parts: BrokerParts;
  readonly #eventListeners: Listeners<BrokerEvents> = {};
  readonly #transports = new Set<NewTransport>();
  readonly #listeners: OpenListener[] = [];
  readonly #counters: ServerCounters = new ServerCounters();
  readonly #reasonCounts = new Map<number, number>();
  readonly #reloader: Reloader = new Reloader();
  /** Absent when nobody is asked who clients are. */
  readonly #identity: Identity | undefined;
  /** What is to be told when somebody can listen: `createBroker` gives its broker away when it has started. */
  #earlyWarnings: string[] | undefined = [];
  readonly #admission: Admission;
  #hasFailed = false;
  #stopped: Promise<void> | undefined;
  /** Called when the last transport has closed, while `stop` waits for it. */
  #onLastClosed: (() => void) | undefined;

  constructor(parts: BrokerParts) {
    this.#parts = parts;
    const eventListeners = this.#eventListeners;
    const count = (reasonCode: number): void => this.#countReason(reasonCode);
    this.#identity = this.#makeIdentity();
    this.#admission = this.#makeAdmission(parts.settings.admission);
    const hooks = this.#identity?.hooks ?? parts.hooks;
    this.#core = new CoreBroker({
      store: parts.store,
      world: parts.world,
      limits: parts.settings.limits,
      counters: this.#counters,
      ...(hooks === undefined ? {} : { hooks }),
      ...(parts.permissions === undefined ? {} : { permissions: parts.permissions }),
      observer: {
        event<Name extends BrokerEventName>(name: Name, event: CoreEvents[Name]): void {
          if ("reasonCode" in event) count(event.reasonCode);
          emitEvent<CoreEvents, Name>(eventListeners, name, event);
        },
      },
      storeFailed: (error) => this.#storeFailed(error),
    });
    parts.world.drive(this.#core);
    if (parts.permissions !== undefined) this.#reloader.add(parts.permissions);
  }

  /**
   * Reads the files that it rests on and the store, then listens.
   *
   * @throws ConfigError when a file is wrong, StoreError when the store cannot be opened, ListenError when an address
   * cannot be had; then nothing runs.
   */
  async start(): Promise<void> {
    await this.#identity?.open();
    await this.#core.open();
    try {
      for (const settings of this.#parts.settings.listeners) {
        const listener = await this.#listen(settings);
        this.#listeners.push(listener);
        if (listener.reloadable !== undefined) this.#reloader.add(listener.reloadable);
      }
    } catch (error) {
      await this.stop();
      throw error;
    }
    this.#checkPermissions();
    setImmediate(() => this.#tellEarlyWarnings());
  }

  /** Where clients can connect, with the ports that were really bound. */
  get listeners(): readonly Listener[] {
    return this.#listeners;
  }

  /** Numbers since the start, which change as they are looked at. */
  get counters(): Readonly<ServerCounters> {
    return this.#counters;
  }

  /**
   * Connections that were refused or have ended, by reason code: that of the CONNACK or DISCONNECT that was sent, or
   * received; 0 = ended in order. What of 3.x has no such code is counted by that of 5.0. So each limit that ends a
   * connection has its number here.
   */
  get reasonCounts(): ReadonlyMap<number, number> {
    return this.#reasonCounts;
  }

  /** Calls `listener` for each event of this name. What it throws becomes an uncaught exception. */
  on<Name extends keyof BrokerEvents>(name: Name, listener: (event: BrokerEvents[Name]) => void): void {
    addListener(this.#eventListeners, name, listener);
  }

  off<Name extends keyof BrokerEvents>(name: Name, listener: (event: BrokerEvents[Name]) => void): void {
    removeListener(this.#eventListeners, name, listener);
  }

  /**
   * Publishes a message. The promise resolves when it is on disk for every lasting session that matches, and in the
   * retained store if it is retained: what PUBACK means for a client.
   *
   * @throws UsageError when the arguments are no message, PublishRefusedError when there is no room for it (0x97).
   */
  async publish(
    topicName: string,
    payload: string | Uint8Array,
    options: PublishOptions = {},
  ): Promise<void> {
    const { topicLevels } = this.#parts.settings.limits;
    const fields = messageFields(topicName, payload, options, topicLevels, this.#core.nowMs);
    const reasonCode = await this.#core.publish(fields);
    if (reasonCode >= FIRST_REFUSAL) throw new PublishRefusedError(reasonCode);
  }

  /**
   * Subscribes the application itself, until `unsubscribe` or the end of the process. Retained messages come first.
   * A promise that the listener returns holds back the messages behind the receive maximum.
   *
   * @throws UsageError when the filter is none.
   */
  subscribe(
    topicFilter: string,
    listener: (message: ReceivedMessage) => void | Promise<void>,
    options: SubscribeOptions = {},
  ): Promise<LocalSubscription> {
    const subscription = subscriptionOf(topicFilter, options, this.#parts.settings.limits.topicLevels);
    const local = this.#core.subscribe(
      subscription,
      (message, { qos, retain }) => listener(receivedMessage(message, qos, retain)),
      options.onError ?? throwOutside,
    );
    return Promise.resolve(local);
  }

  /** Takes any duplex stream of bytes as a client's connection: one end of a pipe, a TLS socket, a pair in memory. */
  attach(stream: Duplex, options: AttachOptions = {}): void {
    const { listener: name = "attached", remoteAddress = "attached" } = options;
    const { allowAnonymous } = this.#parts.settings;
    this.#accept(new StreamTransport(stream, strangerAt(remoteAddress)), { name, allowAnonymous });
  }

  /**
   * Reads files anew that may have changed, such as password files and certificates, and takes other permissions if some are
   * given. All or nothing: when something is wrong, everything stays as it was.
   *
   * @throws ConfigError saying which file or option is wrong, and why.
   */
  async reload(changes: ReloadOptions = {}): Promise<void> {
    await this.#reloader.reload(await this.#replacements(changes));
    this.#checkPermissions();
  }

  async #replacements({ permissions }: ReloadOptions): Promise<Map<Reloadable, Reloadable["prepare"]>> {
    if (permissions === undefined) return new Map();
    const findings: Finding[] = [];
    const settings = readPermissions(permissions, findings);
    const chain = this.#parts.permissions;
    if (chain === undefined) {
      const message =
        "the broker was started without, and asks nobody what clients may do; expected a restart";
      findings.push({ path: ["permissions"], message });
    }
    throwFindings(findings);
    const { readSources } = await import("./permissions/open.ts");
    return new Map(chain === undefined ? [] : [[chain, () => chain.prepare(() => readSources(settings))]]);
  }

  /**
   * Stops: no new connections, DISCONNECT 0x8B to all clients of 5.0, sessions kept, everything on disk, the store
   * closed. Resolves when the last connection is closed, at the latest after a grace period of two seconds.
   */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    await this.#closeListeners();
    this.#identity?.close();
    if (this.#hasFailed) await this.#parts.store.close();
    else await this.#core.stop();
    if (this.#transports.size === 0) return;
    await new Promise<void>((resolve) => {
      this.#onLastClosed = resolve;
    });
  }

  #makeIdentity(): Identity | undefined {
    const { settings, hooks, world, permissions } = this.#parts;
    const { authentication, loginLimits, listeners, allowAnonymous } = settings;
    if (authentication.length === 0) return undefined;
    const allowed = new Map(listeners.map((listener) => [listener.name, listener.allowAnonymous]));
    const identity = new Identity({
      authentication,
      limits: loginLimits,
      hooks,
      counters: this.#counters,
      allowsAnonymous: (listener) => allowed.get(listener) ?? allowAnonymous,
      nameFault: (client) => permissions?.identityFault(client),
      warn: (message) => this.#warn(message),
      revoked: (changed, gone) => this.#revoked(changed, gone),
      now: () => world.now(),
      wallNow: () => world.wallNow(),
    });
    this.#reloader.add(identity);
    return identity;
  }

  /** Rules for users where nobody can be one do not do what they say: what they deny is not denied either. */
  #checkPermissions(): void {
    const { permissions, hooks } = this.#parts;
    if (permissions?.isAboutUsers !== true || this.#identity !== undefined || canIdentify(hooks)) return;
    this.#warn(
      "permissions: seen rules about users or claims, but nothing here can tell who a client is, so all clients are " +
        "anonymous to them; expected `authentication`, or in a program a `connect` hook",
    );
  }

  #warn(message: string): void {
    if (this.#earlyWarnings === undefined) emitEvent(this.#eventListeners, "warning", { message });
    else this.#earlyWarnings.push(message);
  }

  #tellEarlyWarnings(): void {
    const warnings = this.#earlyWarnings ?? [];
    this.#earlyWarnings = undefined;
    for (const message of warnings) this.#warn(message);
  }

  #makeAdmission(limits: AdmissionLimits): Admission {
    return new Admission({
      limits,
      counters: this.#counters,
      isBanned: (remoteAddress) => this.#identity?.isBanned(remoteAddress) === true,
      now: () => this.#parts.world.now(),
    });
  }

  #revoked(changed: ReadonlySet<string>, gone: ReadonlySet<string>): void {
    this.#core.removeAccounts(gone);
    this.#core.disconnectAccounts(changed, ReasonCode.NOT_AUTHORIZED, "the password is another one now");
  }

  async #listen(settings: ListenerSettings): Promise<OpenListener> {
    const { name, allowAnonymous, mountPoint, limits } = settings;
    const listener = { name, allowAnonymous, mountPoint, ...limits };
    const admission =
      settings.admission === undefined ? this.#admission : this.#makeAdmission(settings.admission);
    const host: ListenerHost = {
      spare: (socket) => this.#spare(socket),
      admit: (remoteAddress, socket) => {
        const answer = admission.admit(remoteAddress);
        if ("refusal" in answer) return answer.refusal;
        socket.once("close", answer.ended);
        return undefined;
      },
      accept: (transport) => this.#accept(transport, listener),
      refused: (remoteAddress, reasonCode, reason) => {
        this.#counters.connectionsRefused++;
        this.#countReason(reasonCode);
        emitEvent(this.#eventListeners, "refused", { remoteAddress, reasonCode, reason });
      },
      dropped: () => this.#counters.handshakesDropped++,
      flooded: () => this.#counters.tlsFloodsEnded++,
      warning: (message) => this.#warn(message),
    };
    if (settings.transport === "tcp") {
      const { listenTcp } = await import("./transports/tcp.ts");
      return listenTcp(settings, host);
    }
    const { listenWebSocket } = await import("./transports/websocket.ts");
    return listenWebSocket(settings, host);
  }

  /** A code is one byte: there are never more than 256 of them. */
  #countReason(reasonCode: number): void {
    this.#reasonCounts.set(reasonCode, (this.#reasonCounts.get(reasonCode) ?? 0) + 1);
  }

  #spare(socket: Socket): Refusal | undefined {
    if (descriptors.take(socket)) return undefined;
    this.#counters.connectionsRefusedByFiles++;
    const reasonString = `${descriptors.maximumSockets} connections are open; the system allows no more files`;
    return { reasonCode: ReasonCode.SERVER_BUSY, reasonString };
  }

  #accept(transport: NewTransport, listener: CoreListener): void {
    this.#transports.add(transport);
    const isOver = this.#stopped !== undefined || this.#hasFailed;
    transport.start(isOver ? NOBODY : this.#core.accept(transport, listener), () => this.#closed(transport));
    if (isOver) transport.destroy();
  }

  #closed(transport: NewTransport): void {
    this.#transports.delete(transport);
    if (this.#transports.size === 0) this.#onLastClosed?.();
  }

  async #closeListeners(): Promise<void> {
    await Promise.all(this.#listeners.map((listener) => listener.close()));
  }

  #storeFailed(error: Error): void {
    this.#hasFailed = true;
    emitEvent(this.#eventListeners, "storeFailed", { error });
    // What was said to be on disk may not be: no client is told anything more.
    for (const transport of this.#transports) transport.destroy();
    void this.#closeListeners();
  }
}
