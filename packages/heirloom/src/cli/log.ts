// What the server tells on standard error while it runs: only what an operator has to know.
// Names that clients chose are quoted, so that no control character gets into a terminal or a second line.

import type { Broker } from "../broker.ts";

/** Milliseconds. At most one line about discarded messages in this time; the count in it is complete. */
const DISCARD_LINE_MS = 10_000;

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
  logDiscards(print, broker);
}

function logDiscards(print: (line: string) => void, broker: Broker): void {
  let waiting = 0;
  let latest = "";
  let timer: NodeJS.Timeout | undefined;
  const flush = (): void => {
    timer = undefined;
    if (waiting === 0) return;
    print(`discarded: ${waiting} messages at the limit of full queues, the latest of client ${latest}`);
    waiting = 0;
    timer = setTimeout(flush, DISCARD_LINE_MS).unref();
  };
  broker.on("discarded", ({ clientId, messages }) => {
    waiting += messages;
    latest = JSON.stringify(clientId);
    timer ??= setTimeout(flush, 0).unref();
  });
}
