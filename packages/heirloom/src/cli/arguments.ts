// Reads the command line of the server. Does nothing else: no files, no output.

import { parseArgs } from "node:util";
import { seen, unknownOption } from "../config/findings.ts";
import { DEFAULT_PORTS } from "../config/listener-options.ts";
import { DEFAULT_DATA_DIRECTORY } from "../config/options.ts";

/** What the command line asks for. What is absent was not given. */
export interface Arguments {
  readonly action: "run" | "help" | "version";
  readonly host?: string;
  readonly port?: number;
  readonly wsPort?: number;
  readonly data?: string;
  readonly store?: "leveldb" | "memory";
  readonly config?: string;
  /** True when it was given. */
  readonly allowAnonymous?: boolean;
}

/** A command line that cannot be understood. */
export class ArgumentsError extends Error {
  readonly code = "ARGUMENTS";

  constructor(message: string) {
    super(message);
    this.name = "ArgumentsError";
  }
}

export const HELP: string = `Usage: heirloom [options]
       heirloom conformance --host HOST --port PORT [--version 3.1|3.1.1|5.0] [--json]
                        plays the conformance suite to any broker and prints what failed
       heirloom repair --data DIR
                        rebuilds a data directory that does not open or cannot be read
       heirloom passwd [--scram] [--stdin] [--delete] FILE USER
                        sets or deletes a password in a password file
       heirloom doctor [options] [--json]
                        says what is open in a configuration, and what to change

An MQTT 3.1, 3.1.1 and 5.0 broker that keeps what it acknowledged.

Options:
  --host HOST      address to listen on (default 127.0.0.1: only this machine)
  --port PORT      MQTT over TCP (default ${DEFAULT_PORTS.tcp}; 0 takes a free one)
  --ws-port PORT   MQTT over WebSocket (default: off)
  --data DIR       data directory (default ${DEFAULT_DATA_DIRECTORY})
  --store KIND     leveldb (on disk, default) or memory (forgets everything at exit)
  --allow-anonymous
                   let in anyone who can reach the address, without name or password
  --config FILE    options in YAML or JSON, see docs/reference/configuration.md
  --version        print the version
  --help           print this

Exit codes: 0 stopped, 64 wrong command line, 65 data of another format, 69 address or
data directory in use, 74 the disk failed, 78 wrong configuration.
`;

const FLAGS = {
  host: { type: "string" },
  port: { type: "string" },
  "ws-port": { type: "string" },
  data: { type: "string" },
  store: { type: "string" },
  config: { type: "string" },
  "allow-anonymous": { type: "boolean" },
  version: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

/** @throws ArgumentsError saying what was seen and what was expected. */
export function parseArguments(args: readonly string[]): Arguments {
  // Not strict: the messages of `parseArgs` guess at what was meant less well than ours.
  const { tokens } = parseArgs({ args: [...args], options: FLAGS, strict: false, tokens: true });
  const values = new Map<string, string>();
  for (const token of tokens) {
    if (token.kind === "positional")
      throw new ArgumentsError(`seen ${seen(token.value)}, expected options only`);
    if (token.kind === "option")
      values.set(token.name, checkToken(token.name, token.rawName, token.value, values));
  }
  if (values.has("help")) return { action: "help" };
  if (values.has("version")) return { action: "version" };
  return runArguments(values);
}

/** @returns the value, "" for a flag. */
function checkToken(
  name: string,
  rawName: string,
  value: string | undefined,
  values: ReadonlyMap<string, string>,
): string {
  if (!isFlag(name)) {
    throw new ArgumentsError(
      `${rawName}: ${unknownOption(name, Object.keys(FLAGS)).replace("mean ", "mean --")}`,
    );
  }
  if (values.has(name)) throw new ArgumentsError(`${rawName} was given twice`);
  if (FLAGS[name].type === "boolean") {
    if (value !== undefined) throw new ArgumentsError(`${rawName} takes no value`);
    return "";
  }
  if (value === undefined || value === "") throw new ArgumentsError(`${rawName} needs a value`);
  return value;
}

function isFlag(name: string): name is keyof typeof FLAGS {
  return Object.hasOwn(FLAGS, name);
}

function runArguments(values: ReadonlyMap<string, string>): Arguments {
  const host = values.get("host");
  const port = portOf(values, "port");
  const wsPort = portOf(values, "ws-port");
  const data = values.get("data");
  const store = storeOf(values.get("store"));
  const config = values.get("config");
  return {
    action: "run",
    ...(host === undefined ? {} : { host }),
    ...(port === undefined ? {} : { port }),
    ...(wsPort === undefined ? {} : { wsPort }),
    ...(data === undefined ? {} : { data }),
    ...(store === undefined ? {} : { store }),
    ...(config === undefined ? {} : { config }),
    ...(values.has("allow-anonymous") ? { allowAnonymous: true } : {}),
  };
}

function portOf(values: ReadonlyMap<string, string>, name: string): number | undefined {
  const value = values.get(name);
  if (value === undefined) return undefined;
  if (/^\d{1,5}$/.test(value) && Number(value) <= 65_535) return Number(value);
  throw new ArgumentsError(`--${name}: seen ${seen(value)}, expected a port from 0 to 65535`);
}

function storeOf(value: string | undefined): "leveldb" | "memory" | undefined {
  if (value === undefined || value === "leveldb" || value === "memory") return value;
  throw new ArgumentsError(`--store: seen ${seen(value)}, expected leveldb or memory`);
}
