// Joins the command line with the configuration file. What the command line says wins.

import { throwFindings, type Finding } from "../config/findings.ts";
import type { GeneralOptions } from "../config/options.ts";
import { resolveSettings, type ServerOptions, type Settings } from "../config/settings.ts";
import { shorthandListeners } from "../create-broker.ts";
import { ArgumentsError, type Arguments } from "./arguments.ts";

/** @throws ConfigError for the file, ArgumentsError for the command line. */
export async function settingsFor(args: Arguments): Promise<Settings> {
  const findings: Finding[] = [];
  if (args.config === undefined) {
    const settings = resolveSettings(merge({}, args), false, findings);
    throwFindings(findings);
    return settings;
  }
  const { readConfigFile } = await import("../config/file.ts");
  const file = await readConfigFile(args.config);
  const settings = resolveSettings(merge(file.options, args), false, findings);
  throwFindings(findings, args.config, (path) => file.locate(path));
  return settings;
}

function merge(options: ServerOptions, args: Arguments): ServerOptions {
  const named = args.host !== undefined || args.port !== undefined || args.wsPort !== undefined;
  if (named && options.listeners !== undefined) {
    throw new ArgumentsError(
      `--host, --port and --ws-port do not go with the listeners in ${args.config ?? "the file"}: ` +
        "give them in one place only",
    );
  }
  const general: GeneralOptions = {
    ...(args.store === undefined ? {} : { store: args.store }),
    ...(args.data === undefined ? {} : { data: args.data }),
    ...(args.allowAnonymous === undefined ? {} : { allowAnonymous: args.allowAnonymous }),
  };
  return { ...options, ...general, listeners: options.listeners ?? shorthandListeners(args) };
}
