// The broker: puts the parts together and drives them. Pure: bytes, time and the store come in from outside.
//
//   bytes -> connection -> handler -> acceptance -> fan-out -> logs, sessions, groups, retained
//         -> turn: one batch to the store, one write to each connection

import type { Packet } from "@heirloom/codec";
import { PacketType, ReasonCode, UsageError } from "@heirloom/codec";
import { Acceptance } from "./acceptance.ts";
import { Rules } from "./access.ts";
import { Accounts } from "./accounts.ts";
import { disconnectAccounts, disconnectClient, removeAccounts } from "./administration.ts";
import { Application, type LocalSubscription } from "./application.ts";
import { Connection, type ConnectionHost } from "./connection.ts";
import { ConnectionTable } from "./connection-table.ts";
import type { Context } from "./context.ts";
import { Counters } from "./counters.ts";
import { DeliveryCounts } from "./delivery-counts.ts";
import { Deadline, Deadlines } from "./deadlines.ts";
import { type FailedInput, FailedInputs } from "./failed-inputs.ts";
import { FanOut } from "./fan-out.ts";
import { handlePuback, handlePubcomp, handlePubrec, handlePubrel } from "./handlers/acks.ts";
import { handleAuth } from "./handlers/authenticate.ts";
import { handleConnect } from "./handlers/connect.ts";
import { handleDisconnect } from "./handlers/disconnect.ts";
import { handlePublish } from "./handlers/publish.ts";
import { handleSubscribe } from "./handlers/subscribe.ts";
import { handleUnsubscribe } from "./handlers/unsubscribe.ts";
import { DEFAULT_LIMITS, type Limits, type Listener } from "./limits.ts";
import type { MessageHandler } from "./local-client.ts";
import { LogTable } from "./logs/log-table.ts";
import { MemoryCeiling } from "./memory-ceiling.ts";
import type { MessageFields } from "./message.ts";
import { OutputBudget } from "./output-budget.ts";
import type { Parts } from "./parts.ts";
import type { Hooks } from "./ports/hooks.ts";
import type { Observer } from "./ports/observer.ts";
import type { Permissions } from "./ports/permissions.ts";
import { type Store, StoreError } from "./ports/store.ts";
import type { Transport } from "./ports/transport.ts";
import type { World } from "./ports/world.ts";
import { PublishEncoder } from "./publish-encoder.ts";
import { Recovery } from "./recovery.ts";
import { RetainedMessages } from "./retained.ts";
import { PumpQueue } from "./sessions/pump-queue.ts";
import { SessionTable } from "./sessions/session-table.ts";
import { SubscriptionTable } from "./sessions/subscription-table.ts";
import { SubscriptionCheck } from "./subscription-check.ts";
import { type GroupInfo, groupInfo, type SessionInfo, sessionInfo } from "./session-info.ts";
import type { Subscription } from "./subscription.ts";
import { Turn } from "./turn.ts";
import { WillPublisher } from "./will-publisher.ts";
import type { ConnectionEnd } from "./wills.ts";

/** Deadlines that one turn serves at most. */
const DUE_PER_TURN = 1_000;
/** How often logs are trimmed and queues cut to their limit. */
const SWEEP_MS = 1_000;
const STOPPED = "the broker stopped before the message was on disk, for want of space: it may be lost";
/** How often broker time is written while nothing else is. */
const IDLE_MARK_MS = 60_000;

export interface BrokerOptions {
  readonly store: Store;
  readonly world: World;
  readonly limits?: Partial<Limits>;
  readonly hooks?: Hooks;
  /** Which topics clients may use. Default: all but the broker's own. */
  readonly permissions?: Permissions;
  readonly observer?: Observer;
  /** Default: new ones. What stands around the core may count in the same object. */
  readonly counters?: Counters;
  /** The store failed for good: the process has to stop at once. Nothing is acknowledged any more. */
  readonly storeFailed?: (error: Error) => void;
}

