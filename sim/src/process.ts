// The broker's process: starts the production core on the disk, takes connections to it, kills it, starts it again.

import { Broker, DeliveryCounts, type Limits, type Listener, StoreError } from "@heirloom/core";
import { type Disk, SimStore } from "./disk.ts";
import { Life } from "./life.ts";
import type { Link } from "./network.ts";
import type { Rules } from "./rules.ts";
import type { Random } from "./random.ts";
import type { Schedule } from "./schedule.ts";
import type { Trace } from "./trace.ts";
import { SimWorld } from "./world.ts";

/** What others are told of the process. */
export interface ProcessListener {
  /** The process ended; everything decided before `durableSinceMs` is on disk. */
  ended(durableSinceMs: number): void;
  /** It is up again; its wall clock was `aheadMs` ahead of true time when it started, at `sinceMs`. */
  started(broker: Broker, sinceMs: number, aheadMs: number): void;
  /** A turn of the broker is over. */
  turned(broker: Broker): void;
  threw(error: unknown): void;
}

const LISTENER: Listener = { name: "sim", allowAnonymous: true };

export class BrokerProcess {
  broker: Broker | undefined;
  /** By ClientId: what the sessions of lives that are over had counted. */
  readonly #counts = new Map<string, DeliveryCounts>();
  crashes = 0;
  /** QoS 0 messages that were dropped, in lives that are over. */
  #droppedQoS0 = 0;
  /** By how much the wall clock is ahead of true time; only a start reads it. */
  clockAheadMs = 0;
  readonly #schedule: Schedule;
  readonly #random: Random;
  readonly #trace: Trace;
  readonly #disk: Disk;
  readonly #limits: Partial<Limits>;
  readonly #rules: Rules;
  readonly #listener: ProcessListener;
  readonly #links = new Set<Link>();
  #life: Life | undefined;
  #isOpen = false;
  #downMs = 10;

  constructor(
    schedule: Schedule,
    random: Random,
    trace: Trace,
    disk: Disk,
    limits: Partial<Limits>,
    rules: Rules,
    listener: ProcessListener,
  ) {
    this.#schedule = schedule;
    this.#random = random;
    this.#trace = trace;
    this.#disk = disk;
    this.#limits = limits;
    this.#rules = rules;
    this.#listener = listener;
  }

  get isUp(): boolean {
    return this.#isOpen && this.#life?.isDead === false;
  }

  /** QoS 0 messages that were dropped, as the broker counts them. */
  get droppedQoS0(): number {
    return this.#droppedQoS0 + (this.broker?.counters.droppedQoS0 ?? 0);
  }

  /** What a client's sessions have counted over all lives, as far as they were there at the end of each. */
  counts(clientId: string): DeliveryCounts {
    const sum = new DeliveryCounts();
    sum.add(this.#countsOf(clientId));
    const info = this.broker?.sessionInfo(clientId);
    if (info !== undefined) sum.add(info.counts);
    return sum;
  }

  #countsOf(clientId: string): DeliveryCounts {
    let counts = this.#counts.get(clientId);
    if (counts === undefined) {
      counts = new DeliveryCounts();
      this.#counts.set(clientId, counts);
    }
    return counts;
  }

  start(): void {
    if (this.#life?.isDead === false) return;
    const life = new Life(
      () => this.#died(),
      (error) => this.#listener.threw(error),
    );
    const world = new SimWorld(this.#schedule, this.#random.fork(), life, this.clockAheadMs);
    const { nowMs: sinceMs } = this.#schedule;
    const aheadMs = this.clockAheadMs;
    const broker = new Broker({
      store: new SimStore(this.#disk, life),
      world,
      limits: this.#limits,
      hooks: this.#rules.hooks(life, this.#schedule, this.#random.fork()),
      storeFailed: () => this.crash(50),
    });
    this.#life = life;
    this.broker = broker;
    world.drive({
      wake: () => broker.wake(),
      endTurn: () => {
        broker.endTurn();
        if (!life.isDead) this.#listener.turned(broker);
      },
    });
    this.#trace.say("process", "starts");
    this.#keepGoing(life);
    broker.open().then(
      () => {
        if (life.isDead) return;
        this.#isOpen = true;
        this.#trace.say("process", "is up");
        this.#listener.started(broker, sinceMs, aheadMs);
      },
      (error: unknown) => {
        if (error instanceof StoreError) this.crash(50);
        else this.#listener.threw(error);
      },
    );
  }

  /** Opening is nothing but promises: it goes on with each event, so there have to be some. */
  #keepGoing(life: Life): void {
    if (!life.isDead && !this.#isOpen) this.#schedule.after(1, () => this.#keepGoing(life));
  }

  /** A client connects. */
  accept(link: Link): void {
    const life = this.#life;
    if (!this.isUp || life === undefined || this.broker === undefined) {
      link.brokerDied();
      return;
    }
    this.#links.add(link);
    const { broker } = this;
    life.run(() => link.attach(broker.accept(link, LISTENER), life));
  }

  /** Kills the process now, or in place of its `effects`-th effect from now; it starts again `downMs` later. */
  crash(downMs: number, effects = 0): void {
    if (this.#life?.isDead !== false) return;
    this.#downMs = downMs;
    this.#life.dieAfter(effects);
    if (effects === 0) this.#life.effect();
  }

  /** A death that was planned does not come. */
  calm(): void {
    this.#life?.live();
  }

  /** Stops the process in good order and starts it again `downMs` later. */
  restart(downMs: number): void {
    const { broker } = this;
    const life = this.#life;
    if (!this.isUp || broker === undefined || life === undefined) return;
    this.#trace.say("process", "stops in good order");
    this.#isOpen = false;
    this.#downMs = downMs;
    for (const link of this.#links) link.cause();
    broker.stop().then(
      () => this.crash(downMs),
      (error: unknown) => this.#listener.threw(error),
    );
  }

  #died(): void {
    this.crashes++;
    this.#droppedQoS0 += this.broker?.counters.droppedQoS0 ?? 0;
    this.#isOpen = false;
    for (const { clientId, counts } of this.broker?.sessions() ?? []) this.#countsOf(clientId).add(counts);
    this.#trace.say("process", `DIES, back in ${this.#downMs} ms`);
    this.#listener.ended(this.#disk.durableSinceMs);
    this.#disk.crash();
    for (const link of this.#links) link.brokerDied();
    this.#links.clear();
    this.#schedule.after(this.#downMs, () => this.start());
  }
}
