// One turn: all input that was ready is handled first, then everything it changed goes to the store as one batch with
// one sync, and everything it produced goes out as one write per connection.
//
// What must be on disk before what is sent:
//   a message for a lasting session or a retained message   before its PUBACK or PUBREC
//   the packet identifier of a QoS 2 PUBLISH received        before its PUBREC, and before anyone gets the message
//   the release of that identifier                            before its PUBCOMP
//   a delivery's packet identifier                            before its PUBLISH, for lasting sessions
//   "PUBREC received"                                         before PUBREL
//   a lasting session's existence, its subscriptions          before CONNACK, SUBACK
// Each of these says `output.waitFor(turn.batch())`. Acknowledgements of deliveries are saved with whatever batch comes
// next: after a crash they are repeated with DUP or as PUBREL, which both sides stand.

import { StoreBatch, StoreError, type Store } from "./ports/store.ts";
import type { World } from "./ports/world.ts";
import { TimeMark } from "./time-mark.ts";

/** Something with state on disk. It puts its state into a batch when the batch begins its way to the store. */
export interface Stored {
  /** Whether it waits to be saved. Owned by {@link Turn}. */
  unsaved: boolean;
  /** Adds its present state to the batch with the given number. */
  save(batch: StoreBatch, batchNumber: number): void;
}

/** Something with bytes to send. */
export interface Flushable {
  /** Whether it waits to be flushed. Owned by {@link Turn}. */
  unflushed: boolean;
  /** Sends what may be sent now that batch `durable` is on disk; returns whether bytes wait for a later batch. */
  flush(durable: number): boolean;
}

/** What a turn reports to the broker. */
export interface TurnListener {
  /** The store has no space: `full` true; it has again: false. */
  storeFull(full: boolean): void;
  /** The store failed for good. Nothing is committed any more. */
  storeFailed(error: Error): void;
  /** A batch is on disk. */
  committed(batchNumber: number): void;
}

/** A change that nobody waits for is on disk after this time at the latest. */
export const LAZY_COMMIT_MS = 50;
/** A batch that found the disk full is tried again after this time. */
export const FULL_RETRY_MS = 500;