export class Broker implements ConnectionHost {
  readonly counters: Counters;
  readonly limits: Limits;
  readonly #context: Context;
  readonly #parts: Parts;
  readonly #options: BrokerOptions;
  readonly #connections: ConnectionTable;
  readonly #application: Application;
  readonly #subscriptionCheck: SubscriptionCheck;
  readonly #sweep: Deadline = new Deadline(() => this.#sweepNow(true));
  #isOpen = false;
  /** So much of the store's damage was told. */
  #damageTold = 0;

  constructor(options: BrokerOptions) {
    const { store, world } = options;
    this.#options = options;
    this.counters = options.counters ?? new Counters();
    this.limits = { ...DEFAULT_LIMITS, ...options.limits };
    const observer = options.observer ?? { event: () => undefined };
    const turn = new Turn(store, world, {
      storeFull: (full) => {
        observer.event("storeFull", { full });
        this.#parts.acceptance.roomChanged();
      },
      storeFailed: (error) => this.#storeFailed(error),
      committed: (batch) => {
        this.#context.logs.committed(batch);
        this.#context.pumps.committed();
        this.#parts.acceptance.roomChanged();
      },
    });
    const logs = new LogTable({
      limits: this.limits,
      counters: this.counters,
      store,
      turn,
      observer,
      readFailed: (error) => this.#storeFailed(error instanceof Error ? error : new Error(String(error))),
      roomChanged: () => this.#parts.acceptance.roomChanged(),
      dropped: (log) => this.#parts.subscriptions.logDropped(log),
    });
    this.#connections = new ConnectionTable(this.limits, this.counters);
    const pumps = new PumpQueue(() => world.requestTurn());
    this.#context = {
      limits: this.limits,
      counters: this.counters,
      ended: new DeliveryCounts(),
      store,
      world,
      hooks: options.hooks ?? {},
      rules: options.permissions && new Rules(options.permissions),
      accounts: new Accounts(),
      failedInputs: new FailedInputs(),
      memory: new MemoryCeiling({
        limits: this.limits,
        counters: this.counters,
        world,
        observer,
        connections: this.#connections,
        dropCaches: () => logs.sweep({ ...this.limits, logCacheBytes: 0 }),
      }),
      observer,
      turn,
      deadlines: new Deadlines(),
      logs,
      encoder: new PublishEncoder(),
      pumps,
      outputBudget: new OutputBudget(this.limits, this.counters, pumps),
    };
    this.#parts = this.#makeParts();
    this.#application = new Application(this.#parts);
    this.#subscriptionCheck = new SubscriptionCheck(this.#parts, this.#connections);
  }

  #makeParts(): Parts {
    const context = this.#context;
    const [a = 0, b = 0, c = 0, d = 0] = context.world.randomBytes(4);
    const hashSeed = ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
    const subscriptions = new SubscriptionTable(context, hashSeed);
    const retained = new RetainedMessages(context, hashSeed);
    const acceptance = new Acceptance(context, new FanOut(context, subscriptions), retained);
    const wills = new WillPublisher(context, acceptance);
    const sessions = new SessionTable(context, subscriptions, (will, session) =>
      wills.publish(will, session),
    );
    return {
      context,
      sessions,
      subscriptions,
      retained,
      acceptance,
      wills,
      connectedCount: () => this.#connections.connectedCount,
      connectionOf: (clientId) => {
        const outlet = sessions.get(clientId)?.outlet;
        return outlet instanceof Connection ? outlet : undefined;
      },
    };
  }

  /** Broker time, milliseconds since 1970-01-01 UTC: what `expiresAtMs` of a message is compared with. */
  get nowMs(): number {
    return this.#context.turn.nowMs;
  }

  /** Deadlines that wait: keep alives, expiries, wills, and the broker's own sweep. */
  get deadlineCount(): number {
    return this.#context.deadlines.size;
  }

  /** The last inputs that the decoder failed on by a fault of its own. */
  get failedInputs(): readonly FailedInput[] {
    return this.#context.failedInputs.all;
  }

  // --- life ------------------------------------------------------------------------------------------------------

  /**
   * Opens the store and takes up what it has.
   *
   * @throws StoreError
   */
  async open(): Promise<void> {
    await this.#context.store.open();
    await new Recovery(this.#parts).run();
    this.#tellDamage();
    this.#isOpen = true;
    this.#context.deadlines.set(this.#sweep, this.#context.turn.nowMs + SWEEP_MS);
    this.#context.rules?.permissions.start(() => {
      if (this.#isOpen) this.#subscriptionCheck.begin();
    });
    this.endTurn();
  }

  /** Takes a new network connection. Give it what arrives; it speaks through `transport`. */
  accept(transport: Transport, listener: Listener): Connection {
    return this.#connections.open(this.#context, this, transport, listener);
  }

  /**
   * Ends all connections (5.0: DISCONNECT 0x8B), writes what is left to the store and closes it. Sessions stay; wills of
   * lasting sessions are published after the next start, unless their clients are back by then, 5.0 section 3.1.2.5.
   */
  async stop(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#context.rules?.permissions.stop();
    for (const connection of [...this.#connections]) {
      connection.disconnect(ReasonCode.SERVER_SHUTTING_DOWN, "the server is shutting down");
    }
    this.#parts.wills.stop();
    this.#context.turn.keepTime(0);
    this.#endTurnNow();
    await this.#context.turn.settle();
    this.#context.turn.end();
    this.#parts.acceptance.stop();
    this.#context.turn.stop(new StoreError("STORE_FULL", STOPPED));
    this.#context.world.wakeAt(undefined);
    await this.#context.store.close();
  }

  #storeFailed(error: Error): void {
    this.#isOpen = false;
    this.#options.storeFailed?.(error);
  }

  // --- what there is -----------------------------------------------------------------------------------------------

  /** The session of a client, or `undefined` when it has none. */
  sessionInfo(clientId: string): SessionInfo | undefined {
    const session = this.#parts.sessions.get(clientId);
    return session === undefined ? undefined : sessionInfo(session);
  }

  /** All sessions, the application's own too. */
  *sessions(): Generator<SessionInfo> {
    for (const session of this.#parts.sessions.all()) yield sessionInfo(session);
  }

  *sharedGroups(): Generator<GroupInfo> {
    for (const group of this.#parts.subscriptions.groups()) yield groupInfo(group);
  }

  /**
   * What sessions and shared groups that are over have counted. With those of {@link sessions} and {@link sharedGroups} it adds up
   * to `counters`.
   */
  get endedCounts(): Readonly<DeliveryCounts> {
    return this.#context.ended;
  }

  // --- turns -----------------------------------------------------------------------------------------------------

  /** Everything that was ready has been handed in: the turn ends. Called by the world after `requestTurn`. */
  endTurn(): void {
    if (this.#isOpen) this.#endTurnNow();
  }

  #endTurnNow(): void {
    const { turn, pumps, encoder, deadlines } = this.#context;
    this.counters.turns++;
    this.#subscriptionCheck.goOn();
    pumps.run();
    if (this.limits.queuePolicy === "hold" && this.#parts.acceptance.waitingCount > 0) this.#sweepNow(false);
    encoder.endTurn();
    turn.end();
    this.counters.batches = turn.batches;
    this.counters.deadlines = deadlines.size;
    turn.wakeAt(Math.min(deadlines.nextMs ?? Infinity, turn.wakeAtMs));
  }

  /** A time that was asked for with `wakeAt` has come. */
  wake(): void {
    if (!this.#isOpen) return;
    const { turn, deadlines, world } = this.#context;
    deadlines.run(turn.nowMs, DUE_PER_TURN);
    world.requestTurn();
  }

  #sweepNow(again: boolean): void {
    const { logs, deadlines, turn } = this.#context;
    logs.sweep(this.limits);
    if (!again) return;
    this.#tellDamage();
    this.#context.memory.look();
    if (this.#parts.sessions.size + this.#parts.retained.size > 0) turn.keepTime(IDLE_MARK_MS);
    deadlines.set(this.#sweep, turn.nowMs + SWEEP_MS);
  }

  /** What the store has found broken since this was called last. */
  #tellDamage(): void {
    const { store, observer } = this.#context;
    const { damage } = store;
    for (const each of damage.slice(this.#damageTold)) observer.event("damaged", each);
    this.#damageTold = damage.length;
  }

  // --- ConnectionHost --------------------------------------------------------------------------------------------

  handle(connection: Connection, packet: Packet): Promise<void> | void {
    switch (packet.type) {
      case PacketType.PUBLISH:
        return handlePublish(this.#parts, connection, packet);
      case PacketType.PUBACK:
        return handlePuback(connection, packet);
      case PacketType.PUBREC:
        return handlePubrec(connection, packet);
      case PacketType.PUBREL:
        return handlePubrel(this.#parts, connection, packet);
      case PacketType.PUBCOMP:
        return handlePubcomp(connection, packet);
      case PacketType.SUBSCRIBE:
        return handleSubscribe(this.#parts, connection, packet);
      case PacketType.UNSUBSCRIBE:
        return handleUnsubscribe(this.#parts, connection, packet);
      case PacketType.PINGREQ:
        return connection.send({ type: PacketType.PINGRESP });
      case PacketType.DISCONNECT:
        return handleDisconnect(this.#parts, connection, packet);
      case PacketType.CONNECT:
        return handleConnect(this.#parts, connection, packet);
      case PacketType.AUTH:
        return handleAuth(this.#parts, connection, packet);
      default:
        return connection.fail(ReasonCode.PROTOCOL_ERROR, "a packet that only a server sends");
    }
  }

  connected(connection: Connection): void {
    this.#connections.connected(connection);
  }

  ended(connection: Connection, end: ConnectionEnd): void {
    this.#connections.ended(connection);
    const { session, client } = connection;
    if (session !== undefined) this.#context.accounts.countConnection(client?.account, -1);
    if (session?.outlet === connection) this.#parts.sessions.disconnected(session, end, this.#isOpen);
  }

  // --- clients and accounts --------------------------------------------------------------------------------------

  /**
   * Ends the connection of a client, with this reason code for 5.0. Returns false when it has none.
   * `withWill`: whether its will is published.
   */
  disconnectClient(clientId: string, reasonCode: number, reason: string, withWill = true): boolean {
    return disconnectClient(this.#parts, clientId, reasonCode, reason, withWill);
  }

  /** Ends all connections of these accounts, with this reason code for 5.0. Returns how many. */
  disconnectAccounts(accounts: ReadonlySet<string>, reasonCode: number, reason: string): number {
    return disconnectAccounts(this.#connections, accounts, reasonCode, reason);
  }

  /** An account is gone: its connections and sessions end, and its wills are not published. Returns how many sessions. */
  removeAccount(account: string): number {
    return this.removeAccounts(new Set([account]));
  }

  /** The same for several accounts. */
  removeAccounts(accounts: ReadonlySet<string>): number {
    return removeAccounts(this.#parts, this.#connections, accounts);
  }

  // --- the application itself ------------------------------------------------------------------------------------

  /**
   * Publishes a message of the application.
   *
   * @returns the reason code of 5.0: success, 0x10 when nobody matched, 0x97 when there is no room; resolved when the
   * message is on disk if it has to be.
   * @throws StoreError when the store fails, or the broker stops while the disk is full, before that.
   */
  publish(fields: MessageFields): Promise<number> {
    if (!this.#isOpen) return Promise.reject(new UsageError("publish() on a broker that does not run"));
    return this.#application.publish(fields);
  }

  /** Subscribes the application: `handler` gets what matches, retained messages first. The filter must be valid. */
  subscribe(
    subscription: Subscription,
    handler: MessageHandler,
    failed: (error: unknown) => void,
  ): LocalSubscription {
    return this.#application.subscribe(subscription, handler, failed);
  }
}
