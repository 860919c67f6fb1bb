// A crash run: clients under load, the real server killed at random moments and started again on the same data, and at the
// end everything read and judged.

import { utimes } from "node:fs/promises";
import { join } from "node:path";
import { PacketType, type ProtocolVersion, type QoS } from "@heirloom/codec";
import { newDirectory, removeDirectory } from "#interop/directory";
import { type ServerOptions, ServerProcess } from "#interop/server";
import { WireClient } from "#interop/wire-client";
import { buildBadDisk } from "./bad-disk.ts";
import { textOf } from "./drain.ts";
import { Ledger } from "./ledger.ts";
import { Mortal } from "./mortal.ts";
import { Publisher } from "./publisher.ts";
import { randomFrom } from "./random.ts";
import { Subscriber } from "./subscriber.ts";

export interface CampaignOptions {
  /** How often the server is ended under load: nearly always killed, seldom stopped. */
  readonly rounds: number;
  readonly seed: number;
  /** More arguments of the server. */
  readonly serverArgs?: readonly string[];
  /** Every write to disk comes so many milliseconds late: more of what is under way is lost with a kill. Default 0. */
  readonly slowDiskMs?: number;
  /** Called after each round. */
  readonly progress?: (report: CampaignReport) => void;
}

export interface CampaignReport {
  readonly rounds: number;
  /** How many rounds ended with an orderly stop instead of a kill. */
  readonly stops: number;
  /** Kills in the middle of a start, on top of those of the rounds. */
  readonly killedStarts: number;
  readonly acknowledged: number;
  readonly arrived: number;
  readonly repetitions: number;
  readonly violations: readonly string[];
  /** Where the data was left; only when there are violations. */
  readonly data?: string;
}

/** Milliseconds between two bursts of the publishers. */
const BURST_MS = 5;
/** Milliseconds under load before a kill. */
const LIVE_MS = { least: 10, most: 500 };
/** Every so many rounds on average, the server is killed while it starts. */
const KILLED_START_EACH = 8;
/** Milliseconds from the start of a process to a kill in its start. */
const KILLED_START_MS = 250;
/** Milliseconds that the server stands still before some kills. */
const SUSPENDED_MS = 100;
/** Rounds after which the session that is always offline reads what it missed. */
const CATCH_UP_ROUNDS = 25;
/** Milliseconds without any arrival after which it is looked whether everything is there. */
const SILENCE_MS = 100;
/** Milliseconds from there on. What has not come by then is lost. */
const PATIENCE_MS = 20_000;

const FILTER = "crash/#";
const GROUP_FILTER = `$share/group/${FILTER}`;

/** Runs it. The server it starts is gone afterwards, its data too unless something is wrong. */
export async function runCampaign(options: CampaignOptions): Promise<CampaignReport> {
  const campaign = new Campaign(options);
  return campaign.run();
}

class Campaign {
  readonly #options: CampaignOptions;
  readonly #ledger = new Ledger();
  readonly #random: () => number;
  readonly #publishers: Publisher[];
  /** Connected all the time. */
  readonly #steady: Subscriber[];
  /** Loses its connection again and again. */
  readonly #flaky: Subscriber;
  /** Comes seldom, to read what it missed, a little at a time. */
  readonly #absent: Subscriber;
  readonly #mortal: Mortal;
  #server: ServerProcess | undefined;
  #directory = "";
  #serverOptions: ServerOptions = {};
  #rounds = 0;
  #stops = 0;
  #killedStarts = 0;

