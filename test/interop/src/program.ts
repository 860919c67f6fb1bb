// A program that runs beside a test: what it prints, how it ends, and the way to end it.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { within } from "./within.ts";

/** Milliseconds. A program that has not ended or printed by then is taken to hang. */
const LIMIT_MS = 30_000;

/** A program with its arguments. */
export type Command = readonly [program: string, ...args: string[]];

export interface ProgramOptions {
  readonly cwd?: string | undefined;
  /** Added to the environment. */
  readonly env?: Readonly<Record<string, string>> | undefined;
}

/** How a process ended: by itself with a code, or by a signal. */
export interface ProgramEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Those that run now. A test that is broken off leaves none behind. */
const running = new Set<Program>();
process.once("exit", () => {
  for (const program of running) program.signal("SIGKILL");
});
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

/** A running program. Whoever starts one waits for its end or ends it. */
export class Program {
  readonly pid: number;
  /** Everything it has printed so far, on both outputs. */
  output = "";
  /** Resolves when the process is gone and its output is complete. */
  readonly ended: Promise<ProgramEnd>;
  readonly #child: ChildProcess;
  readonly #command: string;

  /** @throws Error when it cannot be started. */
  constructor([program, ...args]: Command, options: ProgramOptions = {}) {
    this.#command = [program, ...args].join(" ");
    this.#child = spawn(program, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ["ignore", "pipe", "pipe"],
      // A group of its own, so that what it starts is ended with it.
      detached: true,
    });
    this.ended = new Promise((resolve) => {
      this.#child.once("close", (code, signal) => {
        running.delete(this);
        resolve({ code, signal });
      });
    });
    const { pid, stdout, stderr } = this.#child;
    // The reason comes as an event; all that matters is that it does not run.
    this.#child.on("error", () => undefined);
    if (pid === undefined || stdout === null || stderr === null) throw new Error(`cannot run ${program}`);
    this.pid = pid;
    running.add(this);
    for (const stream of [stdout, stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => (this.output += text));
    }
  }

  /** Runs a program to its end. @returns what it printed. @throws Error unless it ends with 0. */
  static async run(command: Command, options: ProgramOptions = {}): Promise<string> {
    const program = new Program(command, options);
    const { code } = await program.end();
    if (code !== 0) throw new Error(`${program.#command} ended with ${code}:\n${program.output}`);
    return program.output;
  }

  /** Waits for its end. @throws Error when it does not come. */
  async end(limitMs: number = LIMIT_MS): Promise<ProgramEnd> {
    const end = await within(limitMs, this.ended);
    if (end !== undefined) return end;
    await this.kill();
    throw new Error(`${this.#command} did not end; it printed:\n${this.output}`);
  }

  /** Waits until its output contains `text`. @throws Error when it ends or takes too long; then it is gone. */
  async printed(text: string, limitMs: number = LIMIT_MS): Promise<void> {
    const found = new Promise<"found">((resolve) => {
      const look = (): void => {
        if (this.output.includes(text)) resolve("found");
      };
      this.#child.stdout?.on("data", look);
      this.#child.stderr?.on("data", look);
      look();
    });
    const outcome = await within(limitMs, Promise.race([found, this.ended]));
    if (outcome === "found" || this.output.includes(text)) return;
    await this.kill();
    const what =
      outcome === undefined ? `has not printed "${text}" in ${limitMs} ms` : `ended with ${outcome.code}`;
    throw new Error(`${this.#command} ${what}; its output:\n${this.output}`);
  }

  /** SIGKILL, to it and to what it started. Resolves when it is gone. */
  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.ended;
  }

  /** Sends a signal to it and to what it started. Nothing happens when they are gone. */
  signal(signal: NodeJS.Signals): void {
    try {
      process.kill(-this.pid, signal);
    } catch {
      // All of them have ended.
    }
  }
}

/** For the option `skip` of a test: why it cannot run. In CI everything has to be there: then it runs, and fails. */
export function unlessInstalled(...programs: readonly string[]): string | false {
  const absent = programs.filter(
    (program) => spawnSync("which", [program], { stdio: "ignore" }).status !== 0,
  );
  return absent.length === 0 || isCi() ? false : `not installed: ${absent.join(", ")}`;
}

/** The same for a command that has to end with 0. */
export function unlessSucceeds([program, ...args]: Command): string | false {
  const { status } = spawnSync(program, args, { stdio: "ignore" });
  return status === 0 || isCi() ? false : `fails here: ${[program, ...args].join(" ")}`;
}

function isCi(): boolean {
  return process.env["CI"] === "true";
}
