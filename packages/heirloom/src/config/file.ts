// Reads a configuration file, YAML or JSON (which is YAML), into options. Every complaint names its line.

import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { isMap, isNode, isScalar, LineCounter, parseDocument, type Document } from "yaml";
import { ConfigError, messageOf } from "../errors.ts";
import { namesOf, readFields, reportUnknown } from "./fields.ts";
import { seen, throwFindings, type Finding, type OptionPath } from "./findings.ts";
import { GENERAL_OPTIONS, LIMIT_OPTIONS, LISTENER_LIMIT_OPTIONS, LISTENER_OPTIONS } from "./options.ts";
import type { ListenerOptions } from "./options.ts";
import type { ServerOptions } from "./settings.ts";

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
  const { options, locate } = parseConfig(source, file);
  if (options.data === undefined) return { options, locate };
  return { options: { ...options, data: resolve(dirname(file), options.data) }, locate };
}

/** Reads the text of a configuration file. `file` is its name in messages. */
export function parseConfig(source: string, file: string): ConfigFile {
  const lines = new LineCounter();
  const document = parseDocument(source, { lineCounter: lines, prettyErrors: false });
  const broken = document.errors[0];
  if (broken !== undefined) {
    const line = lines.linePos(broken.pos[0]).line;
    throw new ConfigError([{ option: "", message: `is not YAML: ${broken.message}`, line }], file);
  }
  const locate = (path: OptionPath): number | undefined => lineOf(document, lines, path);
  const findings: Finding[] = [];
  const options = readRoot(valuesOf(document, file), findings);
  throwFindings(findings, file, locate);
  return { options, locate };
}

/** Maps, lists and plain values: as maps, names such as `__proto__` are names like all others. */
function valuesOf(document: Document.Parsed, file: string): unknown {
  try {
    return document.toJS({ mapAsMap: true });
  } catch (error) {
    // An alias without its anchor, or aliases that multiply without end.
    throw new ConfigError([{ option: "", message: `is not YAML: ${messageOf(error)}` }], file);
  }
}

function readRoot(root: unknown, findings: Finding[]): ServerOptions {
  // An empty file is a file with nothing but defaults.
  if (root === null || root === undefined) return {};
  if (!(root instanceof Map)) {
    findings.push({ path: [], message: `seen ${seen(root)}, expected options such as "store: leveldb"` });
    return {};
  }
  const known = [...namesOf(GENERAL_OPTIONS), ...namesOf(LIMIT_OPTIONS), "listeners"];
  reportUnknown(root, known, [], findings);
  const listeners = root.has("listeners") ? readListeners(root.get("listeners"), findings) : undefined;
  return {
    ...readFields(root, GENERAL_OPTIONS, [], findings),
    ...(listeners === undefined ? {} : { listeners }),
    limits: readFields(root, LIMIT_OPTIONS, [], findings),
  };
}

function readListeners(value: unknown, findings: Finding[]): ListenerOptions[] {
  if (!Array.isArray(value) || value.length === 0) {
    findings.push({ path: ["listeners"], message: `seen ${seen(value)}, expected a list of listeners` });
    return [];
  }
  const table = { ...LISTENER_OPTIONS, ...LISTENER_LIMIT_OPTIONS };
  return value.map((item: unknown, index) => {
    const path = ["listeners", index];
    if (item instanceof Map) {
      reportUnknown(item, namesOf(table), path, findings);
      return readFields<ListenerOptions>(item, table, path, findings);
    }
    findings.push({ path, message: `seen ${seen(item)}, expected options such as "port: 1883"` });
    return {};
  });
}

function lineOf(document: Document.Parsed, lines: LineCounter, path: OptionPath): number | undefined {
  for (let length = path.length; length > 0; length--) {
    const offset = offsetOf(document, path.slice(0, length));
    if (offset !== undefined) return lines.linePos(offset).line;
  }
  return undefined;
}

/** Where an option's name stands, or an item of a list. */
function offsetOf(document: Document.Parsed, path: OptionPath): number | undefined {
  const last = path[path.length - 1];
  const parent = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true);
  if (isMap(parent)) {
    const pair = parent.items.find(({ key }) => isScalar(key) && String(key.value) === last);
    return isNode(pair?.key) ? pair.key.range?.[0] : undefined;
  }
  const node = document.getIn(path, true);
  return isNode(node) ? node.range?.[0] : undefined;
}