export class Turn {
  readonly #store: Store;
  readonly #world: World;
  readonly #listener: TurnListener;
  #unsaved: Stored[] = [];
  #unflushed: Flushable[] = [];
  /** Connections whose last bytes wait for a batch. */
  #waiting: Flushable[] = [];
  /** Number of the batch that is being collected. */
  #collecting = 1;
  #durable = 0;
  #running: StoreBatch | undefined;
  #isWanted = false;
  #lazySinceMs = Infinity;
  #retryAtMs = Infinity;
  #isFull = false;
  /** Why nothing is committed any more. */
  #failure: Error | undefined;
  #nowMs = 0;
  /** By how much broker time is ahead of the world's. */
  #aheadMs = 0;
  readonly #timeMark: TimeMark = new TimeMark(() => this.#timeAtEnd());
  #idle: (() => void)[] = [];
  #awaiting: {
    readonly batch: number;
    readonly resolve: () => void;
    readonly reject: (error: Error) => void;
  }[] = [];
  /** Number of the turn, for what is worked out once a turn. */
  number = 0;
  /** Batches written, for the counters. */
  batches = 0;

  constructor(store: Store, world: World, listener: TurnListener) {
    this.#store = store;
    this.#world = world;
    this.#listener = listener;
  }

  /** Broker time, read once a turn. */
  get nowMs(): number {
    if (this.#nowMs === 0) {
      this.#nowMs = this.#world.now() + this.#aheadMs;
      // So that it is read anew after this turn, even if the turn produces nothing.
      this.#world.requestTurn();
    }
    return this.#nowMs;
  }

  /** The same while the turn ends: it is forgotten then anyway, and asking for another turn would never stop. */
  #timeAtEnd(): number {
    if (this.#nowMs === 0) this.#nowMs = this.#world.now() + this.#aheadMs;
    return this.#nowMs;
  }

  /**
   * Takes up broker time after a restart: it was `timeMs` already. If the wall clock was set back since, broker time goes on
   * from there, so that nothing that was over begins again.
   */
  restoreTime(timeMs: number): void {
    this.#nowMs = 0;
    this.#aheadMs = Math.max(0, timeMs - this.#world.now());
  }

  /** Has broker time saved if what is on disk is at least `ageMs` old. */
  keepTime(ageMs: number): void {
    if (this.#timeMark.isOlder(ageMs)) this.save(this.#timeMark);
  }

  /** Asks the world to wake the broker at this broker time; `Infinity` = not at all. */
  wakeAt(timeMs: number): void {
    this.#world.wakeAt(timeMs === Infinity ? undefined : timeMs - this.#aheadMs);
  }

  /** The number of the newest batch that is on disk. */
  get durable(): number {
    return this.#durable;
  }

  /** Whether the store refused the last batch for want of space. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** Saves a thing with the next batch, soon but without anyone waiting. */
  save(thing: Stored): void {
    if (thing.unsaved) return;
    thing.unsaved = true;
    this.#unsaved.push(thing);
    if (this.#lazySinceMs === Infinity) {
      this.#lazySinceMs = this.nowMs;
      this.#world.requestTurn();
    }
  }

  /** The number of the batch that is being collected, and a promise that it goes to the store with this turn. */
  batch(): number {
    this.#isWanted = true;
    return this.#collecting;
  }

  /** The number of the batch that is being collected, without asking for it. */
  get collecting(): number {
    return this.#collecting;
  }

  /** Notes that there are bytes to send. */
  flushLater(thing: Flushable): void {
    if (thing.unflushed) return;
    thing.unflushed = true;
    if (this.#unflushed.push(thing) === 1) this.#world.requestTurn();
  }

  /** When something has to be done although nothing happens, or `Infinity`. */
  get wakeAtMs(): number {
    if (this.#running !== undefined || this.#failure !== undefined) return this.#retryAtMs;
    return this.#unsaved.length === 0 ? Infinity : this.#lazySinceMs + LAZY_COMMIT_MS;
  }

  /** Ends the turn: starts the batch if one is due, sends what may be sent. */
  end(): void {
    this.#startBatch(false);
    const flushing = this.#unflushed;
    this.#unflushed = [];
    for (const thing of flushing) {
      thing.unflushed = false;
      if (thing.flush(this.#durable)) this.#waiting.push(thing);
    }
    this.#nowMs = 0;
    this.number++;
  }

  /** Resolves when the batch that is being collected is on disk; rejects when the store fails, or the broker stops, before that. */
  whenDurable(): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const batch = this.batch();
    this.#world.requestTurn();
    return new Promise((resolve, reject) => this.#awaiting.push({ batch, resolve, reject }));
  }

  /** Resolves when everything so far is on disk, or the store failed. */
  async settle(): Promise<void> {
    for (;;) {
      this.#startBatch(true);
      if (this.#running === undefined) return;
      await new Promise<void>((resolve) => this.#idle.push(resolve));
      if (this.#failure !== undefined || this.isFull) return;
    }
  }

  /** Nothing is committed any more. Who still waits for the disk is told this error. */
  stop(error: Error): void {
    this.#failure ??= error;
    for (const { reject } of this.#awaiting.splice(0)) reject(this.#failure);
  }

  #startBatch(force: boolean): void {
    if (this.#failure !== undefined) return;
    if (this.#running !== undefined) {
      // Infinity: it is under way.
      const isDue = this.#retryAtMs !== Infinity && (force || this.#timeAtEnd() >= this.#retryAtMs);
      if (isDue) this.#commit(this.#running);
      return;
    }
    if (this.#unsaved.length === 0 && !this.#isWanted) return;
    if (!force && !this.#isWanted && this.#timeAtEnd() < this.#lazySinceMs + LAZY_COMMIT_MS) return;
    const batch = new StoreBatch();
    const saving = this.#unsaved;
    this.#unsaved = [];
    for (const thing of saving) {
      thing.unsaved = false;
      thing.save(batch, this.#collecting);
    }
    this.#timeMark.ride(batch);
    this.#isWanted = false;
    this.#lazySinceMs = this.#unsaved.length === 0 ? Infinity : this.#timeAtEnd();
    this.#collecting++;
    this.#running = batch;
    this.#commit(batch);
  }

  #commit(batch: StoreBatch): void {
    this.#retryAtMs = Infinity;
    if (batch.isEmpty) {
      this.#committed();
      return;
    }
    this.batches++;
    this.#store.commit(batch).then(
      () => this.#committed(),
      (error: unknown) => this.#refused(error),
    );
  }

  #committed(): void {
    this.#running = undefined;
    this.#durable++;
    if (this.#isFull) {
      this.#isFull = false;
      this.#listener.storeFull(false);
    }
    this.#listener.committed(this.#durable);
    while ((this.#awaiting[0]?.batch ?? Infinity) <= this.#durable) this.#awaiting.shift()?.resolve();
    this.#flushWaiting();
    this.#wakeIdle();
    // What waits to be saved needs a turn too: `wakeAtMs` did not count it while the batch was under way.
    if (this.#isWanted || this.#unsaved.length > 0) this.#world.requestTurn();
  }

  #refused(error: unknown): void {
    if (error instanceof StoreError && error.code === "STORE_FULL") {
      this.#nowMs = 0;
      this.#retryAtMs = this.nowMs + FULL_RETRY_MS;
      if (!this.#isFull) {
        this.#isFull = true;
        this.#listener.storeFull(true);
        // Connections that have ended do not wait for a full disk.
        this.#flushWaiting();
      }
      this.#world.requestTurn();
    } else {
      const failure = error instanceof Error ? error : new Error(String(error));
      this.stop(failure);
      this.#listener.storeFailed(failure);
    }
    this.#wakeIdle();
  }

  #flushWaiting(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const thing of waiting) this.flushLater(thing);
  }

  #wakeIdle(): void {
    const idle = this.#idle;
    this.#idle = [];
    for (const resolve of idle) resolve();
  }
}
