// One run: carries out a plan on the simulated world, lets everybody come back, and has the model judge what happened.

import { DEFAULT_LIMITS } from "@heirloom/core";
import { Application } from "./application.ts";
import { judgeBalance } from "./balance.ts";
import { SimClient } from "./client.ts";
import { Disk } from "./disk.ts";
import { Ending } from "./ending.ts";
import { judgeMemory, judgeQueues } from "./memory.ts";
import { Model } from "./model/model.ts";
import { Report, type Violation } from "./model/report.ts";
import type { Plan, Step, What } from "./plan.ts";
import { BrokerProcess } from "./process.ts";
import { Rules } from "./rules.ts";
import { Random } from "./random.ts";
import { Schedule } from "./schedule.ts";
import { Trace } from "./trace.ts";

/** 2026-01-01. */
const START_MS = 1_767_225_600_000;
/** Rounds of promises that one event may set off in the core; more only come with the next event. */
const PROMISE_ROUNDS = 12;

export interface Outcome {
  readonly violations: readonly Violation[];
  /** Equal for two runs of the same plan. */
  readonly hash: string;
  readonly events: number;
  readonly faults: number;
  /** Virtual time that passed. */
  readonly elapsedMs: number;
  readonly transcript: readonly string[] | undefined;
}

/** Runs a plan. Virtual time only; the same plan always runs the same. */
export function simulate(plan: Plan, isTranscriptKept = false): Promise<Outcome> {
  return new Simulation(plan, isTranscriptKept).run();
}

export class Simulation {
  readonly schedule: Schedule = new Schedule(START_MS);
  readonly trace: Trace;
  readonly report: Report;
  readonly model: Model;
  readonly disk: Disk;
  readonly process: BrokerProcess;
  readonly clients: readonly SimClient[];
  readonly application: Application;
  readonly #plan: Plan;
  #faults = 0;

  constructor(plan: Plan, isTranscriptKept: boolean) {
    const now = (): number => this.schedule.nowMs;
    const random = new Random(plan.seed ^ 0x5eed);
    const rules = new Rules(plan.rules);
    this.#plan = plan;
    this.trace = new Trace(now, isTranscriptKept);
    this.report = new Report(now, (line) => this.trace.say("model", line));
    this.model = new Model(now, this.report, plan.limits, rules);
    this.application = new Application(this.schedule, random.fork(), this.model);
    this.disk = new Disk(this.schedule, random.fork(), this.trace, {
      broken: (text) => this.report.broken("store", text),
      damaged: (ids) => this.model.damaged(ids),
    });
    this.disk.isNearLastPacketId = plan.isNearLastPacketId === true;
    const limits = { ...DEFAULT_LIMITS, ...plan.limits };
    this.process = new BrokerProcess(this.schedule, random.fork(), this.trace, this.disk, limits, rules, {
      ended: (durableSinceMs) => {
        this.model.process.ended(durableSinceMs);
        this.application.ended();
      },
      turned: (broker) => judgeMemory(broker, plan.clients.length, this.disk.uncertainBytes, this.report),
      started: (broker, sinceMs, aheadMs) => {
        this.model.process.started(sinceMs, aheadMs);
        this.application.started(broker, plan.isApplicationSubscribed === true);
      },
      threw: (error) =>
        this.report.broken("threw", error instanceof Error ? (error.stack ?? error.message) : String(error)),
    });
    this.clients = plan.clients.map((client) => new SimClient(client, this));
  }

  async run(): Promise<Outcome> {
    this.process.start();
    await this.advance(10);
    for (const step of this.#plan.steps) {
      await this.advance(step.afterMs);
      this.#do(step);
      await settle();
      const { broker } = this.process;
      if (broker !== undefined) {
        judgeBalance(broker, this.report);
        judgeQueues(broker, this.report);
      }
      if (this.report.violations.length > 0) break;
    }
    if (this.report.violations.length === 0) await new Ending(this).run();
    return {
      violations: this.report.violations,
      hash: this.trace.hash,
      events: this.schedule.count,
      faults: this.#faults,
      elapsedMs: this.schedule.nowMs - START_MS,
      transcript: this.trace.lines,
    };
  }

  /** Lets time pass, with all that happens in it. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.schedule.nowMs + ms;
    while (this.schedule.runNext(untilMs)) {
      await settle();
      this.model.stalledMs = this.disk.stalledMs;
      if (this.report.violations.length > 0) return;
    }
  }

  #do({ what, seed }: Step): void {
    if ("client" in what) {
      const client = this.clients[what.client % this.clients.length];
      if (client !== undefined) doAtClient(client, what, seed);
      if (what.kind === "slow" && client !== undefined)
        this.trace.say(client.plan.clientId, `reads ${what.bytesPerMs} bytes per ms`);
    } else {
      if (what.kind !== "wait" && what.kind !== "application-publishes") this.#faults++;
      this.#doToServer(what);
    }
    if (what.kind === "leave" || what.kind === "slow" || what.kind === "misbehave") this.#faults++;
  }

  #doToServer(what: Exclude<What, { client: number }>): void {
    const { schedule, trace, disk } = this;
    switch (what.kind) {
      case "crash":
        return this.process.crash(what.downMs, what.effects);
      case "restart":
        return this.process.restart(what.downMs);
      case "disk-full":
        trace.say("disk", `full for ${what.forMs} ms`);
        disk.isFull = true;
        schedule.after(what.forMs, () => (disk.isFull = false));
        return;
      case "disk-slow":
        trace.say("disk", `takes ${what.slowMs} ms more for ${what.forMs} ms`);
        disk.slowMs = what.slowMs;
        schedule.after(what.forMs, () => (disk.slowMs = 0));
        return;
      case "clock-jumps":
        trace.say("clock", `jumps by ${what.byMs} ms`);
        this.process.clockAheadMs += what.byMs;
        if (what.downMs !== undefined) this.process.crash(what.downMs);
        return;
      case "application-publishes":
        return this.application.publish(what.message);
      case "damage":
        disk.isToBeDamaged = true;
        return this.process.crash(what.downMs);
      case "sync-fails":
        disk.isBroken = true;
        return;
      case "wait":
    }
  }
}

function doAtClient(client: SimClient, what: Extract<What, { client: number }>, seed: number): void {
  switch (what.kind) {
    case "connect":
      // Who is connected comes a second time only now and then: a takeover.
      if (client.state === "offline" || seed % 8 === 0) client.connect(seed, what.cleanStart, what.will);
      return;
    case "leave":
      return client.leave(what.how);
    case "slow":
      client.link?.slow(what.bytesPerMs);
      if (client.model.session !== undefined) client.model.session.isSlow = true;
      return;
    case "publish":
      for (let count = 0; count < what.count; count++) client.publish(what.message);
      return;
    case "subscribe":
      return client.subscribe(what.filters, what.identifier);
    case "unsubscribe":
      return client.unsubscribe(what.topicFilters);
    case "misbehave":
      return client.misbehave(what.bytes);
  }
}

/** Lets all promises go on that can. */
async function settle(): Promise<void> {
  for (let round = 0; round < PROMISE_ROUNDS; round++) await Promise.resolve();
}
