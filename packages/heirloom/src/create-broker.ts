// The library's entry: options in, a running broker out.

import type { Hooks, Store } from "@heirloom/core";
import { Broker, canIdentify } from "./broker.ts";
import { throwFindings, unknownOption, type Finding } from "./config/findings.ts";
import { DEFAULT_PORTS, type ListenerOptions } from "./config/listener-options.ts";
import { resolveSettings, type ServerOptions, type Settings } from "./config/settings.ts";
import type { PermissionChain } from "./permissions/chain.ts";
import type { PermissionOptions } from "./permissions/options.ts";
import { NodeWorld } from "./runtime.ts";
import { makeStore } from "./stores.ts";

/** The options of {@link createBroker}. Each is described in docs/reference/configuration.md. */
export interface BrokerOptions extends Omit<ServerOptions, "store" | "permissions"> {
  /** The port of a TCP listener; 0 = one that is free. Default 1883. Not together with `listeners`. */
  readonly port?: number;
  /** The port of a WebSocket listener beside it; 0 = one that is free. Default: none. Not together with `listeners`. */
  readonly wsPort?: number;
  /** The address of these two. Default 127.0.0.1 while anonymous clients are allowed, otherwise all. */
  readonly host?: string;
  /** Where sessions and messages are kept. Default "leveldb", in the directory `data`. */
  readonly store?: "leveldb" | "memory" | Store;
  readonly hooks?: Hooks;
  /** Who may use which topics: the first source that says something decides. Default: everybody all topics. */
  readonly permissions?: readonly PermissionOptions[];
}

const OPTION_NAMES = [
  "port",
  "wsPort",
  "host",
  "store",
  "hooks",
  "listeners",
  "limits",
  "data",
  "purgeInterval",
  "allowAnonymous",
  "permissions",
  "authentication",
  "loginLimits",
  "connectionsPerAddress",
  "connectRate",
  "connectRatePerAddress",
] as const satisfies readonly (keyof BrokerOptions)[];

/**
 * Starts a broker. It listens on TCP port 1883 unless `port` or `listeners` say otherwise (`listeners: []` = nowhere).
 *
 * ```ts
 * const broker = await createBroker({ port: 1883, data: "./data" });
 * await broker.publish("greetings/world", "hello", { qos: 1, retain: true });
 * await broker.stop();
 * ```
 *
 * @throws ConfigError, StoreError or ListenError; then nothing runs and nothing is left open.
 */
export async function createBroker(options: BrokerOptions = {}): Promise<Broker> {
  const { store, hooks } = options;
  const settings = settingsOf(options);
  const permissions = await permissionsOf(settings);
  const broker = new Broker({
    settings,
    permissions,
    store: typeof store === "object" ? store : await makeStore(settings),
    world: new NodeWorld(),
    hooks,
  });
  await broker.start();
  return broker;
}

/** Opens what says who may use which topics; its code is only loaded when there is such a thing. @throws ConfigError */
export async function permissionsOf({ permissions }: Settings): Promise<PermissionChain | undefined> {
  if (permissions === undefined) return undefined;
  const { openPermissions } = await import("./permissions/open.ts");
  return openPermissions(permissions);
}

/** Makes settings of a program's options. @throws ConfigError */
export function settingsOf(options: BrokerOptions): Settings {
  const { port, wsPort, host, store, hooks, listeners, ...rest } = options;
  const findings: Finding[] = [];
  for (const name of Object.keys(options)) {
    if (!OPTION_NAMES.some((known) => known === name)) {
      findings.push({ path: [name], message: unknownOption(name, OPTION_NAMES) });
    }
  }
  if (listeners !== undefined && (port ?? wsPort ?? host) !== undefined) {
    findings.push({
      path: ["listeners"],
      message: "expected either `listeners` or `port`, `wsPort` and `host`",
    });
  }
  const all = listeners ?? shorthandListeners({ port, wsPort, host });
  const kind = typeof store === "string" ? { store } : {};
  const settings = resolveSettings({ ...rest, ...kind, listeners: all }, canIdentify(hooks), findings);
  throwFindings(findings);
  return settings;
}

/** The listeners that `port`, `wsPort` and `host` stand for. */
export function shorthandListeners(options: {
  readonly port?: number | undefined;
  readonly wsPort?: number | undefined;
  readonly host?: string | undefined;
}): ListenerOptions[] {
  const host = options.host === undefined ? {} : { host: options.host };
  const listeners: ListenerOptions[] = [{ ...host, name: "tcp", port: options.port ?? DEFAULT_PORTS.tcp }];
  if (options.wsPort !== undefined) {
    listeners.push({ ...host, name: "websocket", transport: "websocket", port: options.wsPort });
  }
  return listeners;
}
