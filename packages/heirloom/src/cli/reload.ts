// What SIGHUP does: files are read anew, and so is the configuration file. Its permissions take effect at once; of other
// options that changed there, the operator is told that they need a restart.

import { isDeepStrictEqual } from "node:util";
import type { Broker } from "../broker.ts";
import { ADMISSION_OPTIONS } from "../config/admission-options.ts";
import type { OptionTable } from "../config/option.ts";
import { LIMIT_OPTIONS } from "../config/options.ts";
import type { Settings } from "../config/settings.ts";
import { ConfigError } from "../errors.ts";
import { ReadPermissions } from "../permissions/settings.ts";
import type { Arguments } from "./arguments.ts";
import { settingsFor } from "./settings.ts";

/**
 * Reads everything anew, all or nothing.
 *
 * @param started what the broker was started with.
 * @returns the options that are other ones in the file, and stay as they are until the next start.
 * @throws ConfigError saying what is wrong; then nothing has changed.
 */
export async function reload(broker: Broker, args: Arguments, started: Settings): Promise<readonly string[]> {
  if (args.config === undefined) {
    await broker.reload();
    return [];
  }
  const settings = await settingsFor(args);
  const { permissions } = settings;
  if ((permissions === undefined) !== (started.permissions === undefined)) {
    const change = permissions === undefined ? "are in the file no more" : "are new in the file";
    const message = `they ${change}; expected a restart to turn permissions on or off`;
    throw new ConfigError([{ option: "permissions", message }], args.config);
  }
  await broker.reload(permissions === undefined ? {} : { permissions: new ReadPermissions(permissions) });
  return changedOptions(started, settings);
}

const OPTIONS = ["listeners", "store", "data", "allowAnonymous", "authentication", "loginLimits"] as const;

/** The names of options that differ, permissions apart. */
function changedOptions(before: Settings, after: Settings): string[] {
  return [
    ...OPTIONS.filter((name) => !isDeepStrictEqual(after[name], before[name])),
    ...changedOf(ADMISSION_OPTIONS, before.admission, after.admission),
    ...changedOf(LIMIT_OPTIONS, before.limits, after.limits),
  ];
}

function changedOf<T>(table: OptionTable<T>, before: T, after: T): string[] {
  const names: string[] = [];
  for (const field in table) {
    if (!isDeepStrictEqual(after[field], before[field])) names.push(table[field].name);
  }
  return names;
}
