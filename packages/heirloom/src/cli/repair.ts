// The command `heirloom repair --data DIR`.

import { parseArgs } from "node:util";
import { repairStore } from "@heirloom/store-leveldb";
import { DEFAULT_DATA_DIRECTORY } from "../config/options.ts";
import { messageOf } from "../errors.ts";
import { ExitCode, exitCodeOf } from "./exit-codes.ts";

/** Repairs a data directory and says what was done. Sets the exit code when it could not. */
export async function repair(args: readonly string[]): Promise<void> {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: { data: { type: "string", default: DEFAULT_DATA_DIRECTORY } },
    });
    const { outcome, setAside, damage } = await repairStore(values.data);
    if (outcome === "intact") console.log(`${values.data} opens; nothing was done`);
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
