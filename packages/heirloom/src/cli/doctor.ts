// The command `heirloom doctor`: says what is open in a configuration, and starts nothing.

import { messageOf } from "../errors.ts";
import { examine } from "../doctor/examine.ts";
import { gatherFacts } from "../doctor/facts.ts";
import type { Advice } from "../doctor/finding.ts";
import { ArgumentsError, parseArguments } from "./arguments.ts";
import { ExitCode, exitCodeOf } from "./exit-codes.ts";
import { printable } from "./printable.ts";
import { settingsFor } from "./settings.ts";

const HELP = `Usage: heirloom doctor [options of the server] [--json]

Reads a configuration and the files that it names, as the server does at its start, and says what is open: how bad
that is, the option or file, and what to change. Starts nothing, and asks no other server.

  --config FILE    the configuration; without it, that of a server without options
  --json           for programs: a list of objects with severity, about, problem and change
  --help           print this

Exit codes: 0 nothing is a danger, 1 something is, otherwise that of the server, which would not start.`;

/** Prints what is open. Sets the exit code: 1 when something is a danger, that of the server when it would not start. */
export async function doctor(args: readonly string[]): Promise<void> {
  try {
    if (args.some((arg) => arg === "--help" || arg === "-h")) {
      console.log(HELP);
      return;
    }
    const isJson = args.includes("--json");
    const parsed = parseArguments(args.filter((arg) => arg !== "--json"));
    if (parsed.action !== "run")
      throw new ArgumentsError("doctor takes the options of the server, and --json");
    const settings = await settingsFor(parsed);
    const advice = examine(settings, await gatherFacts(settings, parsed.config));
    for (const line of isJson ? [JSON.stringify(advice, undefined, 2)] : linesOf(advice)) console.log(line);
    if (advice.some(({ severity }) => severity === "danger")) process.exitCode = ExitCode.DANGER;
  } catch (error) {
    for (const line of messageOf(error).split("\n")) console.error(`heirloom: ${printable(line)}`);
    process.exitCode =
      error instanceof ArgumentsError ? ExitCode.USAGE : (exitCodeOf(error) ?? ExitCode.INTERNAL);
  }
}

function linesOf(advice: readonly Advice[]): string[] {
  if (advice.length === 0) return ["nothing is open"];
  return advice.flatMap(({ severity, about, problem, change }) => [
    printable(`${severity.padEnd(7)}  ${about}: ${problem}`),
    printable(`         ${change}`),
  ]);
}
