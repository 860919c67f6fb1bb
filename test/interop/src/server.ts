// The real server as a process of its own, on loopback and free ports. Knows nothing of MQTT.

import { fileURLToPath } from "node:url";
import { type Command, Program, type ProgramEnd } from "./program.ts";

/** The built command line, as `heirloom` would run it. */
const MAIN = fileURLToPath(new URL("../../../../packages/heirloom/dist/cli/main.js", import.meta.url));

export interface ServerOptions {
  /** The TCP port; default 0: one that is free. */
  readonly port?: number;
  /** The data directory; absent = the server's default. */
  readonly data?: string;
  /** More arguments. With `--config` the file says where to listen. */
  readonly args?: readonly string[];
  /** What is run with the arguments; default: the built server. */
  readonly command?: Command;
  readonly cwd?: string;
  /** Added to the environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Milliseconds until it listens. */
  readonly startLimitMs?: number;
}

/** A server that listens. Whoever starts one ends it with `kill` or `stop`. */
export class ServerProcess {
  readonly #program: Program;

  private constructor(program: Program) {
    this.#program = program;
  }

  /** Starts a server and waits until it listens. @throws Error with its output when it ends or hangs instead. */
  static async start(options: ServerOptions): Promise<ServerProcess> {
    const program = launch(options);
    // Printed behind the listeners.
    await program.printed("storing in", options.startLimitMs);
    return new ServerProcess(program);
  }

  /** Starts a server that is expected to end by itself. */
  static async startInVain(options: ServerOptions): Promise<ProgramEnd & { readonly output: string }> {
    const program = launch(options);
    const end = await program.end();
    return { ...end, output: program.output };
  }

  /** Starts a server and kills it, wherever its start has come to by then. */
  static async killStart(options: ServerOptions, afterMs: number): Promise<void> {
    const program = launch(options);
    await new Promise((resolve) => setTimeout(resolve, afterMs));
    await program.kill();
  }

  get pid(): number {
    return this.#program.pid;
  }

  /** Everything it has printed so far. */
  get output(): string {
    return this.#program.output;
  }

  /** Resolves when the process is gone. */
  get ended(): Promise<ProgramEnd> {
    return this.#program.ended;
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

  /** Ends it as a power cut would. Resolves when it is gone. */
  kill(): Promise<void> {
    return this.#program.kill();
  }

  /** Ends it in order. @throws Error when it does not end. */
  stop(): Promise<ProgramEnd> {
    this.#program.signal("SIGTERM");
    return this.#program.end();
  }

  /** Waits until it ends by itself. @throws Error when it does not. */
  end(): Promise<ProgramEnd> {
    return this.#program.end();
  }

  signal(signal: NodeJS.Signals): void {
    this.#program.signal(signal);
  }

  /** Waits until it has printed `text`. @throws Error when it does not. */
  printed(text: string): Promise<void> {
    return this.#program.printed(text);
  }
}

function launch(options: ServerOptions): Program {
  const { command = [process.execPath, MAIN], args = [], data, port = 0 } = options;
  const listeners = args.includes("--config") ? [] : ["--port", String(port), "--ws-port", "0"];
  const directory = data === undefined ? [] : ["--data", data];
  return new Program([...command, ...listeners, ...directory, ...args], {
    cwd: options.cwd,
    env: options.env,
  });
}
