// The end of every run: no more faults, everybody comes back, everything is delivered, and the model judges. Then all
// sessions end, and nothing of them may be left.

import { judgeBalance } from "./balance.ts";
import { SimClient } from "./client.ts";
import { isWhole, judge, judgeQoS0, judgeRetained } from "./model/judgement.ts";
import type { ClientPlan } from "./plan.ts";
import type { Simulation } from "./simulation.ts";

/** How long everything may take once all are back. Longer than any delay that a client or the disk has. */
const DRAIN_ROUND_MS = 20_000;
const DRAIN_ROUNDS = 40;
/** Matches every topic of a simulation, and is no filter that its clients use. */
const EVERYTHING = "+/#";
/** How late a connection that is silent may be ended. */
const KEEP_ALIVE_SLACK_MS = 2_000;

const VERIFIER: ClientPlan = {
  clientId: "verifier",
  version: 5,
  expiryInterval: 0,
  receiveMaximum: 65_535,
  keepAlive: 0,
  topicAliasMaximum: 0,
  packetIds: 65_535,
  ackDelayMs: 0,
  refuses: false,
};

export class Ending {
  readonly #simulation: Simulation;

  constructor(simulation: Simulation) {
    this.#simulation = simulation;
  }

  async run(): Promise<void> {
    const { report, model, process } = this.#simulation;
    await this.#heal();
    await this.#drain();
    if (report.violations.length > 0) return;
    for (const { plan, outbox } of this.#simulation.clients) {
      if (outbox.oldest !== undefined)
        report.broken("stuck", `${outbox.oldest.text} of ${plan.clientId} was never acknowledged`);
    }
    judge(model, (clientId) => process.counts(clientId));
    this.#simulation.application.judge();
    for (const client of this.#simulation.clients) this.#judgeCounts(client);
    for (const client of this.#simulation.clients) this.#judgeKeepAlive(client);
    if (process.droppedQoS0 === 0) judgeQoS0(model);
    await this.#lookAtRetained();
    await this.#getRetained();
    if (report.violations.length > 0) return;
    await this.#endSessions();
    this.#judgeRest();
  }

  /** The faults end: the disk works, the process runs, clients answer at once. */
  async #heal(): Promise<void> {
    const { disk, process, clients, trace } = this.#simulation;
    trace.say("simulation", "THE END: no more faults, everybody comes back");
    disk.isFull = false;
    disk.slowMs = 0;
    disk.isBroken = false;
    process.calm();
    await this.#simulation.advance(5_000);
    while (!process.isUp && this.#isFine) await this.#simulation.advance(50_000);
    for (const client of clients) client.ackDelayMs = 0;
  }

  get #isFine(): boolean {
    return this.#simulation.report.violations.length === 0;
  }

  /** Everybody with a session or something to publish is connected until nothing is left to send. */
  async #drain(): Promise<void> {
    for (let round = 0; round < DRAIN_ROUNDS && this.#isFine; round++) {
      for (const client of this.#simulation.clients) this.#bringBack(client);
      await this.#simulation.advance(DRAIN_ROUND_MS);
      if (round > 0 && this.#simulation.clients.every(isQuiet) && this.#isBrokerQuiet) return;
    }
  }

  /** Between two deliveries a client with Receive Maximum 1 has nothing open, although more is coming. */
  get #isBrokerQuiet(): boolean {
    for (const { waitingMessages, inFlight } of this.#simulation.process.broker?.sessions() ?? [])
      if (waitingMessages + inFlight > 0) return false;
    return true;
  }

  #bringBack(client: SimClient): void {
    const { state, link } = client;
    if (state === "connected" && link !== undefined && !link.isFrozen && !link.isSlow) return;
    if (link !== undefined && state !== "offline") link.cut();
    client.connect(1, false, undefined);
  }

  /** Nothing waits any more, and the broker counted as many deliveries as the client got. */
  #judgeCounts({ plan, model: { session } }: SimClient): void {
    const { report, process, model } = this.#simulation;
    const info = process.broker?.sessionInfo(plan.clientId);
    if (info === undefined || session === undefined) return;
    const { waitingMessages, inFlight, counts } = info;
    if (waitingMessages + inFlight > 0)
      report.broken(
        "left-over",
        `${plan.clientId}: ${waitingMessages} messages wait, ${inFlight} are in flight`,
      );
    const { deliveries } = session.flight;
    const counted = counts.delivered + counts.droppedRefused;
    // What a delivery hook left out is counted among what was refused.
    const isExplained = model.rules.plan.deliver ? deliveries <= counted : deliveries === counted;
    if (isWhole(model, session) && !isExplained)
      report.broken("balance", `${plan.clientId} got ${deliveries} deliveries, ${counted} were counted`);
  }