  constructor(options: CampaignOptions) {
    this.#options = options;
    this.#random = randomFrom(options.seed);
    const ledger = this.#ledger;
    this.#publishers = [
      new Publisher("one-3.1.1", 4, 1, ledger),
      new Publisher("one-5.0", 5, 1, ledger),
      new Publisher("two-3.1.1", 4, 2, ledger),
      new Publisher("two-5.0", 5, 2, ledger),
    ];
    const group = ledger.addReader("group", 1, true);
    this.#steady = [
      this.#subscriber("steady-1", 4, 1),
      this.#subscriber("steady-2", 5, 2),
      new Subscriber("member-a", 5, GROUP_FILTER, group, ledger),
      new Subscriber("member-b", 5, GROUP_FILTER, group, ledger),
    ];
    this.#flaky = this.#subscriber("flaky-2", 4, 2);
    this.#absent = this.#subscriber("absent-2", 5, 2);
    this.#absent.receiveMaximum = 20;
    this.#mortal = new Mortal("mortal", ledger);
  }

  #subscriber(name: string, version: ProtocolVersion, granted: QoS): Subscriber {
    return new Subscriber(name, version, FILTER, this.#ledger.addReader(name, granted, false), this.#ledger);
  }

  async run(): Promise<CampaignReport> {
    this.#directory = await newDirectory("crash");
    try {
      this.#serverOptions = await this.#makeServerOptions();
      await this.#prepare();
      while (this.#rounds < this.#options.rounds && this.#ledger.violations.length === 0) {
        await this.#round();
        this.#rounds++;
        if (this.#rounds % CATCH_UP_ROUNDS === 0) await this.#catchUp();
        this.#options.progress?.(this.#report());
      }
      if (this.#ledger.violations.length === 0) await this.#finish();
    } catch (error) {
      // A client that cannot connect, a server that does not start: what the server said about it belongs to the report.
      this.#ledger.violation(`${String(error)}; the server printed:\n${this.#server?.output ?? ""}`);
    } finally {
      await this.#server?.kill();
      if (this.#ledger.violations.length === 0) await removeDirectory(this.#directory);
    }
    return this.#report();
  }

  #report(): CampaignReport {
    const { violations, acknowledgedCount, arrivedCount, repetitions } = this.#ledger;
    return {
      rounds: this.#rounds,
      stops: this.#stops,
      killedStarts: this.#killedStarts,
      acknowledged: acknowledgedCount,
      arrived: arrivedCount,
      repetitions,
      violations,
      ...(violations.length === 0 ? {} : { data: this.#directory }),
    };
  }

  async #makeServerOptions(): Promise<ServerOptions> {
    const { serverArgs: args = [], slowDiskMs = 0 } = this.#options;
    const data = join(this.#directory, "data");
    if (slowDiskMs === 0) return { data, args };
    const library = await buildBadDisk(this.#directory);
    return {
      data,
      args,
      env: { LD_PRELOAD: library, HEIRLOOM_DISK: data, HEIRLOOM_SLOW_MS: String(slowDiskMs) },
    };
  }

  /** Every session subscribes before the first message. */
  async #prepare(): Promise<void> {
    const { port } = await this.#start();
    for (const subscriber of [...this.#steady, this.#flaky, this.#absent]) {
      await subscriber.connect(port);
      await subscriber.subscribe();
    }
    await this.#absent.leave();
    await this.#flaky.leave();
    for (const subscriber of this.#steady) await subscriber.leave();
    await this.#server?.kill();
  }

  async #start(): Promise<ServerProcess> {
    this.#server = await ServerProcess.start(this.#serverOptions);
    return this.#server;
  }

  /** Start, load, kill. */
  async #round(): Promise<void> {
    if (this.#random() < 0.5) await this.#makePurgeDue();
    if (this.#random() * KILLED_START_EACH < 1) await this.#killedStart();
    const server = await this.#start();
    await this.#connectAll(server.port);
    await this.#load(server.port, LIVE_MS.least + this.#random() * (LIVE_MS.most - LIVE_MS.least));
    await this.#end(server);
  }

  /** The next start finds that all files have to be rewritten, as if the last time had been long ago. */
  async #makePurgeDue(): Promise<void> {
    if (this.#serverOptions.data !== undefined) await utimes(join(this.#serverOptions.data, "format"), 1, 1);
  }

  /** A start that is killed has to leave everything for the next one. */
  async #killedStart(): Promise<void> {
    this.#killedStarts++;
    await ServerProcess.killStart(this.#serverOptions, this.#random() * KILLED_START_MS);
  }

  /** Mostly a kill at once; sometimes one with much unread in its sockets; sometimes an orderly stop. */
  async #end(server: ServerProcess): Promise<void> {
    const way = this.#random();
    if (way < 0.1) {
      this.#stops++;
      await server.stop();
    } else {
      if (way < 0.3) await this.#suspend(server);
      await server.kill();
    }
    const { code, signal } = await server.ended;
    if (code !== 0 && signal !== "SIGKILL") {
      this.#ledger.violation(`the server ended by itself with ${code}:\n${server.output}`);
    }
    const clients = [...this.#publishers, ...this.#steady, this.#flaky, this.#absent, this.#mortal];
    await Promise.all(clients.map((client) => client.gone()));
  }

  /** The server stands still while the publishers go on. */
  async #suspend(server: ServerProcess): Promise<void> {
    server.signal("SIGSTOP");
    for (const publisher of this.#publishers) publisher.publish(Infinity);
    await this.#pause(this.#random() * SUSPENDED_MS);
  }

  async #connectAll(port: number): Promise<void> {
    await Promise.all(
      [...this.#steady, this.#mortal, ...this.#publishers].map((client) => client.connect(port)),
    );
  }

  /** Publishes for some time, while one subscriber comes and goes. */
  async #load(port: number, durationMs: number): Promise<void> {
    const endMs = performance.now() + durationMs;
    const isFlaky = this.#random() < 0.8;
    if (isFlaky) await this.#flaky.connect(port);
    if (this.#random() < 0.15) await this.#absent.connect(port);
    while (performance.now() < endMs) {
      for (const publisher of this.#publishers) publisher.publish(Math.ceil(this.#random() * 40));
      await this.#pause(BURST_MS);
      if (isFlaky && this.#random() < 0.05) {
        await this.#flaky.drop();
        await this.#flaky.connect(port);
      }
    }
  }

  /** The session that is always offline reads all that it missed, while nobody is killed. */
  async #catchUp(): Promise<void> {
    const server = await this.#start();
    await this.#absent.connect(server.port);
    await this.#drained([this.#absent]);
    await this.#absent.leave();
    await server.kill();
  }

  /** No more kills: everything in flight is completed and everything is read. */
  async #finish(): Promise<void> {
    const { port } = await this.#start();
    await this.#connectAll(port);
    await this.#flaky.connect(port);
    await this.#absent.connect(port);
    await this.#mortal.leave();
    await this.#drained([...this.#steady, this.#flaky, this.#absent]);
    await this.#readRetained(port);
    this.#ledger.close();
    const stuck = this.#publishers.filter(({ inFlightCount }) => inFlightCount > 0);
    for (const { clientId } of stuck) this.#ledger.violation(`${clientId} waits for acknowledgements`);
  }

  async #readRetained(port: number): Promise<void> {
    const { client } = await WireClient.connect({ port, clientId: "retained" });
    await client.subscribe(FILTER, 0);
    for (let count = this.#ledger.retainedCount; count > 0; count--) {
      this.#ledger.retained(textOf(await client.take(PacketType.PUBLISH)));
    }
    await client.disconnect();
  }

  /** Waits until the publishers have nothing in flight and these subscribers have all that was acknowledged. */
  async #drained(subscribers: readonly Subscriber[]): Promise<void> {
    const isOpen = (): boolean =>
      this.#publishers.some(({ isConnected, inFlightCount }) => isConnected && inFlightCount > 0) ||
      subscribers.some(({ account }) => this.#ledger.missing(account) > 0);
    const sinceMs = performance.now();
    do await this.#silence();
    while (isOpen() && performance.now() - sinceMs < PATIENCE_MS);
  }

  /** Waits until nothing has arrived for a moment. */
  async #silence(): Promise<void> {
    let arrived = -1;
    while (arrived !== this.#ledger.arrivedCount) {
      arrived = this.#ledger.arrivedCount;
      await this.#pause(SILENCE_MS);
    }
  }

  #pause(durationMs: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, durationMs));
  }
}
