// What the tests of this package share: connections that note what they are told, sockets, child processes.

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import type { ConnectionInput, ListenerHost, NewTransport } from "../dist/transports/transport.js";

/** The broker's end of a connection: notes everything, and tells tests when something happened. */
export class NotingConnection implements ConnectionInput {
  readonly transport: NewTransport;
  received: Buffer = Buffer.alloc(0);
  receivedCount = 0;
  drainedCount = 0;
  closes: (Error | undefined)[] = [];
  isTransportClosed = false;
  #waiting: (() => void)[] = [];

  constructor(transport: NewTransport) {
    this.transport = transport;
  }

  receive(chunk: Uint8Array): void {
    this.received = Buffer.concat([this.received, chunk]);
    this.receivedCount++;
    this.#changed();
  }

  drained(): void {
    this.drainedCount++;
    this.#changed();
  }

  closed(error?: Error): void {
    this.closes.push(error);
    this.#changed();
  }

  transportClosed(): void {
    this.isTransportClosed = true;
    this.#changed();
  }

  /** Resolves when `condition` holds; it is looked at after each call from the transport. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #changed(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

/** The broker's side of a listener: makes connections that note, and hands them out in order. */
export class Accepting implements ListenerHost {
  /** Why connections did not get in, in order. */
  readonly refusals: string[] = [];
  readonly warnings: string[] = [];
  /** Connections that gave way to others. */
  droppedCount = 0;
  /** Connections that were ended for records with nothing in them. */
  floodedCount = 0;
  readonly #connections: NotingConnection[] = [];
  readonly #waiting: ((connection: NotingConnection) => void)[] = [];
  readonly #refusalsWaiting: (() => void)[] = [];

  readonly admit = (): undefined => undefined;

  readonly spare = (): undefined => undefined;

  readonly accept = (transport: NewTransport): void => {
    const connection = new NotingConnection(transport);
    transport.start(connection, () => connection.transportClosed());
    const resolve = this.#waiting.shift();
    if (resolve === undefined) this.#connections.push(connection);
    else resolve(connection);
  };

  async next(): Promise<NotingConnection> {
    return this.#connections.shift() ?? new Promise((resolve) => this.#waiting.push(resolve));
  }

  readonly refused = (remoteAddress: string, reasonCode: number, reason: string): void => {
    this.refusals.push(reason);
    for (const resolve of this.#refusalsWaiting.splice(0)) resolve();
  };

  readonly dropped = (): void => {
    this.droppedCount++;
  };

  readonly flooded = (): void => {
    this.floodedCount++;
  };

  readonly warning = (message: string): void => {
    this.warnings.push(message);
  };

  /** Resolves when there are that many refusals. */
  async untilRefused(count: number): Promise<readonly string[]> {
    while (this.refusals.length < count) {
      await new Promise<void>((resolve) => this.#refusalsWaiting.push(resolve));
    }
    return this.refusals;
  }

  /** How many wait to be taken with `next`. */
  get waitingCount(): number {
    return this.#connections.length;
  }
}

/** A TCP connection to this machine, destroyed at the end of the test. */
export async function connectTcp(context: TestContext, port: number): Promise<Socket> {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  context.after(() => socket.destroy());
  await once(socket, "connect");
  return socket;
}

/** Everything that a socket gives until its end. Rejects when it ends with an error such as ECONNRESET. */
export async function readAll(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  await once(socket, "end");
  return Buffer.concat(chunks);
}

/** A directory that is gone after the test. */
export async function newDirectory(context: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "heirloom-test-"));
  context.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** The command line in a process of its own, killed at the end of the test. */
export class ServerProcess {
  readonly process: ChildProcess;
  output = "";
  errors = "";
  #waiting: (() => void)[] = [];

  /** @param under a program, with its arguments, that runs the server. */
  constructor(
    context: TestContext,
    args: readonly string[],
    directory: string,
    under: readonly string[] = [],
  ) {
    const main = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
    const [program = process.execPath, ...rest] = [...under, process.execPath, main, ...args];
    this.process = spawn(program, rest, { cwd: directory, stdio: ["ignore", "pipe", "pipe"] });
    context.after(() => this.process.kill("SIGKILL"));
    this.process.stdout?.setEncoding("utf8").on("data", (text: string) => this.#add("output", text));
    this.process.stderr?.setEncoding("utf8").on("data", (text: string) => this.#add("errors", text));
    this.process.on("close", () => this.#changed());
  }

  /** Waits for text on standard output. Fails when the process ends without it. */
  untilOutput(pattern: RegExp): Promise<RegExpExecArray> {
    return this.#until("output", pattern);
  }

  /** The same on standard error. */
  untilErrors(pattern: RegExp): Promise<RegExpExecArray> {
    return this.#until("errors", pattern);
  }

  async #until(stream: "output" | "errors", pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this[stream]);
      if (match !== null) return match;
      if (this.process.exitCode !== null)
        throw new Error(`ended without ${pattern}: ${this.output}${this.errors}`);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** The exit code, when all output was read. */
  async exit(): Promise<number | null> {
    if (this.process.exitCode === null) await once(this.process, "close");
    return this.process.exitCode;
  }

  #add(stream: "output" | "errors", text: string): void {
    this[stream] += text;
    this.#changed();
  }

  #changed(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
