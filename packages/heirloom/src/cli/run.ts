// The server process: starts a broker, prints, ends on signals, and says in one line why it cannot start.

import { existsSync, readFileSync, writeSync } from "node:fs";
import { Broker } from "../broker.ts";
import type { Settings } from "../config/settings.ts";
import { permissionsOf } from "../create-broker.ts";
import { ConfigError, messageOf } from "../errors.ts";
import { NodeWorld } from "../runtime.ts";
import { makeStore } from "../stores.ts";
import { ArgumentsError, HELP, parseArguments, type Arguments } from "./arguments.ts";
import { ExitCode, exitCodeOf } from "./exit-codes.ts";
import { greeting, warnings } from "./greeting.ts";
import { logTo } from "./log.ts";
import { printable } from "./printable.ts";
import { reload } from "./reload.ts";
import { settingsFor } from "./settings.ts";

const STANDARD_OUTPUT = 1;
const STANDARD_ERROR = 2;

/** LevelDB's words for files that it cannot make sense of. */
const DAMAGE = /corruption|invalid argument|no such file/i;

/** Runs the server with these arguments. Ends the process with one of {@link ExitCode} when something is wrong. */
export async function run(args: readonly string[]): Promise<void> {
  process.on("uncaughtException", (error) => fail(error));
  // Node would open a debugger otherwise, which can read everything that this process knows.
  process.on("SIGUSR1", () => complain("SIGUSR1: ignored; it opens no debugger here"));
  try {
    await runAction(parseArguments(args));
  } catch (error) {
    fail(error);
  }
}

async function runAction(args: Arguments): Promise<void> {
  switch (args.action) {
    case "help":
      for (const line of HELP.trimEnd().split("\n")) print(line);
      return;
    case "version":
      print(`heirloom ${version()}`);
      return;
    case "run":
      await serve(await settingsFor(args), args);
  }
}

async function serve(settings: Settings, args: Arguments): Promise<void> {
  const first = settings.store === "memory" || !existsSync(settings.data);
  const permissions = await permissionsOf(settings);
  const store = await makeStore(settings);
  const broker = new Broker({ settings, store, world: new NodeWorld(), hooks: undefined, permissions });
  // Nothing of what is under way may still be acknowledged: the process ends in this very call.
  broker.on("storeFailed", ({ error }) => fail(error));
  logTo(complain, broker);
  stopOnSignals(broker);
  reloadOnSignal(() => reload(broker, args, settings));
  await broker.start();
  for (const line of greeting(version(), settings, broker.listeners, first)) print(line);
  for (const line of warnings(settings, broker.listeners, process.getuid?.() === 0)) complain(line);
}

/** The first signal stops the broker in order, the second ends the process. */
function stopOnSignals(broker: Broker): void {
  let stopping = false;
  const onSignal = (signal: NodeJS.Signals, signalNumber: number): void => {
    if (stopping) process.exit(128 + signalNumber);
    stopping = true;
    print(`${signal}: stopping`);
    broker.stop().then(() => process.exit(ExitCode.OK), fail);
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
}

/** SIGHUP reads files anew; when one of them is wrong, everything stays and lines say why. */
function reloadOnSignal(reload: () => Promise<readonly string[]>): void {
  process.on("SIGHUP", () => {
    reload().then(
      (unchanged) => {
        print("SIGHUP: files were read anew");
        if (unchanged.length > 0)
          complain(`SIGHUP: these change at the next start only: ${unchanged.join(", ")}`);
      },
      (error: unknown) => {
        for (const line of linesOf(error)) complain(`SIGHUP: nothing was changed: ${line}`);
      },
    );
  });
}

function version(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  if (typeof manifest === "object" && manifest !== null && "version" in manifest)
    return String(manifest.version);
  return "of unknown version";
}

/** Ends the process: one line for what is expected to happen, a stack for a fault of ours. */
function fail(error: unknown): never {
  if (error instanceof ArgumentsError) {
    complain(`heirloom: ${error.message} (heirloom --help)`);
    process.exit(ExitCode.USAGE);
  }
  const code = exitCodeOf(error);
  if (code !== undefined) {
    for (const line of linesOf(error)) complain(`heirloom: ${line}`);
    if (code === ExitCode.IO && DAMAGE.test(messageOf(error))) {
      complain("heirloom: `heirloom repair --data DIR` keeps a copy and rebuilds what can be read");
    }
    process.exit(code);
  }
  complain(`heirloom: internal error: ${messageOf(error)}`);
  // The frames only: the message stands above already, in one line, whatever is in it.
  const frames = error instanceof Error ? (error.stack ?? "").split("\n") : [];
  for (const frame of frames) if (/^ +at /.test(frame)) complain(frame);
  process.exit(ExitCode.INTERNAL);
}

/** What is wrong with a configuration has a line for each problem; other messages have one, whatever is in them. */
function linesOf(error: unknown): string[] {
  const message = messageOf(error).trimEnd();
  return error instanceof ConfigError ? message.split("\n") : [message];
}

function print(line: string): void {
  write(STANDARD_OUTPUT, line);
}

function complain(line: string): void {
  write(STANDARD_ERROR, line);
}

// At once, not through a stream: the process may end with the next statement.
function write(descriptor: number, line: string): void {
  try {
    writeSync(descriptor, `${printable(line)}\n`);
  } catch {
    // Whoever read our output is gone; the broker is not there for them alone.
  }
}
