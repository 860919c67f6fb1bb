// What the server tells on standard error while it runs: only what an operator has to know. Never payloads, never passwords.
// Names that clients chose are quoted, and all lines are made printable where they are written.

import { ReasonCode } from "@heirloom/codec";
import type { Broker } from "../broker.ts";
import { addressOf } from "../identity/address.ts";
import { LineLimit } from "./line-limit.ts";

/** Milliseconds. At most one line about discarded messages in this time; the count in it is complete. */
const DISCARD_LINE_MS = 10_000;
/** Characters of a client identifier in a line. */
const MOST_OF_A_NAME = 64;

/** Ends of connections that are nobody's fault: networks fail, clients sleep, come back elsewhere, or are sent away. */
const USUAL_ENDS: ReadonlySet<number> = new Set([
  ReasonCode.UNSPECIFIED_ERROR,
  ReasonCode.SERVER_SHUTTING_DOWN,
  ReasonCode.KEEP_ALIVE_TIMEOUT,
  ReasonCode.SESSION_TAKEN_OVER,
]);

/** What is given up for want of memory, by step. */
const MEMORY_STEPS = [
  "nothing is given up any more",
  "caches are dropped",
  "new connections are refused too",
  "QoS 0 messages to clients that have something waiting are dropped too",
  "new messages are refused too",
  "the connections that have most waiting are ended too",
] as const;

/** Prints what `broker` reports from now on. */
export function logTo(print: (line: string) => void, broker: Broker): void {
  broker.on("damaged", ({ place, reason, setAside }) => {
    print(`damaged: ${place}: ${reason}${setAside === undefined ? "" : `; set aside in ${setAside}`}`);
  });
  broker.on("storeFull", ({ full }) => {
    print(
      full ? "the disk is full: QoS 1 and 2 and retained messages are refused" : "the disk has space again",
    );
  });
  broker.on("warning", ({ message }) => print(`warning: ${message}`));
  broker.on("memory", ({ step, usedBytes, limitBytes }) => {
    print(
      `memory: ${mebibytes(usedBytes)} of ${mebibytes(limitBytes)} are in use: ${MEMORY_STEPS[step] ?? step}`,
    );
  });
  logClients(print, broker);
  logDiscards(print, broker);
}

/** Who was not let in, who was sent away, and on whom a hook failed: at most a line a minute of each kind and address. */
function logClients(print: (line: string) => void, broker: Broker): void {
  const limit = new LineLimit(print, () => performance.now());
  broker.on("refused", ({ remoteAddress, reasonCode, reason }) => {
    // Somebody looked whether the port is open, or gave up.
    if (reasonCode === ReasonCode.UNSPECIFIED_ERROR) return;
    limit.line(
      `refused ${reasonCode}`,
      addressOf(remoteAddress),
      `refused: ${remoteAddress}: ${reason} (${hex(reasonCode)})`,
    );
  });
  broker.on("hookFailed", ({ remoteAddress, error }) => {
    // Its message may have anything in it, such as the address of a database with the password.
    limit.line("hook failed", addressOf(remoteAddress), `a hook failed: ${remoteAddress}: ${error.name}`);
  });
  broker.on("disconnected", ({ client, reasonCode, reason }) => {
    if (reasonCode < 0x80 || USUAL_ENDS.has(reasonCode)) return;
    const { remoteAddress, clientId } = client;
    limit.line(
      `disconnected ${reasonCode}`,
      addressOf(remoteAddress),
      `disconnected: ${remoteAddress}: client ${quoted(clientId)}: ${reason} (${hex(reasonCode)})`,
    );
  });
}

function logDiscards(print: (line: string) => void, broker: Broker): void {
  let waiting = 0;
  let latest = "";
  let timer: NodeJS.Timeout | undefined;
  const flush = (): void => {
    timer = undefined;
    if (waiting === 0) return;
    print(
      `discarded: ${waiting} messages at the limit of full queues, the latest of client ${quoted(latest)}`,
    );
    waiting = 0;
    timer = setTimeout(flush, DISCARD_LINE_MS).unref();
  };
  broker.on("discarded", ({ clientId, messages }) => {
    waiting += messages;
    latest = clientId;
    timer ??= setTimeout(flush, 0).unref();
  });
}

function quoted(name: string): string {
  return JSON.stringify(name.length > MOST_OF_A_NAME ? `${name.slice(0, MOST_OF_A_NAME)}...` : name);
}

function hex(reasonCode: number): string {
  return `0x${reasonCode.toString(16).padStart(2, "0")}`;
}

function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}