  /** One more client subscribes to everything: it gets what is retained. */
  async #lookAtRetained(): Promise<void> {
    const client = new SimClient(VERIFIER, this.#simulation);
    client.connect(3, true, undefined);
    await this.#simulation.advance(DRAIN_ROUND_MS);
    const sinceMs = this.#simulation.schedule.nowMs;
    client.subscribe(
      [{ topicFilter: "#", qos: 2, noLocal: false, retainAsPublished: false, retainHandling: 0 }],
      0,
    );
    await this.#simulation.advance(DRAIN_ROUND_MS);
    if (client.model.session !== undefined)
      judgeRetained(this.#simulation.model, client.model.session, sinceMs);
    client.leave("disconnect");
  }

  /** All others subscribe to everything once more, by a filter that is new to them: they get what is retained, too. */
  async #getRetained(): Promise<void> {
    const { clients, model, schedule } = this.#simulation;
    // Retained messages wait in a queue like others, and a low limit may cut them.
    if (model.limits.queueMessages !== undefined || model.limits.queueBytes !== undefined) return;
    const sinceMs = schedule.nowMs;
    const options = { topicFilter: EVERYTHING, qos: 2, noLocal: false, retainAsPublished: false } as const;
    for (const [place, client] of clients.entries())
      client.subscribe([{ ...options, retainHandling: place % 2 === 0 ? 0 : 1 }], 0);
    await this.#simulation.advance(DRAIN_ROUND_MS);
    for (const {
      state,
      model: { session },
    } of clients)
      if (state === "connected" && session !== undefined && this.#isFine)
        judgeRetained(model, session, sinceMs);
  }

  /** A connection that fell silent was ended one and a half times its keep alive later. 5.0 [MQTT-3.1.2-22]. */
  #judgeKeepAlive({ plan: { clientId, keepAlive }, frozen }: SimClient): void {
    const { model, report, schedule } = this.#simulation;
    // Who is not read from cannot be told from who is silent.
    if (keepAlive === 0 || model.holdsBack) return;
    for (const { lastReceivedMs, endedMs = Infinity } of frozen) {
      const latestMs = lastReceivedMs + keepAlive * 1_500 + KEEP_ALIVE_SLACK_MS;
      if (schedule.nowMs > latestMs && endedMs > latestMs && model.stalledMs < lastReceivedMs)
        report.broken("closed", `${clientId} fell silent and was not disconnected`);
    }
  }

  async #endSessions(): Promise<void> {
    this.#simulation.application.leave();
    for (const client of this.#simulation.clients) client.connect(2, true, undefined);
    await this.#simulation.advance(DRAIN_ROUND_MS);
    for (const client of this.#simulation.clients) client.leave("end-session");
    // Clients of 3.x with clean session 0 have just left a session; it ends with the next clean one.
    await this.#simulation.advance(DRAIN_ROUND_MS);
  }

  #judgeRest(): void {
    const { process, disk, report } = this.#simulation;
    const counters = process.broker?.counters;
    if (counters === undefined || !this.#isFine) return;
    if (process.broker !== undefined) judgeBalance(process.broker, report);
    const { sessions, subscriptions, logs, outputBytes, connectionsOpen, logCacheBytes } = counters;
    // One deadline is the broker's own, for looking after its logs.
    const deadlines = Math.max(0, counters.deadlines - counters.retained - 1);
    const left = { sessions, subscriptions, logs, outputBytes, connectionsOpen, logCacheBytes, deadlines };
    for (const [name, count] of Object.entries(left))
      if (count !== 0) report.broken("left-over", `counter ${name} is ${count}`);
    for (const table of ["session", "subscription", "delivery", "received", "log", "group"] as const) {
      const keys = disk.keys(table);
      if (keys.length > 0) report.broken("left-over", `table ${table} has ${keys.join(", ")}`);
    }
    if (disk.logIds.length > 0) report.broken("left-over", `blocks of logs ${disk.logIds.join(", ")}`);
  }
}

function isQuiet({ outbox, model }: SimClient): boolean {
  return outbox.length === 0 && (model.session?.flight.open.length ?? 0) === 0;
}
