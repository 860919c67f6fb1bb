// Runs the real server as a process of its own, on loopback and free ports: starts it, says where it listens, kills it.
// Knows nothing of MQTT.

import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

/** The built command line, as `heirloom` would run it. */
export const MAIN: string = fileURLToPath(new URL("../../../../packages/heirloom/dist/cli/main.js", import.meta.url));

/** Milliseconds. A server that does not listen by then is taken to hang. */
const START_LIMIT_MS = 30_000;
/** Milliseconds between SIGTERM and the loss of patience. */
const STOP_LIMIT_MS = 10_000;

/** A program with its arguments. */
export type Command = readonly [program: string, ...args: string[]];

export interface ServerOptions {
  /** The data directory. */
  readonly data?: string;
  /** More arguments, such as `--config`. */
  readonly args?: readonly string[];
  /** What is run with the arguments; default: the built server. */
  readonly command?: Command;
  readonly cwd?: string;
  /** Added to the environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly startLimitMs?: number;
}

/** How a process ended: by itself with a code, or by a signal. */
export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A server process. Whoever starts one ends it with `kill` or `stop`. */
export class ServerProcess {
  readonly pid: number;
  /** Everything it has printed so far, on both outputs. */
  output = "";
  /** Resolves when the process is gone. */
  readonly ended: Promise<ProcessEnd>;
  readonly #child: ChildProcess;

  private constructor(options: ServerOptions) {
    const [program, ...before] = options.command ?? [process.execPath, MAIN];
    const data = options.data === undefined ? [] : ["--data", options.data];
    const listeners = options.args?.includes("--config") === true ? [] : ["--port", "0", "--ws-port", "0"];
    this.#child = spawn(program, [...before, ...listeners, ...data, ...(options.args ?? [])], {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ["ignore", "pipe", "pipe"],
      // A group of its own, so that a server behind `npm start` is reached too.
      detached: true,
    });
    const { pid, stdout, stderr } = this.#child;
    if (pid === undefined || stdout === null || stderr === null) throw new Error(`cannot run ${program}`);
    this.pid = pid;
    for (const stream of [stdout, stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => (this.output += text));
    }
    this.ended = new Promise((resolve) => {
      this.#child.once("close", (code, signal) => resolve({ code, signal }));
    });
  }

  /** Starts a server and waits until it listens. @throws Error with its output when it ends or hangs instead. */
  static async start(options: ServerOptions): Promise<ServerProcess> {
    const server = new ServerProcess(options);
    const limitMs = options.startLimitMs ?? START_LIMIT_MS;
    const listening = server.#printed("storing in");
    const outcome = await within(limitMs, Promise.race([listening, server.ended]));
    if (outcome === "printed") return server;
    await server.kill();
    const what = outcome === undefined ? `did not listen within ${limitMs} ms` : `ended with ${outcome.code}`;
    throw new Error(`the server ${what}; it printed:\n${server.output}`);
  }

  /** Starts a server that is expected to end by itself. */
  static async runToEnd(options: ServerOptions): Promise<ProcessEnd & { output: string }> {
    const server = new ServerProcess(options);
    const outcome = await within(START_LIMIT_MS, server.ended);
    if (outcome !== undefined) return { ...outcome, output: server.output };
    await server.kill();
    throw new Error(`the server did not end; it printed:\n${server.output}`);
  }

  /** The TCP port. */
  get port(): number {
    return this.#portOf("mqtt");
  }

  /** The WebSocket port. */
  get wsPort(): number {
    return this.#portOf("ws");
  }

  #portOf(scheme: string): number {
    const found = new RegExp(`listening on +${scheme}://[^ ]*:(\\d+)`).exec(this.output)?.[1];
    if (found === undefined) throw new Error(`the server names no ${scheme} port:\n${this.output}`);
    return Number(found);
  }

  /** Ends it as a power cut would: SIGKILL, to its whole group. Resolves when it is gone. */
  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.ended;
  }

  /** Ends it in order. @throws Error when it does not end. */
  async stop(): Promise<ProcessEnd> {
    this.signal("SIGTERM");
    const end = await within(STOP_LIMIT_MS, this.ended);
    if (end !== undefined) return end;
    await this.kill();
    throw new Error(`the server did not stop; it printed:\n${this.output}`);
  }

  /** Sends a signal to the process and those that it started. Nothing happens when they are gone. */
  signal(signal: NodeJS.Signals): void {
    try {
      process.kill(-this.pid, signal);
    } catch {
      // All of them have ended.
    }
  }

  /** Resolves when the output contains `text`. */
  #printed(text: string): Promise<"printed"> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (this.output.includes(text)) resolve("printed");
      };
      this.#child.stdout?.on("data", look);
      look();
    });
  }
}

/** What `promise` resolves to, or undefined when that takes longer than `limitMs`. */
export async function within<Value>(limitMs: number, promise: Promise<Value>): Promise<Value | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), limitMs);
  });
  try {
    return await Promise.race([promise, limit]);
  } finally {
    clearTimeout(timer);
  }
}
