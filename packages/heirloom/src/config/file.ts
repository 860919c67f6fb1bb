// Reads a configuration file, YAML or JSON (which is YAML), into options. Every complaint names its line.

import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { ConfigError, messageOf } from "../errors.ts";
import { ADMISSION_OPTIONS } from "./admission-options.ts";
import { readAuthentication, readLoginLimits } from "./authentication.ts";
import { namesOf, readFields, reportUnknown } from "./fields.ts";
import { seen, throwFindings, type Finding, type OptionPath } from "./findings.ts";
import { LISTENER_LIMIT_OPTIONS, LISTENER_OPTIONS, type ListenerOptions } from "./listener-options.ts";
import { GENERAL_OPTIONS, LIMIT_OPTIONS } from "./options.ts";
import { readPermissionsOfFile } from "../permissions/settings.ts";
import type { ServerOptions } from "./settings.ts";
import { readYaml } from "./yaml.ts";

/** Options that are lists or groups themselves. */
const GROUPS = ["listeners", "authentication", "loginLimits", "permissions"];

/** A file that was read. */
export interface ConfigFile {
  readonly options: ServerOptions;
  /** The line of an option, from 1; the line of what it belongs to when the option itself is not in the file. */
  locate(path: OptionPath): number | undefined;
}

/** @throws ConfigError when the file cannot be read, is not YAML, or has options that do not exist or do not fit. */
export async function readConfigFile(file: string): Promise<ConfigFile> {
  let source: string;
  try {
    source = await readFile(file, "utf8");
  } catch (error) {
    throw new ConfigError([{ option: "", message: `cannot be read: ${messageOf(error)}` }], file);
  }
  return parseConfig(source, file, dirname(resolve(file)));
}

/** Reads the text of a configuration file. `file` is its name in messages; relative paths begin at `directory`. */
export function parseConfig(source: string, file: string, directory?: string): ConfigFile {
  const { root, locate } = readYaml(source, file);
  const findings: Finding[] = [];
  const options = readRoot(root, { file, directory }, findings);
  throwFindings(findings, file, locate);
  return { options, locate };
}

/** The file that is read, and where its relative paths begin. */
interface Place {
  readonly file: string;
  readonly directory: string | undefined;
}

function readRoot(root: unknown, { file, directory }: Place, findings: Finding[]): ServerOptions {
  // An empty file is a file with nothing but defaults.
  if (root === null || root === undefined) return {};
  if (!(root instanceof Map)) {
    findings.push({ path: [], message: `seen ${seen(root)}, expected options such as "store: leveldb"` });
    return {};
  }
  const known = [
    ...namesOf(GENERAL_OPTIONS),
    ...namesOf(ADMISSION_OPTIONS),
    ...namesOf(LIMIT_OPTIONS),
    ...GROUPS,
  ];
  reportUnknown(root, known, [], findings);
  const listeners = root.has("listeners")
    ? readListeners(root.get("listeners"), findings, directory)
    : undefined;
  const permissions = root.has("permissions")
    ? readPermissionsOfFile(root.get("permissions"), dirname(file), findings)
    : undefined;
  return {
    ...readFields(root, GENERAL_OPTIONS, [], findings, directory),
    ...readFields(root, ADMISSION_OPTIONS, [], findings),
    ...(root.has("authentication")
      ? { authentication: readAuthentication(root.get("authentication"), file, findings) }
      : {}),
    ...(root.has("loginLimits") ? { loginLimits: readLoginLimits(root.get("loginLimits"), findings) } : {}),
    ...(listeners === undefined ? {} : { listeners }),
    ...(permissions === undefined ? {} : { permissions }),
    limits: readFields(root, LIMIT_OPTIONS, [], findings),
  };
}

function readListeners(
  value: unknown,
  findings: Finding[],
  directory: string | undefined,
): ListenerOptions[] {
  if (!Array.isArray(value) || value.length === 0) {
    findings.push({ path: ["listeners"], message: `seen ${seen(value)}, expected a list of listeners` });
    return [];
  }
  const table = { ...LISTENER_OPTIONS, ...LISTENER_LIMIT_OPTIONS };
  return value.map((item: unknown, index) => {
    const path = ["listeners", index];
    if (item instanceof Map) {
      reportUnknown(item, namesOf(table), path, findings);
      return readFields<ListenerOptions>(item, table, path, findings, directory);
    }
    findings.push({ path, message: `seen ${seen(item)}, expected options such as "port: 1883"` });
    return {};
  });
}
