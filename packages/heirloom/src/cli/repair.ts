// The command `heirloom repair --data DIR`.

import { parseArgs } from "node:util";
import { repairStore } from "@heirloom/store-leveldb";
import { DEFAULT_DATA_DIRECTORY } from "../config/options.ts";
import { messageOf } from "../errors.ts";
import { ExitCode, exitCodeOf } from "./exit-codes.ts";

const HELP = `Usage: heirloom repair [--data DIR]

Rebuilds a data directory that does not open any more, or of which a part cannot be read, from what can be read, and keeps
the old one beside it. What is whole is left as it is. The server must not run.

  --data DIR       data directory (default ${DEFAULT_DATA_DIRECTORY})
  --help           print this`;

/** Repairs a data directory and says what was done. Sets the exit code when it could not. */
export async function repair(args: readonly string[]): Promise<void> {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        data: { type: "string", default: DEFAULT_DATA_DIRECTORY },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    if (values.help) {
      console.log(HELP);
      return;
    }
    const { outcome, setAside, damage } = await repairStore(values.data);
    if (outcome === "intact") console.log(`${values.data} can be read; nothing was done`);
    else
      console.log(
        `${values.data} is rebuilt from what could be read; as it was, it stands in ${setAside ?? ""}`,
      );
    for (const { place, reason, setAside: copy } of damage)
      console.error(`${place}: ${reason}${copy === undefined ? "" : `; kept in ${copy}`}`);
  } catch (error) {
    console.error(`heirloom: ${messageOf(error)}`);
    process.exitCode = exitCodeOf(error) ?? ExitCode.USAGE;
  }
}
