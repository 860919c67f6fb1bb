// The test's end of the broker's process: starts it, asks it for reports, ends it.

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { BrokerOptions } from "heirloom";
import { Mailbox } from "#interop/mailbox";
import type { Report } from "./report.ts";

const CHILD = fileURLToPath(new URL("./broker-child.js", import.meta.url));

/** Milliseconds between two looks at something that is waited for, and until it is given up. */
const LOOK_MS = 20;
const LIMIT_MS = 30_000;

export class FloodedBroker {
  readonly port: number;
  readonly wsPort: number;
  readonly #child: ChildProcess;
  readonly #reports: Mailbox<Report>;

  private constructor(child: ChildProcess, reports: Mailbox<Report>, { port, wsPort }: Report) {
    this.#child = child;
    this.#reports = reports;
    this.port = port;
    this.wsPort = wsPort;
  }

  /** Starts a broker on free ports. Whoever starts one calls `kill`. */
  static async start(options: BrokerOptions): Promise<FloodedBroker> {
    const child = fork(CHILD, [JSON.stringify(options)]);
    const reports = new Mailbox<Report>();
    child.on("message", (report: Report) => reports.put(report));
    return new FloodedBroker(child, reports, await reports.take());
  }

  /** How things are now. One caller at a time. */
  async report(): Promise<Report> {
    this.#child.send("report");
    return this.#reports.take();
  }

  /** Waits until a report is as wanted, and returns it. @throws Error when that takes too long. */
  async until(what: string, isTrue: (report: Report) => boolean): Promise<Report> {
    for (let waitedMs = 0; waitedMs < LIMIT_MS; waitedMs += LOOK_MS) {
      const report = await this.report();
      if (isTrue(report)) return report;
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
    throw new Error(`waited in vain until ${what}: ${JSON.stringify(await this.report())}`);
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await gone;
  }
}
