// What the server prints when it has started: where it listens, where it stores, what to try.

import { resolve } from "node:path";
import type { Settings } from "../config/settings.ts";
import { isLoopback } from "../loopback.ts";
import { hostAndPort, type Listener } from "../transports/transport.ts";

/** @returns lines for standard output. `first` adds commands to try. */
export function greeting(
  version: string,
  settings: Settings,
  listeners: readonly Listener[],
  first: boolean,
): string[] {
  const lines = [`heirloom ${version}`];
  for (const listener of listeners) {
    const scope = isLocal(listener) ? " (this machine only)" : "";
    lines.push(`listening on  ${listener.url}${scope}`);
  }
  lines.push(
    settings.store === "memory"
      ? "storing in    memory: everything is forgotten when this process ends"
      : `storing in    ${resolve(settings.data)}`,
  );
  return first ? [...lines, ...examples(listeners)] : lines;
}

/** @returns lines for standard error about what an operator may not have meant. */
export function warnings(settings: Settings, listeners: readonly Listener[], isRoot: boolean): string[] {
  const lines: string[] = [];
  if (isRoot) {
    lines.push(
      "warning: running as root: whoever takes over this process has the whole machine; run it as a user of its own " +
        "(docs/guides/hardening.md)",
    );
  }
  listeners.forEach((listener, index) => {
    if (settings.listeners[index]?.allowAnonymous !== true || isLocal(listener)) return;
    const place = hostAndPort(listener.host, listener.port);
    lines.push(
      `warning: ${place} accepts anyone who can reach it, without a name or password (allowAnonymous)`,
    );
  });
  return lines;
}

/** Whether only this machine can connect: an address of its own, or a Unix socket. */
function isLocal({ host, url }: Listener): boolean {
  return isLoopback(host) || url.includes("+unix:");
}

function examples(listeners: readonly Listener[]): string[] {
  const listener = listeners.find(({ url }) => url.startsWith("mqtt://"));
  if (listener === undefined) return [];
  const anywhere = listener.host === "::" || listener.host === "0.0.0.0";
  const place = `-h ${anywhere ? "127.0.0.1" : listener.host} -p ${listener.port}`;
  return [
    `try           mosquitto_sub ${place} -v -t 'greetings/#'`,
    `              mosquitto_pub ${place} -q 1 -t greetings/world -m hello`,
  ];
}
